"""Ten minutes of coming and going: does memory grow, on either side?

`wsctl serve` and `wsctl load` beside each other, with users that stay, that change what they listen to and that leave
and return. Memory of each process is read every second, and its slope is that of the least squares over all readings
after the first stretch. See README.md for how to read it.
"""

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression
from typing import Any

import psutil

from bench.contenders import CONTENDERS, SYMBOLS, WSCTL, ContenderError, Load, last_line, running, start, stop
from bench.runs import machine, positive, raise_file_limit, talk, whole
from bench.table import aligned, verdict

EVERY = 1.0  # seconds between two readings
LEFT_OUT = 0.2  # of the time: everything is opened and warmed up first
STEEPEST = 100e3  # bytes a minute
PATIENCE = 60.0  # seconds for the end
JOURNEYS = (
    {"do": "prices", "weight": 5},
    {"do": "churn", "weight": 3, "think": ["2s", "10s"]},
    {"do": "returning", "weight": 1, "think": ["5s", "20s"], "away": ["1s", "5s"]},
    {"do": "returning", "weight": 1, "think": ["5s", "20s"], "away": ["1s", "5s"], "polite": False},
)


@dataclass
class Readings:
    """Resident bytes of a process over time."""

    title: str
    process: psutil.Process
    at: list[float]
    rss: list[int]

    def read(self, at: float) -> None:
        """One more."""
        self.rss.append(self.process.memory_info().rss)
        self.at.append(at)

    def slope(self, since: float) -> tuple[float, float, float] | None:
        """Bytes a minute, and the bytes that the line begins and ends with; None of too few."""
        points = [(at, rss) for at, rss in zip(self.at, self.rss, strict=True) if at >= since]
        if len(points) < 10:
            return None
        slope, height = linear_regression([at for at, _ in points], [rss for _, rss in points])
        return slope * 60, height + slope * points[0][0], height + slope * points[-1][0]


def main() -> int:
    """0 flat, 1 memory grows or nothing was measured, 130 interrupted."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that children are ended
    raise_file_limit(options.connections)
    print(f"{options.connections} connections, {options.messages} messages/s, {options.minutes:g} minutes")
    print(machine(), flush=True)
    try:
        followed, result = soak(options)
    except ContenderError as error:
        talk(f"nothing measured: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return report(options, followed, result)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=positive, default=10.0, help="(%(default)g)")
    parser.add_argument("--connections", type=whole, default=2_000, help="(%(default)s)")
    parser.add_argument("--messages", type=whole, default=4_000, help="per second in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of prices and users (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every reading there as well")
    return parser.parse_args()


def soak(options: argparse.Namespace) -> tuple[list[Readings], dict[str, Any]]:
    """Everything that was read, and the load's own result."""
    load = Load(options.connections, options.messages / options.connections, options.seed, SYMBOLS)
    with tempfile.TemporaryDirectory(prefix="bench-") as name, running(CONTENDERS["wsctl"], load) as server:
        folder = Path(name)
        (folder / "soak.json").write_text(json.dumps(profile(options)))
        command = [WSCTL, "load", str(folder / "soak.json"), "--url", server.url, "--out", name]
        with (folder / "talk").open("wb") as out:
            process = start(command, stdout=out, stderr=out)
        try:
            followed = follow(process, server.pid, options.minutes * 60)
        finally:
            stop(process)
        try:
            return followed, json.loads((folder / "result.json").read_text())
        except OSError:
            raise ContenderError(last_line(folder / "talk")) from None


def profile(options: argparse.Namespace) -> dict[str, Any]:
    """What users do: YAML that happens to be JSON."""
    return {
        "name": "soak",
        "users": options.connections,
        "ramp": f"{options.connections / 400:g}s",
        "duration": f"{options.minutes * 60:g}s",
        "symbols": SYMBOLS,
        "journeys": JOURNEYS,
        "seed": options.seed,
    }


def follow(process: subprocess.Popen[bytes], server: int, seconds: float) -> list[Readings]:
    """Read both sides until the load is over, or has taken far too long."""
    began = time.monotonic()
    followed = {server: Readings("wsctl serve", psutil.Process(server), [], [])}
    while process.poll() is None:
        at = time.monotonic() - began
        if at > seconds + PATIENCE:
            raise ContenderError("wsctl load did not end")
        with contextlib.suppress(psutil.NoSuchProcess):  # it ends
            for member in (psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)):
                if member.pid not in followed:
                    followed[member.pid] = Readings(title(member), member, [], [])
            for one in followed.values():
                one.read(at)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(EVERY)
    return list(followed.values())


def title(process: psutil.Process) -> str:
    """What a process of the load is."""
    command = " ".join(process.cmdline())
    known = {"locust.process": "Locust's process", "shard_process": "its shard"}
    return next((name for part, name in known.items() if part in command), "wsctl load")


def report(options: argparse.Namespace, followed: Sequence[Readings], result: dict[str, Any]) -> int:
    """Print slopes and verdicts; the exit code."""
    since = LEFT_OUT * options.minutes * 60
    rows, flat = [["", "MB at first", "MB at last", "KB/min", f"≤ {STEEPEST / 1e3:g} KB/min"]], []
    for one in followed:
        found = one.slope(since)
        if found is None:
            continue
        slope, first, last = found
        flat.append(slope <= STEEPEST)
        cells = [f"{first / 1e6:.2f}", f"{last / 1e6:.2f}", f"{slope / 1e3:+.1f}"]
        rows.append([one.title, *cells, verdict(flat[-1], slope)])
    print(f"\n{aligned(rows, left=1)}")
    metrics = result["metrics"]
    print(
        f"\n{metrics['connections.opened']:g} connections opened, {metrics.get('connections.receiving', 0):g} receiving"
        f" at the end; {metrics['messages.received']:g} messages, {metrics['ordering.gaps']:g} gaps,"
        f" {metrics['errors']:g} errors; load's own verdict: {result['verdict']}"
    )
    print(f"the first {since:g} s are left out of the slopes, {len(followed[0].at)} readings in all")
    if options.json:
        readings = [{"title": one.title, "at": one.at, "rss": one.rss} for one in followed]
        options.json.write_text(json.dumps({"readings": readings, "metrics": metrics}, indent=2) + "\n")
    return 0 if flat and all(flat) and result["verdict"] == "pass" else 1


if __name__ == "__main__":
    sys.exit(main())

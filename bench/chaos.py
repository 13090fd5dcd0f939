"""What does `wsctl chaos` itself add? Latency and throughput through it beside going straight, in one run.

python -m bench.chaos
"""

import argparse
import contextlib
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.contenders import WSCTL, Contender, ContenderError, Load, Running, running
from bench.runs import (
    SATURATED,
    TOLERANCE,
    at_least_zero,
    facts,
    listed,
    machine,
    measured_by,
    one_of,
    positive,
    raise_file_limit,
    talk,
    whole,
)
from bench.table import Round, aligned, verdict

OVERHEAD = 60.0  # seconds that a round may take beside warm-up and window
ADDED_MS = 1.0
"""that may be added at most, p99"""
QUANTILES = ("p50", "p99", "max")

Command = Callable[[str, Path], Sequence[str]]
"""the command line for an upstream's URL; the folder is gone after the round"""


def _chaos(*faults: str) -> Command:
    arguments = [part for fault in faults for part in ("--fault", fault)]
    return lambda url, _: [WSCTL, "chaos", "--upstream", url, "--port", "0", "--control-port", "0", *arguments]


PROXIES: dict[str, tuple[str, Command | None]] = {
    "direct": ("straight to the server", None),
    "relay": (
        "bytes unread, on uvloop",
        lambda url, _: [sys.executable, "-m", "bench.servers.relay", "--upstream", url],
    ),
    "chaos": ("wsctl chaos, no fault", _chaos()),
    "faults": ("wsctl chaos, each message read", _chaos("drop:channel=symbol:NO/ONE:ticker", "delay:p=0")),
    "record": (
        "wsctl record --listen (aiohttp)",
        lambda url, folder: [
            *(WSCTL, "record", "--listen", ":0", "--upstream", url, "-o", str(folder / "tape.jsonl")),
        ],
    ),
}


def main() -> int:
    """0 measured, 1 nothing valid measured, 130 interrupted."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that children are ended
    raise_file_limit(2 * options.clients)
    print(f"{options.clients} connections, {options.rate:g} messages/s in all, evenly spaced; then as fast as it goes")
    print(f"{options.rounds} rounds × {options.seconds:g} s (warm-up {options.warmup:g} s)")
    print(machine(), flush=True)
    paced: dict[str, list[Round]] = {name: [] for name in options.contenders}
    full: dict[str, list[Round]] = {name: [] for name in options.contenders}
    interrupted = False
    try:
        run_rounds(options, paced, full)
    except KeyboardInterrupt:
        interrupted = True
        talk("interrupted; what follows are the rounds measured so far")
    found = {name: summarise(paced[name], full[name]) for name in options.contenders}
    print(f"\n{figures_table(found)}\n\n{ratios_table(found)}")
    if options.json:
        result = {**facts(options), "median": found, "paced": paced, "full": full}
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    if interrupted:
        return 130
    return 0 if any(found.values()) else 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    names = listed(one_of(list(PROXIES)))
    parser.add_argument("--clients", type=whole, default=250, help="connections (%(default)s)")
    parser.add_argument("--rate", type=positive, default=5000.0, help="messages/s of all together (%(default)g)")
    parser.add_argument("--rounds", type=whole, default=5, help="rounds per contender (%(default)s)")
    parser.add_argument("--warmup", type=at_least_zero, default=1.0, help="seconds before the window (%(default)g)")
    parser.add_argument("--seconds", type=positive, default=4.0, help="measured window (%(default)g)")
    parser.add_argument("--contenders", type=names, default=list(PROXIES), help=",".join(PROXIES))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there as well")
    return parser.parse_args()


def run_rounds(options: argparse.Namespace, paced: dict[str, list[Round]], full: dict[str, list[Round]]) -> None:
    """Interleaved, so that the machine's drift meets all alike."""
    for number in range(1, options.rounds + 1):
        for name in options.contenders:
            for rounds, rate in ((paced, options.rate), (full, 0.0)):
                try:
                    entry = run_round(name, options, rate)
                except ContenderError as error:
                    entry = {"problem": str(error)}
                rounds[name].append(entry)
                talk(f"round {number}  {name:7} {describe(entry)}")


def run_round(name: str, options: argparse.Namespace, rate: float) -> Round:
    """One window of one way from a fresh server to fresh clients, judged; `rate` 0: as fast as it goes."""
    load = Load(options.clients, rate, 0)
    with reached(PROXIES[name][1], load) as (source, server):
        told = ["--url", f"ws://127.0.0.1:{server.port}/feed", "--pid", str(server.pid), "--beside", str(source.pid)]
        told += ["--clients", str(options.clients), "--warmup", f"{options.warmup:g}"]
        told += ["--seconds", f"{options.seconds:g}", *([] if rate else ["--unstamped"])]
        entry = measured_by("bench.listeners.stamped", told, options.warmup + options.seconds + OVERHEAD)
    if "error" in entry:
        return {"problem": entry["error"]}
    entry["per_s"] = entry["messages"] / entry["seconds"]
    entry["cpu_us"] = entry["cpu_seconds"] / max(entry["messages"], 1) * 1e6
    entry["problem"] = problem(entry, rate)
    return entry


@contextlib.contextmanager
def reached(command: Command | None, load: Load) -> Iterator[tuple[Running, Running]]:
    """A fresh server, and whom clients are to connect to: the proxy before it, if there is one."""
    paced = [sys.executable, "-m", "bench.servers.paced", "--clients", "{clients}", "--rate", "{rate}"]
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running(Contender("paced", "", paced), load))
        proxy = server
        if command is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            proxy = stack.enter_context(running(Contender("proxy", "", command(server.url, folder)), load))
        yield server, proxy


def problem(entry: Round, rate: float) -> str | None:
    """Why a round does not count, or None. As fast as it goes, whoever is slowest may be."""
    if entry["lost"]:
        return f"{entry['lost']} connections lost"
    if not rate:
        return None
    if entry["receiver_share"] > SATURATED:
        return f"receiver saturated at {entry['receiver_share']:.2f} cores"
    if abs(entry["per_s"] / rate - 1) > TOLERANCE:
        return f"{entry['per_s'] / rate:.0%} of the asked messages delivered"
    return None


def describe(entry: Round) -> str:
    """One round in one line."""
    if "per_s" not in entry:
        return f"invalid: {entry['problem']}"
    latency = entry["latency"]
    shown = "  ".join(f"{name} {latency[name]:.2f} ms" for name in QUANTILES) if latency["samples"] else ""
    cores = ", ".join(f"{who} {entry[f'{who}_share']:.2f}" for who in ("server", "receiver", "others"))
    line = f"{entry['per_s']:9,.0f}/s  {entry['cpu_us']:5.1f} µs/msg  cores: {cores}  {shown}"
    return f"{line}  invalid: {entry['problem']}" if entry["problem"] else line


def summarise(paced: Sequence[Round], full: Sequence[Round]) -> dict[str, Any] | None:
    """Medians over the valid rounds of one way; None without any of both kinds."""
    calm, fast = ([entry for entry in rounds if not entry["problem"]] for rounds in (paced, full))
    if not calm or not fast:
        return None
    return {
        **{name: median(entry["latency"][name] for entry in calm) for name in QUANTILES},
        "cpu_us": median(entry["cpu_us"] for entry in calm),
        "per_s": median(entry["per_s"] for entry in fast),
        "full_cpu_us": median(entry["cpu_us"] for entry in fast),
        "others": median(entry["others_share"] for entry in calm),
        "samples": sum(entry["latency"]["samples"] for entry in calm),
        "valid": f"{len(calm)} and {len(fast)} of {len(paced)}",
    }


def figures_table(found: dict[str, dict[str, Any] | None]) -> str:
    """One line per way; latencies in milliseconds."""
    head = ["", "", "p50 ms", "p99 ms", "max ms", "added p50", "p99", "max", "CPU µs/msg", "others"]
    head += ["most msg/s", "CPU µs/msg", "valid rounds"]
    direct = found.get("direct")
    rows = []
    for name, entry in found.items():
        if entry is None:
            rows.append([name, PROXIES[name][0], *["–"] * 10, "none"])
            continue
        added = [f"{entry[one] - direct[one]:.2f}" if direct and name != "direct" else "–" for one in QUANTILES]
        cpu = ["–" if name == "direct" else f"{entry[key]:.1f}" for key in ("cpu_us", "full_cpu_us")]
        shown = [f"{entry[one]:.2f}" for one in QUANTILES]
        cells = [cpu[0], f"{entry['others']:.2f}", f"{entry['per_s']:,.0f}", cpu[1], entry["valid"]]
        rows.append([name, PROXIES[name][0], *shown, *added, *cells])
    return aligned([head, *rows], left=2)


def ratios_table(found: dict[str, dict[str, Any] | None]) -> str:
    """The target, and how much of what goes straight goes through."""
    rows = [["target", "measured", ""]]
    direct = found.get("direct")
    for name in ("chaos", "faults"):
        entry = found.get(name)
        added = entry["p99"] - direct["p99"] if entry and direct else None
        met = None if added is None else added < ADDED_MS
        told = "–" if added is None else f"{added:.2f} ms"
        rows.append([f"added by {name}, p99 < {ADDED_MS:g} ms", told, verdict(met, added)])
        for other in ("direct", "relay", "record"):
            against = found.get(other)
            ratio = entry["per_s"] / against["per_s"] if entry and against else None
            told = "–" if ratio is None else f"{ratio:.2f}"
            rows.append([f"messages/s of {name} to {other}", told, verdict(None, ratio)])
    return aligned(rows, left=1)


if __name__ == "__main__":
    sys.exit(main())

"""Tapes: does `wsctl record` keep up, how fast is a tape judged, and how exactly is it played?

python -m bench.tapes
"""

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench.contenders import ContenderError, start, stop
from bench.runs import machine, positive, talk, whole
from bench.servers.price import EVENT, payload
from bench.table import aligned, verdict
from wsctl.tape.format import Header, TapeFrame
from wsctl.tape.reader import TapeReader
from wsctl.tape.source import open_source
from wsctl.tape.writer import TapeWriter

RECORDERS = {
    "lines": "bare aiohttp and json, a line each",
    "plain": "wsctl record -o t.jsonl",
    "gzip": "wsctl record -o t.jsonl.gz",
    "zstd": "wsctl record -o t.jsonl.zst",
}
SUFFIXES = {"lines": ".txt", "plain": ".jsonl", "gzip": ".jsonl.gz", "zstd": ".jsonl.zst"}
JUDGED = 1_000_000
CHANNELS = 20
JUDGED_TARGET = 200_000
SCHEDULE_TARGET_MS = 2.0
WSCTL = [sys.executable, "-m", "wsctl"]


def main() -> None:
    """Measure all three and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=whole, default=20_000, help="messages a second to record")
    parser.add_argument("--seconds", type=positive, default=5.0, help="of each recording, and of the tape played")
    parser.add_argument("--rounds", type=whole, default=3)
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        rounds = record_all(options, folder)
        print(f"\nrecording {options.rate:,} messages/s for {options.seconds:g} s\n")
        print(recording_table(rounds, options.rate * options.seconds))
        rate = judge(folder / "judged.jsonl")
        print(f"\nordering-check of a tape: {rate:,.0f} messages/s (start-up included)")
        print(f"≥ {JUDGED_TARGET:,} messages/s: {verdict(rate >= JUDGED_TARGET, rate)}")
        p50, p99, most = play(folder / "played.jsonl", options.seconds)
        print(f"\nreplay at 1x, schedule error: p50 {p50:.2f} ms, p99 {p99:.2f} ms, max {most:.2f} ms")
        print(f"p99 < {SCHEDULE_TARGET_MS:g} ms: {verdict(p99 < SCHEDULE_TARGET_MS, p99)}")


# Recording


def record_all(options: argparse.Namespace, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Rounds in turns, so that whatever else the machine does meets all alike."""
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in RECORDERS}
    for number in range(options.rounds):
        for name in RECORDERS:
            tape = folder / f"{number}{SUFFIXES[name]}"
            entry = record(name, tape, options)
            rounds[name].append(entry)
            talk(f"round {number + 1} {name}: {entry}")
            tape.unlink()
    return rounds


def record(name: str, tape: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One recording of a fresh server: what was sent, what is on tape, and what the recorder's CPU was between."""
    with blasting(options, tape.with_suffix(".ready")) as (server, url):
        command = [sys.executable, "-m", "bench.listeners.lines", url, str(tape)]
        if name != "lines":
            command = [*WSCTL, "record", "BTC/USDT", "--url", url, "-o", str(tape)]
        recorder = start(command, stderr=subprocess.DEVNULL)
        try:
            assert server.stdout is not None
            server.stdout.readline()
            before = cpu(recorder.pid)
            _, sent, seconds = server.stdout.readline().split()
            settled(tape)
            used = cpu(recorder.pid) - before
        finally:
            stop(recorder)
    texts = lines_of(tape) if name == "lines" else texts_of(tape)
    seqs = [json.loads(text[2:])[1]["seq"] for text in texts if text.startswith(f'42["{EVENT}"')]
    return {
        "sent": int(sent),
        "lost": int(sent) - len(seqs),
        "in_order": seqs == list(range(1, len(seqs) + 1)),
        "per_s": int(sent) / float(seconds),
        "cpu_us": used / int(sent) * 1e6,
    }


@contextlib.contextmanager
def blasting(options: argparse.Namespace, ready_file: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The server, and its URL."""
    arguments = ["--rate", str(options.rate), "--seconds", str(options.seconds), "--ready-file", str(ready_file)]
    server = start([sys.executable, "-m", "bench.servers.blast", *arguments], stdout=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while not ready_file.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise ContenderError("the server did not start")
            time.sleep(0.02)
        yield server, json.loads(ready_file.read_text())["url"]
    finally:
        stop(server)
        ready_file.unlink(missing_ok=True)


def cpu(pid: int) -> float:
    """Seconds, user and system."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def settled(tape: Path) -> None:
    """Wait until nothing has been written for more than the second that compressed tapes are held back."""
    size, since = -1, time.monotonic()
    while time.monotonic() - since < 1.5:
        if tape.stat().st_size != size:
            size, since = tape.stat().st_size, time.monotonic()
        time.sleep(0.05)


def texts_of(tape: Path) -> Iterator[str]:
    """The frames that the server sent."""
    with open_source(tape) as lines:
        yield from (str(frame.frame) for frame in TapeReader(lines) if frame.direction == "in")


def lines_of(file: Path) -> Iterator[str]:
    """The same of the floor's file."""
    with file.open() as lines:
        yield from (json.loads(line)["text"] for line in lines)


def recording_table(rounds: dict[str, list[dict[str, Any]]], asked: float) -> str:
    """A line per recorder: medians, but the most that was lost in any round."""
    rows = [["recorder", "", "sent/s", "lost", "in order", "CPU µs/msg", "÷ lines", ""]]
    floor = median(entry["cpu_us"] for entry in rounds["lines"])
    for name, title in RECORDERS.items():
        entries = rounds[name]
        spent = median(entry["cpu_us"] for entry in entries)
        lost, ordered = max(entry["lost"] for entry in entries), all(entry["in_order"] for entry in entries)
        per_s = median(entry["per_s"] for entry in entries)
        kept_up = lost == 0 and ordered and per_s * 1.05 >= asked / (entries[0]["sent"] / per_s)
        rows.append(
            [
                name,
                title,
                f"{per_s:,.0f}",
                f"{lost:,}",
                "yes" if ordered else "no",
                f"{spent:.1f}",
                f"{spent / floor:.2f}",
                "" if name == "lines" else verdict(kept_up, per_s),
            ]
        )
    return aligned(rows, left=2)


# Judging and playing


def judge(tape: Path) -> float:
    """Messages per second of the real command on a tape of many, in the platform's counter scheme."""
    write_tape(tape, JUDGED, 10_000)
    began = time.perf_counter()
    subprocess.run([*WSCTL, "ordering-check", "--tape", str(tape)], check=True, stdout=subprocess.DEVNULL)
    return JUDGED / (time.perf_counter() - began)


def play(tape: Path, seconds: float) -> tuple[float, float, float]:
    """The schedule error of `wsctl replay` with one client on all channels: p50, p99 and max, in ms."""
    rate = 1000
    write_tape(tape, round(rate * seconds), rate)
    ready_file = tape.with_suffix(".ready")
    replay = start(
        [*WSCTL, "replay", str(tape), "--port", "0", "--ready-file", str(ready_file)], stderr=subprocess.PIPE
    )
    client = None
    try:
        while not ready_file.exists():
            if replay.poll() is not None:
                raise ContenderError("replay did not start")
            time.sleep(0.02)
        url = json.loads(ready_file.read_text())["url"]
        symbols = [f"S{number}/USDT" for number in range(CHANNELS)]
        client = start(
            [*WSCTL, "subscribe", *symbols, "--url", url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        assert replay.stderr is not None
        for line in replay.stderr:
            if match := re.search(rb"p50 ([\d.]+) ms, p99 ([\d.]+) ms, max ([\d.]+) ms", line):
                return float(match[1]), float(match[2]), float(match[3])
        raise ContenderError("replay said nothing of its schedule")
    finally:
        for process in (client, replay):
            if process is not None:
                stop(process)


def write_tape(path: Path, messages: int, rate: int) -> None:
    """Prices of several channels in turn, evenly spaced."""
    with TapeWriter(path, Header(started_ns=time.time_ns(), dialect="socketio", url="http://feed.example")) as tape:
        tape.write(TapeFrame(0, "c1", "open", url="http://feed.example/socket.io/?EIO=4&transport=websocket"))
        for first in range(0, messages, CHANNELS):
            tape.write_all([frame(number, rate) for number in range(first, first + CHANNELS)])


def frame(number: int, rate: int) -> TapeFrame:
    """One price, so many a second."""
    symbol = f"S{number % CHANNELS}/USDT"
    price = payload(number // CHANNELS + 1, 0.0) | {"symbol": symbol, "channel": f"symbol:{symbol}:ticker"}
    text = "42" + json.dumps([EVENT, price], separators=(",", ":"))
    return TapeFrame((number + 1) * 1_000_000_000 // rate, "c1", "in", text)


if __name__ == "__main__":
    main()

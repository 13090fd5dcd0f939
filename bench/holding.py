"""What `wsctl load` holds beside `wsctl serve` on the same machine: thousands of connections over twenty symbols.

Latency, rates and memory are those of its own result; the CPU of both sides is read from outside.
"""

import argparse
import contextlib
import json
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.contenders import CONTENDERS, SYMBOLS, WSCTL, ContenderError, Load, Running, last_line, running, start, stop
from bench.receivers import Meter, machine_cpu
from bench.runs import TOLERANCE, talk
from bench.table import aligned, verdict
from bench.tools import connections

Held = dict[str, Any]

P95_MS = {10_000: 50.0, 30_000: 15.0}
"""by messages a second"""
LARGEST_RSS = 40e3  # bytes per connection
OVERHEAD = 60.0  # seconds that a run may take beside opening and holding
SLOW_OPENING = 800  # connections per second; so many, and a little more time, are no part of what is measured
SETTLING = 3.0  # seconds


@dataclass
class Sample:
    """Both sides at an instant while all connections were open."""

    at: float
    server_cpu: float
    load_cpu: float
    machine_cpu: float
    server_rss: int
    load_rss: int


def held_rounds(options: argparse.Namespace, held: list[Held]) -> None:
    """Each number of connections with each number of messages a second, and one connection to compare with."""
    numbers = [number for number in options.hold if number]
    alone = run_held(options, 1, 1) if numbers else None
    for number in numbers:
        for messages in options.messages:
            entry = run_held(options, number, messages)
            if alone and not alone["problem"] and not entry["problem"]:
                entry["shard_each"] = (entry["shard_rss"] - alone["shard_rss"]) / number
                entry["locust_each"] = (entry["locust_rss"] - alone["locust_rss"]) / number
            held.append(entry)
            talk(f"hold     {number} connections, {messages}/s: {describe(entry)}")


def run_held(options: argparse.Namespace, number: int, messages: int) -> Held:
    """One run of `wsctl load`, and what was seen from outside."""
    asked = {"connections": number, "messages": messages}
    load = Load(number, messages / number, options.seed, SYMBOLS)
    with tempfile.TemporaryDirectory(prefix="bench-") as name, running(CONTENDERS["wsctl"], load) as server:
        folder = Path(name)
        command = [WSCTL, "load", "--url", server.url, "--users", str(number), "--symbols", ",".join(SYMBOLS)]
        settling = number / SLOW_OPENING + SETTLING
        command += ["--connect-rate", str(options.connect_rate), "--warmup", f"{settling:g}s"]
        command += ["--duration", f"{settling + options.hold_seconds:g}s", "--out", name]
        with (folder / "talk").open("wb") as out:
            process = start(command, stdout=out, stderr=out)
        try:
            patience = number / options.connect_rate + settling + options.hold_seconds + OVERHEAD
            samples = watched(process, server, number, time.monotonic() + patience)
        except ContenderError as error:
            return {**asked, "problem": str(error)}
        finally:
            stop(process)
        try:
            result = json.loads((folder / "result.json").read_text())
        except OSError:
            return {**asked, "problem": last_line(folder / "talk")}
    return {**asked, **summary(result, samples), "problem": problem(result, number, messages, samples)}


def watched(process: subprocess.Popen[bytes], server: Running, number: int, deadline: float) -> list[Sample]:
    """What both sides used, second by second, while all connections were open."""
    samples: list[Sample] = []
    served, loading = Meter(server.pid), None
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise ContenderError("wsctl load did not end")
        if connections(server) >= number:
            loading = loading or Meter(process.pid)
            with contextlib.suppress(psutil.NoSuchProcess, OSError):  # it ends
                samples.append(
                    Sample(time.monotonic(), served.cpu(), loading.cpu(), machine_cpu(), served.rss(), loading.rss())
                )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
    return samples


def summary(result: dict[str, Any], samples: list[Sample]) -> Held:
    """Of what was measured, what is told."""
    metrics, worker = result["metrics"], result["workers"][0]
    entry = {
        "verdict": result["verdict"],
        "reason": result["reason"],
        "opened_per_s": metrics.get("connections.rate"),
        "receiving": metrics.get("connections.receiving"),
        "messages_per_s": metrics.get("messages.rate"),
        **{name: metrics.get(f"latency.{name}") for name in ("p50", "p95", "p99")},
        "lag": metrics.get("generator.lag.p99"),
        "shard_cpu": worker["cpu"],
        "shard_rss": worker["rss"],
        "locust_rss": worker["control_rss"],
    }
    if len(samples) > 1:
        first, last = samples[0], samples[-1]
        seconds = last.at - first.at
        server, load = last.server_cpu - first.server_cpu, last.load_cpu - first.load_cpu
        entry["server_share"] = server / seconds
        entry["load_share"] = load / seconds
        entry["others_share"] = max(0.0, last.machine_cpu - first.machine_cpu - server - load) / seconds
        entry["server_rss"] = max(sample.server_rss for sample in samples)
        entry["load_rss"] = max(sample.load_rss for sample in samples)
    return entry


def problem(result: dict[str, Any], number: int, messages: int, samples: list[Sample]) -> str | None:
    """Why a run does not count, or None."""
    if result["verdict"] not in ("pass", "invalid"):
        return f"{result['verdict']}: {result['reason']}"
    if (receiving := result["metrics"].get("connections.receiving", 0)) < number:
        return f"{receiving:g} of {number} receiving"
    if abs(result["metrics"]["messages.rate"] / messages - 1) > TOLERANCE:
        return f"{result['metrics']['messages.rate'] / messages:.0%} of the asked messages received"
    if len(samples) < 2:
        return "over before it was looked at"
    return result["reason"]


def describe(entry: Held) -> str:
    """One run in one line."""
    if "p95" not in entry or entry["p95"] is None:
        return f"invalid: {entry['problem']}"
    line = (
        f"{entry['opened_per_s']:.0f} opened/s  {entry['messages_per_s']:.0f} msg/s  P95 {entry['p95'] * 1000:.1f} ms"
        f"  lag {entry['lag'] * 1000:.1f} ms"
        f"  cores: server {entry.get('server_share', 0):.2f}, shard {entry['shard_cpu']:.2f},"
        f" load in all {entry.get('load_share', 0):.2f}, others {entry.get('others_share', 0):.2f}"
    )
    return f"{line}  invalid: {entry['problem']}" if entry["problem"] else line


def held_tables(held: list[Held]) -> str:
    """What it was like, and what it took."""
    rows = [["connections", "msg/s", "opened/s", "P50 ms", "P95 ms", "P99 ms", "", "server", "shard", "load", "others"]]
    sizes = [["connections", "msg/s", "server MB", "load MB", "shard MB", "KB each", "with Locust's process", ""]]
    for entry in held:
        asked = [f"{entry['connections']}", f"{entry['messages']}"]
        if entry["problem"]:
            rows.append([*asked, *["–"] * 4, f"invalid: {entry['problem']}", *["–"] * 4])
            sizes.append([*asked, *["–"] * 6])
            continue
        bound = P95_MS.get(entry["messages"])
        word = "" if bound is None else f"< {bound:g} ms {verdict(entry['p95'] * 1000 < bound, entry['p95'])}"
        shares = [f"{entry[key]:.2f}" for key in ("server_share", "shard_cpu", "load_share", "others_share")]
        times = [f"{entry[key] * 1000:.1f}" for key in ("p50", "p95", "p99")]
        rows.append([*asked, f"{entry['opened_per_s']:.0f}", *times, word, *shares])
        sizes.append([*asked, *(f"{entry[key] / 1e6:.0f}" for key in ("server_rss", "load_rss", "shard_rss"))])
        shard, both = entry.get("shard_each"), None
        if shard is None:
            sizes[-1] += ["–", "–", ""]
            continue
        both = shard + entry["locust_each"]
        sizes[-1] += [f"{shard / 1e3:.1f}", f"{both / 1e3:.1f}", f"≤ 40 KB {verdict(both <= LARGEST_RSS, both)}"]
    return f"{aligned(rows, left=0)}\n\n{aligned(sizes, left=0)}"

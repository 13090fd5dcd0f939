"""Thousands of connections on one process: wsctl serve beside Node's socket.io.

Connections opened per second, resident memory, and latency from the server's `timestamp` to receipt, over 20
symbols. The contenders take turns; prints figures, ratios and targets. See README.md for how to read them.
"""

import argparse
import json
import signal
import sys
from pathlib import Path
from statistics import median
from typing import Any

from bench.contenders import CONTENDERS, SYMBOLS, Contender, ContenderError, Load, running
from bench.runs import (
    SATURATED,
    at_least_zero,
    facts,
    listed,
    machine,
    measured_by,
    one_of,
    positive,
    problem,
    raise_file_limit,
    talk,
    whole,
)
from bench.table import Round, aligned, verdict

MORE = {"wsctl": ("--control",), "node": ()}
NAMES = listed(one_of(list(MORE)))
SLOWEST_OPENING = 200  # connections per second, below which a round is given up
OVERHEAD = 60.0  # seconds that a round may take beside opening, idling, warm-up and window
P95_MS = 15.0
RSS_RATIO = 0.75
OPENING_RATIO = 1.0

BUSY = 0.3  # of a core: others who used more may be why a target was missed
MEDIANS = ("rss_load", "delivered_share", "server_share", "receiver_share", "others_share", "cpu_us")

Cell = tuple[int, int]
"""connections, and messages per second in all"""
Summary = dict[str, Any] | None
"""medians; None where nothing was valid"""
Summaries = dict[Cell, dict[str, Summary]]
Openings = dict[int, dict[str, Summary]]


def main() -> int:
    """0 measured, 1 nothing valid measured, 130 interrupted."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that children are ended
    raise_file_limit(max(options.connections))
    print_setting(options)
    rounds: list[Round] = []
    absent: dict[str, str] = {}
    interrupted = False
    try:
        run_rounds(options, rounds, absent)
    except KeyboardInterrupt:
        interrupted = True
        talk("interrupted; what follows are the rounds measured so far")
    result = report(options, rounds, absent)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    if interrupted:
        return 130
    return 0 if any(not entry["problem"] for entry in rounds) else 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--connections", type=listed(whole), default=[2_000, 10_000], help="2000,10000")
    parser.add_argument("--messages", type=listed(whole), default=[10_000, 30_000], help="per second: 10000,30000")
    parser.add_argument("--rounds", type=whole, default=3, help="rounds per contender (%(default)s)")
    parser.add_argument("--in-flight", type=whole, default=100, help="connections opening at a time (%(default)s)")
    parser.add_argument("--every", type=whole, default=7, help="parse every k-th message (%(default)s)")
    parser.add_argument("--idle", type=at_least_zero, default=3.0, help="seconds of rest when open (%(default)g)")
    parser.add_argument("--warmup", type=positive, default=2.0, help="seconds before the window (%(default)g)")
    parser.add_argument("--seconds", type=positive, default=8.0, help="measured window (%(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="of wsctl's prices (%(default)s)")
    parser.add_argument("--contenders", type=NAMES, default=list(MORE), help=",".join(MORE))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there as well")
    return parser.parse_args()


def print_setting(options: argparse.Namespace) -> None:
    """Everything needed to judge or repeat the run."""
    print(f"{len(SYMBOLS)} symbols in turn, one per connection, loopback; latency of every {options.every}. message")
    print(f"{options.rounds} rounds × {options.seconds:g} s (warm-up {options.warmup:g} s), seed {options.seed}")
    print(machine(), flush=True)


def run_rounds(options: argparse.Namespace, rounds: list[Round], absent: dict[str, str]) -> None:
    """Interleaved, so that the machine's drift meets all alike. Who cannot start is absent and not asked again."""
    for number in range(1, options.rounds + 1):
        for cell in cells(options):
            for name in options.contenders:
                if name in absent:
                    continue
                try:
                    entry = run_round(CONTENDERS[name], cell, options)
                except ContenderError as error:
                    absent[name] = str(error)
                    talk(f"round {number}  {name:6} absent: {error}")
                    continue
                rounds.append({"round": number, "contender": name, "cell": cell, **entry})
                talk(f"round {number}  {name:6} {cell[0]:5} connections {cell[1]:5}/s  {describe(entry)}")


def cells(options: argparse.Namespace) -> list[Cell]:
    """What is measured of each contender."""
    return [(connections, messages) for connections in options.connections for messages in options.messages]


def run_round(contender: Contender, cell: Cell, options: argparse.Namespace) -> Round:
    """A fresh server, a fresh crowd."""
    connections, messages = cell
    load = Load(connections, messages / connections, options.seed, SYMBOLS, MORE[contender.name])
    with running(contender, load) as server:
        arguments = ["--pid", str(server.pid), "--url", server.websocket_url(socketio=True), "--control", server.url]
        arguments += ["--clients", str(connections), "--rate", f"{load.rate:g}"]
        for name in ("in_flight", "every", "idle", "warmup", "seconds"):
            arguments += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
        patience = connections / SLOWEST_OPENING + options.idle + options.warmup + options.seconds + OVERHEAD
        entry = measured_by("bench.crowd", arguments, patience)
    if "error" in entry:
        return {"problem": entry["error"]}
    entry["delivered_per_s"] = entry["messages"] / entry["seconds"]
    entry["delivered_share"] = entry["delivered_per_s"] / messages
    entry["cpu_us"] = entry["cpu_seconds"] / max(entry["messages"], 1) * 1e6
    entry["problem"] = problem(entry, connections, messages)
    return entry


def describe(entry: Round) -> str:
    """One round in one line."""
    if "latency" not in entry:
        return f"invalid: {entry['problem']}"
    opening, latency = entry["opening"], entry["latency"]
    sizes = "/".join(f"{entry[key] / 1e6:.0f}" for key in ("rss_empty", "rss_idle", "rss_load"))
    line = (
        f"{opening['per_second']:5.0f} opened/s"
        f" (cores: server {opening['server_share']:.2f}, generator {opening['generator_share']:.2f},"
        f" others {opening['others_share']:.2f})"
        f"  RSS {sizes} MB  P95 {latency['p95']:.1f} ms (least {latency['min']:.2f})  {entry['delivered_share']:.1%}"
        f"  cores: server {entry['server_share']:.2f}, generator {entry['receiver_share']:.2f},"
        f" others {entry['others_share']:.2f}"
    )
    if opening["generator_share"] > SATURATED:
        line += "  opened/s invalid: generator saturated"
    return f"{line}  invalid: {entry['problem']}" if entry["problem"] else line


def summarise(rounds: list[Round]) -> Summary:
    """Medians over the valid rounds of one contender in one cell; None without any."""
    valid = [entry for entry in rounds if not entry["problem"]]
    if not valid:
        return None
    middle = {key: median(entry[key] for entry in valid) for key in MEDIANS}
    middle |= {key: median(entry["latency"][key] for entry in valid) for key in ("p50", "p95", "p99")}
    samples = sum(entry["latency"]["samples"] for entry in valid)
    return {**middle, "samples": samples, "valid": len(valid), "rounds": len(rounds)}


def summarise_opening(rounds: list[Round]) -> Summary:
    """Medians over all rounds that opened every connection, whatever came after; None without any."""
    opened = [entry for entry in rounds if "opening" in entry]
    if not opened:
        return None
    openings = [entry["opening"] for entry in opened]
    rates = [opening["per_second"] for opening in openings if opening["generator_share"] <= SATURATED]
    return {
        "opened_per_s": median(rates) if rates else None,
        "rates": len(rates),
        "opened_us": median(opening["cpu_us"] for opening in openings),
        **{key: median(opening[key] for opening in openings) for key in ("server_share", "generator_share")},
        "others_share": median(opening["others_share"] for opening in openings),
        **{key: median(entry[key] for entry in opened) for key in ("rss_empty", "rss_idle")},
        "rounds": len(rounds),
    }


def summaries(options: argparse.Namespace, rounds: list[Round]) -> Summaries:
    """Of each cell, of each contender."""
    return {
        cell: {
            name: summarise([entry for entry in rounds if entry["cell"] == cell and entry["contender"] == name])
            for name in options.contenders
        }
        for cell in cells(options)
    }


def opening_summaries(options: argparse.Namespace, rounds: list[Round]) -> Openings:
    """Of each number of connections, of each contender."""
    return {
        number: {
            name: summarise_opening([e for e in rounds if e["cell"][0] == number and e["contender"] == name])
            for name in options.contenders
        }
        for number in options.connections
    }


def opening_table(found: Openings) -> str:
    """One line per number of connections and contender."""
    head = ["connections", "contender", "opened/s", "CPU µs each", "RSS MB before", "after"]
    head += ["server", "generator", "others", "rounds counted"]
    rows = [
        [f"{connections}", name, *opening_figures(summary)]
        for connections, row in found.items()
        for name, summary in row.items()
    ]
    return aligned([head, *rows], left=0)


def opening_figures(summary: Summary) -> list[str]:
    """The cells of one line."""
    if summary is None:
        return [*["–"] * 7, "none"]
    return [
        "–" if summary["opened_per_s"] is None else f"{summary['opened_per_s']:.0f}",
        f"{summary['opened_us']:.0f}",
        *(f"{summary[key] / 1e6:.0f}" for key in ("rss_empty", "rss_idle")),
        *(f"{summary[key]:.2f}" for key in ("server_share", "generator_share", "others_share")),
        f"{summary['rates']} of {summary['rounds']}",
    ]


def figures_table(found: Summaries) -> str:
    """One line per cell and contender."""
    head = ["connections", "msg/s", "contender", "RSS MB", "P50 ms", "P95 ms", "P99 ms", "delivered", "CPU µs/msg"]
    head += ["server", "generator", "others", "samples", "valid rounds"]
    rows = [
        [f"{connections}", f"{messages}", name, *figures(summary)]
        for (connections, messages), row in found.items()
        for name, summary in row.items()
    ]
    return aligned([head, *rows], left=0)


def figures(summary: Summary) -> list[str]:
    """The cells of one line."""
    if summary is None:
        return [*["–"] * 10, "none"]
    return [
        f"{summary['rss_load'] / 1e6:.0f}",
        *(f"{summary[key]:.1f}" for key in ("p50", "p95", "p99")),
        f"{summary['delivered_share']:.1%}",
        f"{summary['cpu_us']:.1f}",
        *(f"{summary[key]:.2f}" for key in ("server_share", "receiver_share", "others_share")),
        f"{summary['samples']}",
        f"{summary['valid']} of {summary['rounds']}",
    ]


def targets(opened: Openings, found: Summaries) -> list[dict[str, Any]]:
    """Each target with what was measured, None where a side is missing."""
    rows = []
    for connections, row in opened.items():
        one, two = row.get("wsctl"), row.get("node")
        ratio = quotient(one, two, "opened_per_s")
        what = f"{connections} connections: opened per second ≥ {OPENING_RATIO:g} × node"
        rows.append(target(what, ratio, ratio and ratio >= OPENING_RATIO, busy(one, two)))
        ratio = quotient(one, two, "opened_us")
        rows.append(target(f"{connections} connections: server CPU per connection ÷ node's", ratio, None))
        rows.append(size_target(f"{connections} connections: idle RSS", quotient(one, two, "rss_idle")))
    for (connections, messages), row in found.items():
        one, two = row.get("wsctl"), row.get("node")
        where = f"{connections} connections, {messages}/s"
        rows.append(size_target(f"{where}: RSS", quotient(one, two, "rss_load")))
        met = one and one["p95"] < P95_MS
        rows.append(target(f"{where}: P95 < {P95_MS:g} ms", one and one["p95"], met, busy(one)))
        rows.append(target(f"{where}: P95 ÷ node's", quotient(one, two, "p95"), None))
    return rows


def busy(*sides: Summary) -> float:
    """The largest share of a core that others used beside one of the measured."""
    return max((side["others_share"] for side in sides if side), default=0.0)


def size_target(what: str, ratio: float | None) -> dict[str, Any]:
    """A resident size against Node's."""
    return target(f"{what} ≤ {RSS_RATIO:g} × node", ratio, ratio and ratio <= RSS_RATIO)


def quotient(one: Summary, two: Summary, key: str) -> float | None:
    """One figure of the first over that of the second; None where one is missing."""
    if one is None or two is None or one[key] is None or two[key] is None:
        return None
    return one[key] / two[key]


def target(text: str, measured: float | None, met: bool | None, others: float = 0.0) -> dict[str, Any]:
    """One line of the verdicts; a target missed beside others who were busy is to be measured again."""
    return {"target": text, "measured": measured, "met": met, "others": others}


def report(options: argparse.Namespace, rounds: list[Round], absent: dict[str, str]) -> dict[str, Any]:
    """Print the tables; return everything for the JSON file."""
    found = summaries(options, rounds)
    opened = opening_summaries(options, rounds)
    judged = targets(opened, found)
    print(f"\n{opening_table(opened)}\n\n{figures_table(found)}")
    for name, cause in absent.items():
        print(f"{name} is absent: {cause}")
    print()
    print(targets_table(judged))
    return {
        **facts(options),
        "opening": opened,
        "cells": [
            {"connections": cell[0], "messages_per_s": cell[1], "contenders": row} for cell, row in found.items()
        ],
        "absent": absent,
        "targets": judged,
        "rounds": rounds,
    }


def targets_table(judged: list[dict[str, Any]]) -> str:
    """One line per target."""
    rows = [["target", "measured", ""]]
    for entry in judged:
        measured = "–" if entry["measured"] is None else f"{entry['measured']:.2f}"
        word = verdict(entry["met"], entry["measured"])
        if entry["met"] is False and entry["others"] > BUSY:
            word += f", but others used {entry['others']:.1f} cores"
        rows.append([entry["target"], f"{measured:>8}", word])
    return aligned(rows, left=3)


if __name__ == "__main__":
    sys.exit(main())

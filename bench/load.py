"""What a load tool costs per message it receives: wsctl load beside Locust's own Socket.IO user, Artillery and k6.

The same `wsctl serve` for all, in interleaved rounds, each a fresh server and a fresh tool with all its processes; then
what `wsctl load` itself holds. See README.md for how to read them.
"""

import argparse
import json
import signal
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from bench.contenders import CONTENDERS, ContenderError, Load, Running, running
from bench.holding import Held, held_rounds, held_tables
from bench.receivers import Meter, machine_cpu
from bench.runs import (
    TOLERANCE,
    at_least_zero,
    facts,
    listed,
    machine,
    one_of,
    positive,
    raise_file_limit,
    talk,
    whole,
)
from bench.table import Round, aligned, verdict
from bench.tools import TOOLS, Bout, Tool, connections, delivered, loading, tool_versions

TARGETS = (("wsctl", "k6", 1 / 6), ("wsctl", "locust", 1 / 8), ("wsctl", "artillery", 1 / 2))
"""CPU per received message of the first, divided by the second's, at most"""


def main() -> int:
    """0 measured, 1 nothing valid measured, 130 interrupted."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that children are ended
    raise_file_limit(max([options.clients, *options.hold]))
    asked = options.clients * options.rate
    print(f"{options.clients} connections × {options.rate:g}/s = {asked:g} messages/s on one symbol, loopback")
    print(f"{options.rounds} rounds × {options.seconds:g} s (warm-up {options.warmup:g} s), seed {options.seed}")
    print(machine())
    print(", ".join(f"{name} {number}" for name, number in tool_versions().items()), flush=True)
    rounds: dict[str, list[Round]] = {name: [] for name in options.contenders}
    alone: dict[str, Round] = {}
    absent: dict[str, str] = {}
    held: list[Held] = []
    interrupted = False
    try:
        run_rounds(options, rounds, alone, absent)
        held_rounds(options, held)
    except KeyboardInterrupt:
        interrupted = True
        talk("interrupted; what follows are the rounds measured so far")
    result = report(options, rounds, alone, absent, held)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    if interrupted:
        return 130
    return 0 if any(result["contenders"].values()) or any(not entry["problem"] for entry in held) else 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    names = listed(one_of(list(TOOLS)))
    parser.add_argument("--clients", type=whole, default=500, help="connections (%(default)s)")
    parser.add_argument("--rate", type=positive, default=20.0, help="messages per second to each (%(default)g)")
    parser.add_argument("--rounds", type=whole, default=3, help="rounds per contender (%(default)s)")
    parser.add_argument("--seconds", type=positive, default=10.0, help="measured window (%(default)g)")
    parser.add_argument("--warmup", type=at_least_zero, default=3.0, help="seconds before it (%(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="of the prices (%(default)s)")
    parser.add_argument("--contenders", type=names, default=list(TOOLS), help=",".join(TOOLS))
    parser.add_argument("--hold", type=listed(int), default=[10_000], help="connections to hold in the end; 0: none")
    parser.add_argument("--messages", type=listed(whole), default=[10_000, 30_000], help="per second, of those held")
    parser.add_argument("--hold-seconds", type=positive, default=20.0, help="for so long (%(default)g)")
    parser.add_argument("--connect-rate", type=whole, default=5_000, help="of those held (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there as well")
    return parser.parse_args()


def run_rounds(
    options: argparse.Namespace, rounds: dict[str, list[Round]], alone: dict[str, Round], absent: dict[str, str]
) -> None:
    """Interleaved, so that the machine's drift meets all alike; before them each with one connection."""
    absent |= {name: cause for name in options.contenders if (cause := TOOLS[name].absent()) is not None}
    there = [name for name in options.contenders if name not in absent]
    for name in there:
        entry = run_round(TOOLS[name], options, 1)
        talk(f"alone    {name:9} {describe(entry)}")
        if not entry["problem"]:
            alone[name] = entry
    for number in range(1, options.rounds + 1):
        for name in there:
            entry = run_round(TOOLS[name], options, options.clients)
            rounds[name].append(entry)
            talk(f"round {number}  {name:9} {describe(entry)}")


def run_round(tool: Tool, options: argparse.Namespace, clients: int) -> Round:
    """One window, judged."""
    load = Load(clients, options.rate, options.seed)
    try:
        with running(CONTENDERS["wsctl"], load) as server, loading(tool, server, clients) as bout:
            time.sleep(options.warmup)
            server_meter = Meter(server.pid)
            before = instant(tool, bout, server_meter)
            time.sleep(options.seconds)
            entry = summary(before, instant(tool, bout, server_meter), counts=tool.counts)
            entry["rss"] = bout.meter.rss()
            entry["problem"] = problem(entry, server, load)
    except ContenderError as error:
        return {"problem": str(error)}
    return entry


def instant(tool: Tool, bout: Bout, server: Meter) -> Round:
    """Everything that is read at one end of the window."""
    reading = tool.read(bout)
    return {
        "at": time.monotonic(),
        "sent": delivered(bout.server),
        "server": server.cpu(),
        "machine": machine_cpu(),
        "tool": bout.meter.cpu(),
        "reading": reading,
    }


def summary(before: Round, after: Round, *, counts: bool) -> Round:
    """What happened between two instants; shares of CPU count 1.0 for a core.

    Of a tool that does not count itself what it received is what was sent: its share of it would say nothing.
    """
    seconds = after["at"] - before["at"]
    spent = {key: (after[key] - before[key]) / seconds for key in ("sent", "server", "machine", "tool")}
    early, late = before["reading"], after["reading"]
    received_per_s = (late.messages - early.messages) / max(late.at - early.at, 1e-9)
    return {
        "sent_per_s": spent["sent"],
        "received_per_s": received_per_s,
        "received_share": received_per_s / max(spent["sent"], 1e-9) if counts else None,
        "cpu_us": (late.cpu - early.cpu) / max(late.messages - early.messages, 1) * 1e6,
        "tool_share": spent["tool"],
        "server_share": spent["server"],
        "others_share": max(0.0, spent["machine"] - spent["server"] - spent["tool"]),
    }


def problem(entry: Round, server: Running, load: Load) -> str | None:
    """Why a round does not count, or None. Who falls behind is measured: it costs what it costs."""
    asked = load.clients * load.rate
    if (left := connections(server)) < load.clients:
        return f"{left:g} of {load.clients} connections left"
    if abs(entry["sent_per_s"] / asked - 1) > TOLERANCE:
        return f"{entry['sent_per_s'] / asked:.0%} of the asked messages sent"
    return None


def describe(entry: Round) -> str:
    """One round in one line."""
    if "cpu_us" not in entry:
        return f"invalid: {entry['problem']}"
    line = (
        f"{entry['cpu_us']:7.2f} µs/msg  {share(entry['received_share'])} of {entry['sent_per_s']:.0f} msg/s received"
        f"  cores: tool {entry['tool_share']:.2f}, server {entry['server_share']:.2f},"
        f" others {entry['others_share']:.2f}  RSS {entry['rss'] / 1e6:.0f} MB"
    )
    return f"{line}  invalid: {entry['problem']}" if entry["problem"] else line


def summarise(rounds: list[Round], alone: Round | None, clients: int) -> dict[str, Any] | None:
    """Medians over the valid rounds of one tool; None without any."""
    valid = [entry for entry in rounds if not entry["problem"]]
    if not valid:
        return None
    keys = ("cpu_us", "received_per_s", "tool_share", "others_share", "rss")
    middle = {key: median(entry[key] for entry in valid) for key in keys}
    shares = [entry["received_share"] for entry in valid if entry["received_share"] is not None]
    spread = [entry["cpu_us"] for entry in valid]
    each = (middle["rss"] - alone["rss"]) / (clients - 1) if alone and clients > 1 else None
    return {
        **middle,
        "received_share": median(shares) if shares else None,
        "rss_each": each,
        "cpu_us_min": min(spread),
        "cpu_us_max": max(spread),
        "valid": len(valid),
        "rounds": len(rounds),
    }


def report(
    options: argparse.Namespace,
    rounds: dict[str, list[Round]],
    alone: dict[str, Round],
    absent: dict[str, str],
    held: list[Held],
) -> dict[str, Any]:
    """Print the tables; return everything for the JSON file."""
    found = {name: summarise(entries, alone.get(name), options.clients) for name, entries in rounds.items()}
    print(f"\n{figures_table(found)}")
    for name, cause in absent.items():
        print(f"{name} is absent: {cause}")
    ratios = [ratio(found, *target) for target in TARGETS if target[0] in found and target[1] in found]
    rows = [["target", "measured", ""]]
    for entry in ratios:
        measured = "–" if entry["ratio"] is None else f"{entry['ratio']:.3f} (1/{1 / entry['ratio']:.1f})"
        rows.append([entry["target"], measured, verdict(entry["met"], entry["ratio"])])
    print(f"\n{aligned(rows, left=1)}")
    if held:
        print(f"\n{held_tables(held)}")
    return {
        **facts(options),
        "tools": tool_versions(),
        "contenders": found,
        "absent": absent,
        "ratios": ratios,
        "held": held,
        "alone": alone,
        "rounds": rounds,
    }


def figures_table(found: dict[str, dict[str, Any] | None]) -> str:
    """One line per tool."""
    head = ["tool", "", "records", "CPU µs/msg", "min–max", "received", "cores", "RSS MB", "KB each", "valid rounds"]
    rows = [[name, TOOLS[name].title, TOOLS[name].records, *figures(one)] for name, one in found.items()]
    return aligned([head, *rows], left=3)


def figures(summary: dict[str, Any] | None) -> list[str]:
    """The cells of one line."""
    if summary is None:
        return [*["–"] * 6, "none"]
    return [
        f"{summary['cpu_us']:.2f}",
        f"{summary['cpu_us_min']:.2f}–{summary['cpu_us_max']:.2f}",
        share(summary["received_share"]),
        f"{summary['tool_share']:.2f}",
        f"{summary['rss'] / 1e6:.0f}",
        "–" if summary["rss_each"] is None else f"{summary['rss_each'] / 1e3:.1f}",
        f"{summary['valid']} of {summary['rounds']}",
    ]


def share(value: float | None) -> str:
    """A share in percent; a dash where it was not measured."""
    return "–" if value is None else f"{value:.0%}"


def ratio(found: dict[str, dict[str, Any] | None], name: str, other: str, bound: float) -> dict[str, Any]:
    """One target with its measured ratio, None where a side is missing."""
    one, two = found[name], found[other]
    measured = one["cpu_us"] / two["cpu_us"] if one and two else None
    met = None if measured is None else measured <= bound
    return {"target": f"{name} ≤ 1/{1 / bound:.0f} × {other}", "ratio": measured, "met": met}


if __name__ == "__main__":
    sys.exit(main())

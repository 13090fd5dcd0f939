"""CPU per message received, parsed, sequence-checked and latency-counted: wsctl's swarm beside the stock clients.

The same feed (`wsctl serve`) for all, in interleaved rounds, each a fresh server and a fresh client process; prints
medians and ratios, then how many connections the swarm holds. See README.md for how to read them.
"""

import argparse
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.contenders import CONTENDERS, ROOT, SYMBOLS, ContenderError, Load, running
from bench.receivers import Meter
from bench.runs import (
    SATURATED,
    TOLERANCE,
    at_least_zero,
    facts,
    listed,
    machine,
    measured_by_command,
    one_of,
    positive,
    raise_file_limit,
    talk,
    whole,
)
from bench.table import Round, aligned, verdict

OVERHEAD = 120.0  # seconds that a listener may take beside warm-up and window
LARGEST_RSS = 40e3  # bytes per connection
TARGETS = (("swarm", "stock", 0.33), ("swarm", "node", 0.75))
"""CPU per message of the first, divided by the second's, at most"""


@dataclass(frozen=True)
class Listener:
    """A client process; the arguments of listeners/arguments.py are added."""

    name: str
    title: str
    command: tuple[str, ...]


LISTENERS = {
    listener.name: listener
    for listener in (
        Listener("swarm", "wsctl's swarm", (sys.executable, "-m", "bench.listeners.swarm")),
        Listener("stock", "python-socketio's AsyncClient", (sys.executable, "-m", "bench.listeners.stock_socketio")),
        Listener("node", "Node's socket.io-client", ("node", str(ROOT / "bench/listeners/node_socketio.mjs"))),
    )
}


def main() -> int:
    """0 measured, 1 nothing valid measured, 130 interrupted."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that children are ended
    raise_file_limit(options.hold)
    asked = options.clients * options.rate
    print(f"{options.clients} connections × {options.rate:g}/s = {asked:g} messages/s on one symbol, loopback")
    print(f"{options.rounds} rounds × {options.seconds:g} s (warm-up {options.warmup:g} s), seed {options.seed}")
    print(machine(), flush=True)
    rounds: dict[str, list[Round]] = {name: [] for name in options.contenders}
    held: Round | None = None
    interrupted = False
    try:
        run_rounds(options, rounds)
        held = hold(options) if options.hold else None
    except KeyboardInterrupt:
        interrupted = True
        talk("interrupted; what follows are the rounds measured so far")
    result = report(options, rounds, held)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    if interrupted:
        return 130
    return 0 if any(result["contenders"].values()) else 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.clients", description=__doc__)
    names = listed(one_of(list(LISTENERS)))
    parser.add_argument("--clients", type=whole, default=200, help="connections (%(default)s)")
    parser.add_argument("--rate", type=positive, default=20.0, help="updates per second (%(default)g)")
    parser.add_argument("--rounds", type=whole, default=5, help="rounds per contender (%(default)s)")
    parser.add_argument("--seconds", type=positive, default=5.0, help="measured window (%(default)g)")
    parser.add_argument("--warmup", type=at_least_zero, default=1.0, help="seconds before it (%(default)g)")
    parser.add_argument("--hold", type=int, default=5000, help="connections to hold in the end; 0: none (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the prices (%(default)s)")
    parser.add_argument("--contenders", type=names, default=list(LISTENERS), help=",".join(LISTENERS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there as well")
    return parser.parse_args()


def run_rounds(options: argparse.Namespace, rounds: dict[str, list[Round]]) -> None:
    """Interleaved, so that the machine's drift meets all alike."""
    for number in range(1, options.rounds + 1):
        for name in options.contenders:
            entry = run_round(LISTENERS[name], options, Load(options.clients, options.rate, options.seed))
            rounds[name].append(entry)
            talk(f"round {number}  {name:6} {describe(entry)}")


def run_round(listener: Listener, options: argparse.Namespace, load: Load) -> Round:
    """One window of one listener, judged; `rate` of the load is per connection."""
    per_symbol = Load(load.clients, load.rate, load.seed, load.symbols)
    try:
        with running(CONTENDERS["wsctl"], per_symbol) as server:
            told = ["--url", server.url, "--clients", str(load.clients), "--symbols", ",".join(load.symbols)]
            told += ["--warmup", f"{options.warmup:g}", "--seconds", f"{options.seconds:g}"]
            entry = measured_by_command([*listener.command, *told], options.warmup + options.seconds + OVERHEAD)
            server_rss = Meter(server.pid).rss()
    except ContenderError as error:
        return {"problem": str(error)}
    if "error" in entry:
        return {"problem": entry["error"]}
    entry["server_rss"] = server_rss
    entry["received_per_s"] = entry["messages"] / entry["seconds"]
    entry["cpu_us"] = entry["cpu_seconds"] / max(entry["messages"], 1) * 1e6
    entry["share"] = entry["cpu_seconds"] / entry["seconds"]
    entry["problem"] = problem(entry, load)
    return entry


def problem(entry: Round, load: Load) -> str | None:
    """Why a round does not count, or None."""
    asked = load.clients * load.rate
    received = entry["received_per_s"] / asked
    if entry["receiving"] < load.clients:
        return f"{entry['receiving']:g} of {load.clients} receiving"
    if entry["share"] > SATURATED:
        return f"saturated at {entry['share']:.2f} cores"
    if abs(received - 1) > TOLERANCE:
        return f"{received:.0%} of the asked messages received"
    if entry["missing"]:
        return f"{entry['missing']:g} messages missing"
    return None


def hold(options: argparse.Namespace) -> Round:
    """Many connections over twenty symbols, and what one alone takes, to tell what each adds."""
    swarm = LISTENERS["swarm"]
    alone = run_round(swarm, options, Load(1, 2.0, options.seed, SYMBOLS[:1]))
    entry = run_round(swarm, options, Load(options.hold, 2.0, options.seed, SYMBOLS))
    if not alone["problem"] and "rss" in entry:
        entry["rss_each"] = (entry["rss"] - alone["rss"]) / options.hold
    talk(f"hold      swarm  {describe(entry)}")
    return entry


def describe(entry: Round) -> str:
    """One round in one line."""
    if "cpu_us" not in entry:
        return f"invalid: {entry['problem']}"
    line = f"{entry['cpu_us']:7.2f} µs/msg  {entry['received_per_s']:6.0f} msg/s  {entry['share']:.2f} cores"
    return f"{line}  invalid: {entry['problem']}" if entry["problem"] else line


def summarise(rounds: list[Round]) -> dict[str, Any] | None:
    """Medians over the valid rounds of one listener; None without any."""
    valid = [entry for entry in rounds if not entry["problem"]]
    if not valid:
        return None
    keys = ("cpu_us", "received_per_s", "rss", "p50", "p95", "opened_per_s")
    middle = {key: median(entry[key] for entry in valid) for key in keys}
    spread = [entry["cpu_us"] for entry in valid]
    return {
        **middle,
        "cpu_us_min": min(spread),
        "cpu_us_max": max(spread),
        "valid": len(valid),
        "rounds": len(rounds),
    }


def report(options: argparse.Namespace, rounds: dict[str, list[Round]], held: Round | None) -> dict[str, Any]:
    """Print the tables; return everything for the JSON file."""
    found = {name: summarise(entries) for name, entries in rounds.items()}
    print(f"\n{figures_table(found)}")
    ratios = [ratio(found, *target) for target in TARGETS if target[0] in found and target[1] in found]
    rows = [["target", "measured", ""]]
    for entry in ratios:
        measured = "–" if entry["ratio"] is None else f"{entry['ratio']:.3f}"
        rows.append([entry["target"], measured, verdict(entry["met"], entry["ratio"])])
    print(f"\n{aligned(rows, left=1)}")
    if held is not None:
        print(f"\n{held_table(options, held)}")
    return {**facts(options), "contenders": found, "ratios": ratios, "held": held, "rounds": rounds}


def figures_table(found: dict[str, dict[str, Any] | None]) -> str:
    """One line per listener."""
    head = ["listener", "", "CPU µs/msg", "min–max", "msg/s", "P50 ms", "P95 ms", "RSS MB", "opened/s", "valid rounds"]
    return aligned([head, *([name, LISTENERS[name].title, *figures(one)] for name, one in found.items())], left=2)


def figures(summary: dict[str, Any] | None) -> list[str]:
    """The cells of one line."""
    if summary is None:
        return [*["–"] * 7, "none"]
    return [
        f"{summary['cpu_us']:.2f}",
        f"{summary['cpu_us_min']:.2f}–{summary['cpu_us_max']:.2f}",
        f"{summary['received_per_s']:.0f}",
        f"{summary['p50'] * 1000:.1f}",
        f"{summary['p95'] * 1000:.1f}",
        f"{summary['rss'] / 1e6:.0f}",
        f"{summary['opened_per_s']:.0f}",
        f"{summary['valid']} of {summary['rounds']}",
    ]


def ratio(found: dict[str, dict[str, Any] | None], name: str, other: str, bound: float) -> dict[str, Any]:
    """One target with its measured ratio, None where a side is missing."""
    one, two = found[name], found[other]
    measured = one["cpu_us"] / two["cpu_us"] if one and two else None
    met = None if measured is None else measured <= bound
    return {"target": f"{name} ≤ {bound:g} × {other}", "ratio": measured, "met": met}


def held_table(options: argparse.Namespace, held: Round) -> str:
    """What holding many connections takes."""
    if held["problem"]:
        return f"{options.hold} connections held: {held['problem']}"
    each = held.get("rss_each")
    bound = verdict(each <= LARGEST_RSS, each) if each is not None else ""
    rows = [
        ["held", "opened/s", "msg/s", "CPU µs/msg", "cores", "P95 ms", "lag p99 ms", "RSS MB", "KB each", "≤ 40 KB"],
        [
            f"{options.hold} connections, 20 symbols",
            f"{held['opened_per_s']:.0f}",
            f"{held['received_per_s']:.0f}",
            f"{held['cpu_us']:.2f}",
            f"{held['share']:.2f}",
            f"{held['p95'] * 1000:.1f}",
            f"{held['lag'] * 1000:.1f}",
            f"{held['rss'] / 1e6:.0f}",
            "–" if each is None else f"{each / 1e3:.1f}",
            bound,
        ],
    ]
    return aligned(rows, left=1)


if __name__ == "__main__":
    sys.exit(main())

"""CPU per delivered message of a fan-out server: wsctl serve beside bare send(), python-socketio and Node.

All contenders in one run, in interleaved rounds, each a fresh server with N subscribers of one room; prints
medians and ratios. See README.md for how to read them.
"""

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

from bench.contenders import CONTENDERS, Contender, ContenderError, Load, Running, running
from bench.runs import (
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
from bench.table import Round, medians_table, ratios, ratios_table, summarise

OVERHEAD = 90.0  # seconds that a receiver may take beside warm-up and window
NAMES = listed(one_of(list(CONTENDERS)))


def main() -> int:
    """0 measured, 1 nothing valid measured, 130 interrupted."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that children are ended
    raise_file_limit(options.clients)
    print_setting(options)
    rounds: dict[str, list[Round]] = {name: [] for name in options.contenders}
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
    return 0 if any(result["contenders"].values()) else 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.fanout", description=__doc__)
    parser.add_argument("--clients", type=whole, default=500, help="subscribers (%(default)s)")
    parser.add_argument("--rate", type=positive, default=20.0, help="updates per second (%(default)g)")
    parser.add_argument("--rounds", type=whole, default=5, help="rounds per contender (%(default)s)")
    parser.add_argument("--seconds", type=positive, default=5.0, help="measured window (%(default)g)")
    parser.add_argument("--warmup", type=positive, default=1.0, help="seconds before it (%(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="of wsctl's prices (%(default)s)")
    parser.add_argument("--contenders", type=NAMES, default=list(CONTENDERS), help=",".join(CONTENDERS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there as well")
    return parser.parse_args()


def print_setting(options: argparse.Namespace) -> None:
    """Everything needed to judge or repeat the run."""
    asked = options.clients * options.rate
    print(f"{options.clients} subscribers × {options.rate:g}/s = {asked:g} messages/s, one room, loopback")
    print(f"{options.rounds} rounds × {options.seconds:g} s (warm-up {options.warmup:g} s), seed {options.seed}")
    print(machine(), flush=True)


def run_rounds(options: argparse.Namespace, rounds: dict[str, list[Round]], absent: dict[str, str]) -> None:
    """Interleaved, so that the machine's drift meets all alike.

    Who cannot start the first time is absent and not asked again; later it is an invalid round.
    """
    for number in range(1, options.rounds + 1):
        for name in options.contenders:
            if name in absent:
                continue
            try:
                entry = run_round(CONTENDERS[name], options)
            except ContenderError as error:
                if not rounds[name]:
                    absent[name] = str(error)
                    talk(f"round {number}  {name:6} absent: {error}")
                    continue
                entry = {"problem": str(error)}
            rounds[name].append(entry)
            talk(f"round {number}  {name:6} {describe(entry)}")


def run_round(contender: Contender, options: argparse.Namespace) -> Round:
    """One window of one contender."""
    load = Load(options.clients, options.rate, options.seed)
    with running(contender, load) as server:
        entry = receive(contender, server, options)
    if "error" in entry:
        return {"problem": entry["error"]}
    entry["delivered_per_s"] = entry["messages"] / entry["seconds"]
    entry["cpu_us"] = entry["cpu_seconds"] / max(entry["messages"], 1) * 1e6
    entry["problem"] = problem(entry, options.clients, options.clients * options.rate)
    return entry


def receive(contender: Contender, server: Running, options: argparse.Namespace) -> dict[str, Any]:
    """What the receiver process measured, or {"error"}."""
    arguments = ["--pid", str(server.pid), "--url", server.websocket_url(socketio=contender.socketio)]
    arguments += [] if contender.socketio else ["--raw"]
    for name in ("clients", "rate", "warmup", "seconds"):
        arguments += [f"--{name}", str(getattr(options, name))]
    return measured_by("bench.receivers", arguments, options.warmup + options.seconds + OVERHEAD)


def describe(entry: Round) -> str:
    """One round in one line."""
    if "cpu_us" not in entry:
        return f"invalid: {entry['problem']}"
    cores = ", ".join(f"{who} {entry[f'{who}_share']:.2f}" for who in ("server", "receiver", "others"))
    line = f"{entry['cpu_us']:6.2f} µs/msg  {entry['delivered_per_s']:6.0f} msg/s  cores: {cores}"
    return f"{line}  invalid: {entry['problem']}" if entry["problem"] else line


def report(options: argparse.Namespace, rounds: dict[str, list[Round]], absent: dict[str, str]) -> dict[str, Any]:
    """Print the tables; return everything for the JSON file."""
    summaries = {name: summarise(entries) for name, entries in rounds.items()}
    found = ratios(summaries)
    print()
    print(medians_table({name: CONTENDERS[name].title for name in rounds}, summaries))
    for name, cause in absent.items():
        print(f"{name} is absent: {cause}")
    print()
    print(ratios_table(found))
    return {
        **facts(options),
        "contenders": summaries,
        "absent": absent,
        "ratios": found,
        "rounds": rounds,
    }


if __name__ == "__main__":
    sys.exit(main())

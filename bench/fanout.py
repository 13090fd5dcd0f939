"""CPU per delivered message of a fan-out server: wsctl serve beside bare send(), python-socketio and Node.

All contenders in one run, in interleaved rounds, each a fresh server with N subscribers of one room; prints
medians and ratios. See README.md for how to read them.
"""

import argparse
import contextlib
import json
import platform
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from bench.contenders import (
    CONTENDERS,
    Contender,
    ContenderError,
    Load,
    Running,
    running,
    start,
    stop,
    versions,
)
from bench.table import Round, medians_table, ratios, ratios_table, summarise

TOLERANCE = 0.05  # of the asked message rate; outside of it a round is invalid
SATURATED = 0.9  # of a core; a receiver beyond it would be what was measured
OVERHEAD = 90.0  # seconds that a receiver may take beside warm-up and window


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
    parser.add_argument("--clients", type=_whole, default=500, help="subscribers (%(default)s)")
    parser.add_argument("--rate", type=_positive, default=20.0, help="updates per second (%(default)g)")
    parser.add_argument("--rounds", type=_whole, default=5, help="rounds per contender (%(default)s)")
    parser.add_argument("--seconds", type=_positive, default=5.0, help="measured window (%(default)g)")
    parser.add_argument("--warmup", type=_positive, default=1.0, help="seconds before it (%(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="of wsctl's prices (%(default)s)")
    parser.add_argument("--contenders", type=_names, default=list(CONTENDERS), help=",".join(CONTENDERS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there as well")
    return parser.parse_args()


def _whole(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _positive(text: str) -> float:
    if not (number := float(text)) > 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in CONTENDERS]:
        raise argparse.ArgumentTypeError(f"no contender {unknown[0]!r}; there are {', '.join(CONTENDERS)}")
    return names


def raise_file_limit(clients: int) -> None:
    """Soft limit to the hard limit, for this process and the children that inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # an unlimited hard limit may be refused
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < clients + 100:
        talk(f"open-file limit is {soft}, too low for {clients} clients; rounds may fail")


def print_setting(options: argparse.Namespace) -> None:
    """Everything needed to judge or repeat the run."""
    asked = options.clients * options.rate
    machine = f"{psutil.cpu_count()} cores, {platform.system()} {platform.release()}"
    print(f"{options.clients} subscribers × {options.rate:g}/s = {asked:g} messages/s, one room, loopback")
    print(f"{options.rounds} rounds × {options.seconds:g} s (warm-up {options.warmup:g} s), seed {options.seed}")
    print(f"{machine}, Python {platform.python_version()}")
    print(", ".join(f"{name} {number}" for name, number in versions().items()), flush=True)


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
    entry["problem"] = problem(entry, options)
    return entry


def receive(contender: Contender, server: Running, options: argparse.Namespace) -> dict[str, Any]:
    """What the receiver process measured, or {"error"}."""
    command = [sys.executable, "-m", "bench.receivers", "--pid", str(server.pid)]
    command += ["--url", server.websocket_url(socketio=contender.socketio)]
    command += [] if contender.socketio else ["--raw"]
    for name in ("clients", "rate", "warmup", "seconds"):
        command += [f"--{name}", str(getattr(options, name))]
    process = start(command, stdout=subprocess.PIPE)
    try:
        out, _ = process.communicate(timeout=options.warmup + options.seconds + OVERHEAD)
    except subprocess.TimeoutExpired:
        return {"error": "the receiver did not finish"}
    finally:
        stop(process)
    return json.loads(out) if out else {"error": f"the receiver exited with {process.returncode}"}


def problem(entry: Round, options: argparse.Namespace) -> str | None:
    """Why a round does not count, or None."""
    share = entry["delivered_per_s"] / (options.clients * options.rate)
    if abs(share - 1) > TOLERANCE:
        hint = ", the server is saturated" if entry["server_share"] > SATURATED else ""
        return f"{share:.0%} of the asked messages delivered{hint}"
    if entry["lost"] or entry["receiving"] < options.clients:
        return f"{entry['lost']} connections lost, {entry['receiving']} of {options.clients} receiving"
    if entry["receiver_share"] > SATURATED:
        return f"receiver saturated at {entry['receiver_share']:.2f} cores"
    return None


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
        "options": {key: value for key, value in vars(options).items() if key != "json"},
        "cores": psutil.cpu_count(),
        "versions": versions(),
        "contenders": summaries,
        "absent": absent,
        "ratios": found,
        "rounds": rounds,
    }


def talk(text: str) -> None:
    """Progress and trouble go to stderr."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

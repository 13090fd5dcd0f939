"""What the runners share: options, the machine, a measuring process and its JSON, progress."""

import argparse
import contextlib
import json
import platform
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from bench.contenders import CONTENDERS, Load, running, start, stop, versions
from bench.table import Round

TOLERANCE = 0.05  # of the asked message rate; outside of it a round is invalid
SATURATED = 0.9  # of a core; a generator beyond it would be what was measured


def whole(text: str) -> int:
    """A count, for argparse."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def positive(text: str) -> float:
    """A rate or a time, for argparse."""
    if not (number := float(text)) > 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def at_least_zero(text: str) -> float:
    """A time that may be none, for argparse."""
    if not (number := float(text)) >= 0:
        raise argparse.ArgumentTypeError("must be at least 0")
    return number


def listed(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """Several of a kind with commas between, for argparse."""

    def read(text: str) -> list[Any]:
        return [kind(part) for part in text.split(",")]

    return read


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """One of some names, for argparse."""

    def read(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"there is no {text!r}; there are {', '.join(names)}")
        return text

    return read


def raise_file_limit(clients: int) -> None:
    """Soft limit to the hard limit, for this process and the children that inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # an unlimited hard limit may be refused
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < clients + 100:
        talk(f"open-file limit is {soft}, too low for {clients} clients; rounds may fail")


def machine() -> str:
    """Everything needed to judge or repeat a run beside its options."""
    system = f"{psutil.cpu_count()} cores, {platform.system()} {platform.release()}"
    found = ", ".join(f"{name} {number}" for name, number in versions().items())
    return f"{system}, Python {platform.python_version()}\n{found}"


def facts(options: argparse.Namespace) -> dict[str, Any]:
    """The same for a JSON file."""
    asked = {key: value for key, value in vars(options).items() if key != "json"}
    return {"options": asked, "cores": psutil.cpu_count(), "versions": versions()}


def measured_by(module: str, arguments: Sequence[str], seconds: float) -> dict[str, Any]:
    """The JSON that a measuring module printed, or {"error"}."""
    return measured_by_command([sys.executable, "-m", module, *arguments], seconds)


def measured_by_command(command: Sequence[str], seconds: float) -> dict[str, Any]:
    """The JSON that a measuring process printed, or {"error"}. Raises ContenderError when it cannot start."""
    process = start(command, stdout=subprocess.PIPE)
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return {"error": f"{' '.join(command[:3])} did not finish"}
    finally:
        stop(process)
    return json.loads(out) if out else {"error": f"{' '.join(command[:3])} exited with {process.returncode}"}


def served(load: Load, arguments: Sequence[str], seconds: float) -> Round:
    """What the byte counter (wire_receiver.py) measured at a fresh `wsctl serve`, judged."""
    with running(CONTENDERS["wsctl"], load) as server:
        target = ["--url", server.url, "--pid", str(server.pid)]
        target += ["--clients", str(load.clients), "--rate", f"{load.rate:g}", "--symbols", str(len(load.symbols))]
        entry = measured_by("bench.wire_receiver", [*target, *arguments], seconds)
    if "error" in entry:
        return {"problem": entry["error"]}
    entry["delivered_per_s"] = entry["messages"] / entry["seconds"]
    entry["cpu_us"] = entry["cpu_seconds"] / max(entry["messages"], 1) * 1e6
    entry["problem"] = problem(entry, load.clients, load.clients * load.rate)
    return entry


def problem(entry: Round, clients: int, asked: float) -> str | None:
    """Why a round does not count, or None; `asked` messages per second in all."""
    share = entry["delivered_per_s"] / asked
    if entry["lost"]:
        cause = f": {entry['cause']}" if entry.get("cause") else ""
        return f"{entry['lost']} connections lost{cause}"
    if entry["receiver_share"] > SATURATED:
        return f"receiver saturated at {entry['receiver_share']:.2f} cores"
    if abs(share - 1) > TOLERANCE:
        hint = ", the server is saturated" if entry["server_share"] > SATURATED else ""
        return f"{share:.0%} of the asked messages delivered{hint}"
    if entry["receiving"] < clients:
        return f"{entry['receiving']} of {clients} receiving"
    return None


def talk(text: str) -> None:
    """Progress and trouble go to stderr."""
    print(text, file=sys.stderr, flush=True)

"""Compact and deflated prices against full ones: bytes on the wire and server CPU per message of `wsctl serve`.

Compact is what a client asks for in its handshake auth, permessage-deflate what it offers in its opening
handshake to a `wsctl serve --compress`. See README.md for how to read it.
"""

import argparse
import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.contenders import WSCTL, ContenderError, Load
from bench.runs import facts, machine, positive, raise_file_limit, served, talk, whole
from bench.table import Round, aligned

COMPRESS = "--compress"
OVERHEAD = 90.0  # seconds that a round may take beside warm-up and window


@dataclass(frozen=True)
class Form:
    """One way to write prices."""

    name: str
    arguments: tuple[str, ...] = ()
    """of the receiver"""
    server: tuple[str, ...] = ()
    """further options of `wsctl serve`"""


FORMS = (
    Form("full"),
    Form("compact", ("--form", "compact")),
    Form("full, nobody deflates", (), (COMPRESS,)),
    Form("full, deflated", ("--deflate",), (COMPRESS,)),
    Form("compact, deflated", ("--form", "compact", "--deflate"), (COMPRESS,)),
)


def main() -> int:
    """0 measured, 1 nothing valid measured, 130 interrupted."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that children are ended
    raise_file_limit(options.clients)
    asked = options.clients * options.rate
    print(f"{options.clients} subscribers × {options.rate:g}/s = {asked:g} messages/s, one room, loopback")
    print(f"{options.rounds} rounds × {options.seconds:g} s (warm-up {options.warmup:g} s), seed {options.seed}")
    print(machine(), flush=True)
    absent = missing()
    rounds: dict[str, list[Round]] = {form.name: [] for form in FORMS if form.name not in absent}
    interrupted = False
    try:
        run_rounds(options, rounds)
    except KeyboardInterrupt:
        interrupted = True
        talk("interrupted; what follows are the rounds measured so far")
    found = {form.name: summarise(rounds.get(form.name, [])) for form in FORMS}
    print(f"\n{figures_table(found, absent)}")
    for cause in dict.fromkeys(absent.values()):
        print(f"absent: {cause}")
    if options.json:
        result = {**facts(options), "forms": found, "absent": absent, "rounds": rounds}
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    if interrupted:
        return 130
    return 0 if any(found.values()) else 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.forms", description=__doc__)
    parser.add_argument("--clients", type=whole, default=500, help="subscribers (%(default)s)")
    parser.add_argument("--rate", type=positive, default=20.0, help="updates per second (%(default)g)")
    parser.add_argument("--rounds", type=whole, default=5, help="rounds per form (%(default)s)")
    parser.add_argument("--every", type=whole, default=101, help="parse every k-th message (%(default)s)")
    parser.add_argument("--warmup", type=positive, default=1.0, help="seconds before the window (%(default)g)")
    parser.add_argument("--seconds", type=positive, default=3.0, help="measured window (%(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="of the prices (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there as well")
    return parser.parse_args()


def missing() -> dict[str, str]:
    """The forms that this `wsctl serve` has no option for, with the reason."""
    answer = subprocess.run([WSCTL, "serve", "--help"], capture_output=True, text=True, check=False)
    if COMPRESS in answer.stdout:
        return {}
    return {form.name: f"this wsctl serve has no {COMPRESS}" for form in FORMS if COMPRESS in form.server}


def run_rounds(options: argparse.Namespace, rounds: dict[str, list[Round]]) -> None:
    """Interleaved, so that the machine's drift meets all alike."""
    patience = options.warmup + options.seconds + OVERHEAD
    window = ["--every", str(options.every), "--warmup", f"{options.warmup:g}", "--seconds", f"{options.seconds:g}"]
    for number in range(1, options.rounds + 1):
        for form in FORMS:
            if form.name not in rounds:
                continue
            load = Load(options.clients, options.rate, options.seed, more=form.server)
            try:
                entry = served(load, [*form.arguments, *window], patience)
            except ContenderError as error:
                entry = {"problem": str(error)}
            rounds[form.name].append(entry)
            talk(f"round {number}  {form.name:21} {describe(entry)}")


def describe(entry: Round) -> str:
    """One round in one line."""
    if "cpu_us" not in entry:
        return f"invalid: {entry['problem']}"
    cores = ", ".join(f"{who} {entry[f'{who}_share']:.2f}" for who in ("server", "receiver", "others"))
    line = f"{entry['cpu_us']:6.2f} µs/msg  {entry['bytes_per_message']:.0f} bytes/msg  cores: {cores}"
    return f"{line}  invalid: {entry['problem']}" if entry["problem"] else line


def summarise(rounds: list[Round]) -> dict[str, Any] | None:
    """Medians over the valid rounds of one form; None without any."""
    valid = [entry for entry in rounds if not entry["problem"]]
    if not valid:
        return None
    middle = {key: median(entry[key] for entry in valid) for key in ("bytes_per_message", "cpu_us", "rss")}
    spread = [entry["cpu_us"] for entry in valid]
    samples = sum(entry["latency"]["samples"] for entry in valid)
    counts = {"parsed": samples, "valid": len(valid), "rounds": len(rounds)}
    return {**middle, "cpu_us_min": min(spread), "cpu_us_max": max(spread), **counts}


def figures_table(found: dict[str, dict[str, Any] | None], absent: dict[str, str]) -> str:
    """One line per form."""
    head = ["form", "bytes/msg", "÷ full", "CPU µs/msg", "min–max", "÷ full", "RSS MB", "parsed", "valid rounds"]
    full = found["full"]
    rows = [[name, *figures(summary, full, name in absent)] for name, summary in found.items()]
    return aligned([head, *rows], left=1)


def figures(summary: dict[str, Any] | None, full: dict[str, Any] | None, absent: bool) -> list[str]:
    """The cells of one line."""
    if summary is None:
        return [*["–"] * 7, "absent" if absent else "none"]
    ratios = {key: f"{summary[key] / full[key]:.2f}" if full else "–" for key in ("bytes_per_message", "cpu_us")}
    return [
        f"{summary['bytes_per_message']:.0f}",
        ratios["bytes_per_message"],
        f"{summary['cpu_us']:.2f}",
        f"{summary['cpu_us_min']:.2f}–{summary['cpu_us_max']:.2f}",
        ratios["cpu_us"],
        f"{summary['rss'] / 1e6:.0f}",
        f"{summary['parsed']}",
        f"{summary['valid']} of {summary['rounds']}",
    ]


if __name__ == "__main__":
    sys.exit(main())

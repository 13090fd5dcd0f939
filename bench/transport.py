"""WebSocket against long-polling on `wsctl serve`: bytes on the wire, latency, and the server's CPU per message.

Prints what is true here beside what platforms claim. See README.md for how to read it.
"""

import argparse
import json
import signal
import sys
from pathlib import Path
from statistics import median
from typing import Any

from bench.contenders import SYMBOLS, ContenderError, Load
from bench.runs import at_least_zero, facts, listed, machine, positive, raise_file_limit, served, talk, whole
from bench.table import Round, aligned

CARRIERS = {
    "websocket": ("--carrier", "websocket"),
    "polling": ("--carrier", "polling", "--heads", "bare"),
    "polling, browser": ("--carrier", "polling", "--heads", "browser"),
}
"""the last sends the request heads that Chrome sends"""
WEBSOCKET_MS = (10.0, 50.0)
POLLING_MS = (100.0, 500.0)
SAVED = 0.7
CLAIM = "10–50 ms over WebSocket against 100–500 ms by polling, 70 % of bandwidth saved"
OVERHEAD = 60.0  # seconds that a round may take beside warm-up and window

Case = tuple[float, float, str]
"""messages per second and client, pretended round-trip time in milliseconds, carrier"""


def main() -> int:
    """0 measured, 1 nothing valid measured, 130 interrupted."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that children are ended
    raise_file_limit(options.clients)
    print(f"{options.clients} clients, {len(SYMBOLS)} symbols in turn, one per client; every message is parsed")
    print(f"{options.rounds} rounds × {options.seconds:g} s (warm-up {options.warmup:g} s), seed {options.seed}")
    print(machine(), flush=True)
    rounds: dict[Case, list[Round]] = {case: [] for case in cases(options)}
    interrupted = False
    try:
        run_rounds(options, rounds)
    except KeyboardInterrupt:
        interrupted = True
        talk("interrupted; what follows are the rounds measured so far")
    found = {case: summarise(entries) for case, entries in rounds.items()}
    judged = claims(found)
    print(f"\n{figures_table(found)}\n\nclaimed: {CLAIM}\n{claims_table(judged)}")
    if options.json:
        options.json.write_text(json.dumps(as_json(options, rounds, found, judged), indent=2) + "\n")
    if interrupted:
        return 130
    return 0 if any(found.values()) else 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.transport", description=__doc__)
    parser.add_argument("--clients", type=whole, default=200, help="(%(default)s)")
    parser.add_argument("--rates", type=listed(positive), default=[2.0, 10.0], help="messages/s and client: 2,10")
    parser.add_argument("--rtts", type=listed(at_least_zero), default=[0.0, 50.0], help="pretended, in ms: 0,50")
    parser.add_argument("--rounds", type=whole, default=2, help="rounds per case (%(default)s)")
    parser.add_argument("--warmup", type=positive, default=1.0, help="seconds before the window (%(default)g)")
    parser.add_argument("--seconds", type=positive, default=5.0, help="measured window (%(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="of the prices (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there as well")
    return parser.parse_args()


def cases(options: argparse.Namespace) -> list[Case]:
    """What is measured, in turn."""
    return [(rate, rtt, carrier) for rate in options.rates for rtt in options.rtts for carrier in CARRIERS]


def run_rounds(options: argparse.Namespace, rounds: dict[Case, list[Round]]) -> None:
    """Interleaved, so that the machine's drift meets all alike."""
    patience = options.warmup + options.seconds + OVERHEAD
    for number in range(1, options.rounds + 1):
        for case, entries in rounds.items():
            rate, rtt, carrier = case
            arguments = [*CARRIERS[carrier], "--rtt", f"{rtt:g}", "--every", "1"]
            arguments += ["--warmup", f"{options.warmup:g}", "--seconds", f"{options.seconds:g}"]
            try:
                entry = served(Load(options.clients, rate, options.seed, SYMBOLS), arguments, patience)
            except ContenderError as error:
                entry = {"problem": str(error)}
            entries.append(entry)
            talk(f"round {number}  {rate:2g}/s  rtt {rtt:g} ms  {carrier:16} {describe(entry)}")


def describe(entry: Round) -> str:
    """One round in one line."""
    if "cpu_us" not in entry:
        return f"invalid: {entry['problem']}"
    cores = ", ".join(f"{who} {entry[f'{who}_share']:.2f}" for who in ("server", "receiver", "others"))
    line = f"{entry['cpu_us']:6.1f} µs/msg  P95 {entry['latency']['p95']:.1f} ms  cores: {cores}"
    return f"{line}  invalid: {entry['problem']}" if entry["problem"] else line


def summarise(rounds: list[Round]) -> dict[str, Any] | None:
    """Medians over the valid rounds of one case; None without any."""
    valid = [entry for entry in rounds if not entry["problem"]]
    if not valid:
        return None
    keys = (
        "bytes_per_message",
        "sent_per_message",
        "cpu_us",
        "delivered_per_s",
        "server_share",
        "receiver_share",
        "others_share",
    )
    middle = {key: median(entry[key] for entry in valid) for key in keys}
    middle |= {key: median(entry["latency"][key] for entry in valid) for key in ("p50", "p95")}
    middle["both_per_message"] = middle["bytes_per_message"] + middle["sent_per_message"]
    middle["per_poll"] = median(entry["messages"] / entry["polls"] if entry["polls"] else 0.0 for entry in valid)
    samples = sum(entry["latency"]["samples"] for entry in valid)
    return {**middle, "samples": samples, "valid": len(valid), "rounds": len(rounds)}


def figures_table(found: dict[Case, dict[str, Any] | None]) -> str:
    """One line per case."""
    head = ["carrier", "msg/s", "rtt ms", "bytes down", "up", "both", "P50 ms", "P95 ms", "CPU µs/msg", "msg/poll"]
    head += ["server", "receiver", "others", "samples", "valid rounds"]
    rows = [[carrier, f"{rate:g}", f"{rtt:g}", *figures(found[rate, rtt, carrier])] for rate, rtt, carrier in found]
    return aligned([head, *rows], left=1)


def figures(summary: dict[str, Any] | None) -> list[str]:
    """The cells of one line."""
    if summary is None:
        return [*["–"] * 11, "none"]
    return [
        *(f"{summary[key]:.0f}" for key in ("bytes_per_message", "sent_per_message", "both_per_message")),
        *(f"{summary[key]:.1f}" for key in ("p50", "p95", "cpu_us")),
        f"{summary['per_poll']:.2f}" if summary["per_poll"] else "–",
        *(f"{summary[key]:.2f}" for key in ("server_share", "receiver_share", "others_share")),
        f"{summary['samples']}",
        f"{summary['valid']} of {summary['rounds']}",
    ]


def claims(found: dict[Case, dict[str, Any] | None]) -> list[dict[str, Any]]:
    """Each claim with what was measured."""
    rates, rtts = (list(dict.fromkeys(case[place] for case in found)) for place in (0, 1))
    rows = [
        claim(
            f"P95 {low:g}–{high:g} ms: {carrier}, {rate:g}/s, rtt {rtt:g} ms",
            spell(found[rate, rtt, carrier], low, high),
        )
        for rate in rates
        for rtt in rtts
        for carrier, (low, high) in (("websocket", WEBSOCKET_MS), ("polling, browser", POLLING_MS))
    ]
    for rate in rates:
        for carrier in list(CARRIERS)[1:]:
            socket, polled = (found[rate, rtts[0], name] for name in ("websocket", carrier))
            rows += [] if socket is None or polled is None else savings(f"{carrier}, {rate:g}/s", socket, polled)
    return rows


def savings(where: str, socket: dict[str, Any], polled: dict[str, Any]) -> list[dict[str, Any]]:
    """What WebSocket saves against one way to poll."""
    saved = 1 - socket["both_per_message"] / polled["both_per_message"]
    holds = "holds" if saved >= SAVED else "less than claimed"
    times = polled["cpu_us"] / socket["cpu_us"]
    return [
        claim(f"{SAVED:.0%} of bytes saved: against {where}", (f"{saved:.0%}", holds)),
        claim(f"server CPU per message of {where} ÷ websocket", (f"{times:.1f}", "nothing claimed")),
    ]


def claim(what: str, measured: tuple[str, str]) -> dict[str, Any]:
    """One line of the comparison."""
    return {"claim": what, "measured": measured[0], "verdict": measured[1]}


def spell(summary: dict[str, Any] | None, low: float, high: float) -> tuple[str, str]:
    """A P95 and where it lies."""
    if summary is None:
        return "–", "not measured"
    p95 = summary["p95"]
    return f"{p95:.1f} ms", "holds" if low <= p95 <= high else "less than claimed" if p95 < low else "more than claimed"


def claims_table(judged: list[dict[str, Any]]) -> str:
    """One line per claim."""
    return aligned([["claim", "measured", ""], *(list(entry.values()) for entry in judged)], left=1)


def as_json(
    options: argparse.Namespace,
    rounds: dict[Case, list[Round]],
    found: dict[Case, dict[str, Any] | None],
    judged: list[dict[str, Any]],
) -> dict[str, Any]:
    """Everything, for later."""
    rows = [
        {"rate": case[0], "rtt_ms": case[1], "carrier": case[2], "median": found[case], "rounds": entries}
        for case, entries in rounds.items()
    ]
    return {**facts(options), "cases": rows, "claims": judged}


if __name__ == "__main__":
    sys.exit(main())

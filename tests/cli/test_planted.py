"""Planted trouble: the ordering check names exactly what a lying feed did, and nothing else."""

import json
from typing import Any

import pytest

from tests.cli.program import Program, wsctl
from tests.peers.background import Background
from tests.peers.liar import Liar

COUNTS = ("gaps", "missing", "duplicates", "reorders", "regressions", "resets", "skipped")

Findings = list[tuple[str, int, int]]

PLANS: dict[str, tuple[str, dict[str, int], Findings]] = {
    "CLEAN": ("", {}, []),
    "DROP": ("drop 7", {"gaps": 1, "missing": 1}, [("gap", 7, 7)]),
    "DROPS": (
        "drop 7-9, drop 20, drop 41-50",
        {"gaps": 3, "missing": 14},
        [("gap", 7, 9), ("gap", 20, 20), ("gap", 41, 50)],
    ),
    "REPEAT": ("repeat 12, repeat 30", {"duplicates": 2}, [("duplicate", 12, 12), ("duplicate", 30, 30)]),
    "SWAP": ("swap 15", {"reorders": 1}, [("reorder", 15, 15)]),
    "RESTART": ("restart 20", {"resets": 1}, []),
    "FALL": ("fall 30", {"regressions": 1}, [("regression", 1, 1)]),
    "ALL": (
        "drop 5, repeat 10, swap 15, restart 20, drop 23-24, repeat 30, fall 40, swap 45",
        {"gaps": 2, "missing": 3, "duplicates": 2, "reorders": 2, "regressions": 1, "resets": 1},
        [
            ("gap", 5, 5),
            ("duplicate", 10, 10),
            ("reorder", 15, 15),
            ("gap", 3, 4),
            ("duplicate", 10, 10),
            ("regression", 1, 1),
            ("reorder", 5, 5),
        ],
    ),
}


def report_of(text: str, symbol: str) -> dict[str, Any]:
    return json.loads(text)["channels"][f"symbol:{symbol}:ticker"]


def findings_of(report: dict[str, Any]) -> Findings:
    return sorted((finding["kind"], finding["first"], finding["last"]) for finding in report["findings"])


def judge(text: str, symbol: str) -> None:
    """The report on a symbol names what its plan planted."""
    _, counts, findings = PLANS[symbol]
    report = report_of(text, symbol)
    assert {name: report[name] for name in COUNTS} == {**dict.fromkeys(COUNTS, 0), **counts}
    assert findings_of(report) == sorted(findings)
    assert report["verdict"] == ("fail" if findings else "pass")
    assert report["verified_percent"] == 100.0


def recorded(url: str, count: int, *arguments: str) -> bytes:
    """What subscribe prints of so many messages."""
    result = wsctl("subscribe", *arguments, "--url", url, "--count", str(count))
    assert result.code == 0, result
    return result.out.encode()


def test_every_lie_live(background: Background) -> None:
    """A live check of eight channels, each lied on in another way, finds each lie and no other."""
    with Liar(background, {symbol: plan for symbol, (plan, _, _) in PLANS.items()}) as liar:
        result = wsctl("ordering-check", *PLANS, "--url", liar.url, "--duration", "2s", "--format", "json")
    assert (result.code, result.err) == (1, "")
    assert json.loads(result.out)["verdict"] == "fail"
    assert len(json.loads(result.out)["channels"]) == len(PLANS)
    for symbol in PLANS:
        judge(result.out, symbol)


@pytest.mark.parametrize("symbol", ["CLEAN", "RESTART", "ALL"])
def test_every_lie_recorded(background: Background, symbol: str) -> None:
    """The same through a pipe; the exit code is 1 with a finding and 0 without."""
    plan, _, findings = PLANS[symbol]
    with Liar(background, {symbol: plan}) as liar:
        lines = recorded(liar.url, liar.sent(symbol), symbol)
    result = wsctl("ordering-check", "-", "--format", "json", stdin=lines)
    judge(result.out, symbol)
    assert result.code == bool(findings)


def test_findings_in_words(background: Background) -> None:
    """The table for people lists each finding as a sentence, and the verdict."""
    with Liar(background, {"X/Y": "drop 7-9, repeat 12, swap 15"}) as liar:
        lines = recorded(liar.url, liar.sent("X/Y"), "X/Y")
    result = wsctl("ordering-check", "-", stdin=lines)
    assert result.code == 1
    for sentence in (
        "gap: seqs 7 to 9 never came on symbol:X/Y:ticker; expected between 6 and 10",
        "duplicate: seq 12 came again on symbol:X/Y:ticker; expected 13",
        "reorder: seq 15 came after 16 on symbol:X/Y:ticker; expected after 14",
        "verdict: fail",
    ):
        assert sentence in result.out


def test_summary_of_subscribe_counts_them(background: Background) -> None:
    """The summary of a watch counts what was found, and leaves out what was not."""
    with Liar(background, {"ALL": PLANS["ALL"][0]}) as liar:
        result = wsctl("subscribe", "ALL", "--url", liar.url, "--count", str(liar.sent("ALL")))
    summary = result.err.strip().split("; ")
    assert summary[2:] == ["2 gaps (3 messages)", "2 duplicates", "2 reorders", "1 regression", "1 reset"]


def test_ordered_mends_a_swap(background: Background) -> None:
    """--ordered hands swapped messages out in sequence."""
    with Liar(background, {"X/Y": "swap 15"}) as liar:
        result = wsctl("subscribe", "X/Y", "--url", liar.url, "--ordered", "--count", "60")
    assert [line["seq"] for line in result.observations] == list(range(1, 61))


def test_without_epoch(background: Background) -> None:
    """Without epochs a drop is found all the same, and a restart on one connection is a regression."""
    with Liar(background, {"X/Y": "drop 7, restart 30"}, without=("epoch",)) as liar:
        lines = recorded(liar.url, liar.sent("X/Y"), "X/Y")
    result = wsctl("ordering-check", "-", "--format", "json", stdin=lines)
    assert result.code == 1
    assert findings_of(report_of(result.out, "X/Y")) == [("gap", 7, 7), ("regression", 1, 1)]


def test_without_sequence_is_unverifiable(background: Background) -> None:
    """Without sequence numbers nothing can be verified: never a pass, exit 1, and a hint."""
    with Liar(background, {"X/Y": "drop 7"}, without=("seq",)) as liar:
        lines = recorded(liar.url, liar.sent("X/Y"), "X/Y")
    result = wsctl("ordering-check", "-", "--format", "json", stdin=lines)
    report = report_of(result.out, "X/Y")
    assert (result.code, json.loads(result.out)["verdict"], report["verdict"]) == (1, "unverifiable", "unverifiable")
    assert (report["verified_percent"], report["clean_percent"], report["findings"]) == (0.0, None, [])
    table = wsctl("ordering-check", "-", stdin=lines)
    assert table.out.endswith(
        "verdict: unverifiable (no sequence numbers where they are looked for; --seq-path says where they are)\n"
    )


def test_envelope(background: Background) -> None:
    """An envelope {seq, payload} on event `data` is understood without being told."""
    with Liar(background, {"X/Y": "drop 7-9, repeat 12, swap 15, fall 30"}, envelope=True) as liar:
        lines = recorded(liar.url, liar.sent("X/Y"), "--event", "data")
    result = wsctl("ordering-check", "-", "--format", "json", stdin=lines)
    report = json.loads(result.out)["channels"]["data"]
    assert findings_of(report) == [("duplicate", 12, 12), ("gap", 7, 9), ("regression", 1, 1), ("reorder", 15, 15)]
    assert result.code == 1


def test_seq_path(background: Background) -> None:
    """--seq-path says where the number is; at a place without one the verdict is unverifiable."""
    with Liar(background, {"X/Y": "drop 7"}, envelope=True) as liar:
        lines = recorded(liar.url, liar.sent("X/Y"), "--event", "data", "--seq-path", "payload.price")
    assert wsctl("ordering-check", "-", stdin=lines).out.splitlines()[-1].startswith("verdict: unverifiable")
    with Liar(background, {"X/Y": "drop 7"}, envelope=True) as liar:
        paths = ("--seq-path", "seq", "--channel-path", "payload.symbol")
        lines = recorded(liar.url, liar.sent("X/Y"), "--event", "data", *paths)
    result = wsctl("ordering-check", "-", "--format", "json", stdin=lines)
    assert findings_of(json.loads(result.out)["channels"]["X/Y"]) == [("gap", 7, 7)]


def test_sent_away_for_good(background: Background) -> None:
    """After `connection:closing` with `retry: false` wsctl says why and ends 3, its summary printed."""
    with Liar(background, {"X/Y": "evict 30"}) as liar:
        result = wsctl("subscribe", "X/Y", "--url", liar.url)
    assert result.code == 3
    assert len(result.observations) == 31, "thirty prices and the closing word"
    assert result.err.startswith("30 messages in ")
    assert result.err.splitlines()[-1] == "wsctl: error: the server closed this connection for good: evicted"


def test_comes_back_when_told_to(background: Background) -> None:
    """With --reconnect always it comes back; the feed went on where it was, so all is in order."""
    options = ("--reconnect", "always", "--reconnect-delay", "10ms", "--count", "62")
    with (
        Liar(background, {"X/Y": "evict 30"}) as liar,
        Program("subscribe", "X/Y", "--url", liar.url, *options) as program,
    ):
        result = program.finish()
    assert result.code == 0
    assert {line["conn"] for line in result.observations} == {"c1", "c1.2"}
    assert "connection lost: disconnected by the server (evicted); next attempt in " in result.err
    assert result.err.endswith("; 0 gaps; 1 reconnect\n")
    verdict = wsctl("ordering-check", "-", stdin=result.out.encode())
    assert (verdict.code, verdict.out.splitlines()[-1]) == (0, "verdict: pass")

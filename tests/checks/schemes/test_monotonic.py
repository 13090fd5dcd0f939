"""Numbers that rise and leave others out: Coinbase's ticker, Binance's bookTicker, states of a book."""

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checks.schemes.streams import CHANNEL, counts, judge, message
from wsctl.model.finding import Verdict
from wsctl.model.observation import Observation


def ticker(seq: int | None, trade: int = 0, **facts: Any) -> Observation:
    return message(seq, {"sequence": seq, "trade_id": trade}, event="ticker", **facts)


def tickers(*seqs: int, **facts: Any) -> list[Observation]:
    return [ticker(seq, **facts) for seq in seqs]


def depth(last: int, **facts: Any) -> Observation:
    return message(last, {"lastUpdateId": last, "bids": [["1", "2"]], "asks": []}, event="depth20", **facts)


LEGAL: dict[str, tuple[list[Observation], dict[str, int]]] = {
    "rises by any amount": (tickers(5, 6, 90, 91, 1_000_000), {}),
    "several of one number": ([ticker(5, 1), ticker(5, 2), ticker(5, 3), ticker(6, 4)], {}),
    "a state, sent again": ([depth(5), depth(5), depth(5), depth(9), depth(9)], {}),
    "a snapshot, sent again": ([message(5, {"type": "snapshot"}) for _ in range(3)], {}),
    "the last match again after a reconnection": ([*tickers(5, 9), *tickers(9, 12, conn="c1.2")], {}),
    "went on while disconnected": ([*tickers(5, 9), *tickers(50, 52, conn="c1.2")], {}),
    "numbers of its own after a reconnection": ([*tickers(5, 9), *tickers(2, 3, conn="c1.2")], {"resets": 1}),
}


@pytest.mark.parametrize("case", LEGAL)
def test_stays_silent_at_what_is_legal_and_verifies_nothing(case: str) -> None:
    stream, expected = LEGAL[case]
    report = judge(stream, "monotonic")
    assert counts(report) == expected
    assert report.findings == []
    assert (report.verdict, report.verified_percent, report.clean_percent) == (Verdict.UNVERIFIABLE, 0.0, 100.0)
    assert not report.proves_loss


PLANTED = {
    "swapped": (tickers(5, 20, 9, 30), {"regressions": 1}, 9),
    "moved back": (tickers(5, 6, 7, 8, 9, 2, 10), {"regressions": 1}, 2),
    "a burst came late": (tickers(5, 30, 9, 12, 20, 40), {"regressions": 1}, 9),
    "numbers fell for good": (tickers(50, 60, 1, 2, 3, 4), {"regressions": 1}, 1),
    "fell twice": (tickers(50, 60, 1, 2, 55, 3), {"regressions": 2}, 1),
    "last one again": (tickers(5, 9, 9, 12), {"duplicates": 1}, 9),
    "older one again": (tickers(5, 9, 12, 5, 14), {"duplicates": 1}, 5),
    "first of several again": ([ticker(5, 1), ticker(5, 2), ticker(5, 1), ticker(6, 4)], {"duplicates": 1}, 5),
    "swapped, and the higher one again": (tickers(5, 20, 9, 20, 30), {"regressions": 1, "duplicates": 1}, 9),
    "an older state again": ([depth(5), depth(9), depth(5), depth(12)], {"duplicates": 1}, 5),
}


@pytest.mark.parametrize("case", PLANTED)
def test_finds_what_was_planted_and_nothing_else(case: str) -> None:
    stream, expected, seq = PLANTED[case]
    report = judge(stream, "monotonic")
    assert counts(report) == expected
    assert report.findings[0].first == report.findings[0].last == seq
    assert report.verdict is Verdict.FAIL


def test_loss_cannot_be_seen() -> None:
    whole = tickers(*range(1, 50, 3))
    assert counts(judge(whole[:5] + whole[9:], "monotonic")) == {}


def test_says_what_came_and_what_was_expected() -> None:
    assert [finding.message for finding in judge(tickers(5, 20, 9, 9, 30), "monotonic").findings] == [
        f"seq 9 after 20 on {CHANNEL}; expected 20 or more",
        f"seq 9 came again on {CHANNEL}; expected 9 or more",
    ]


def test_numbers_that_are_absent_are_not_judged() -> None:
    report = judge([ticker(5), ticker(None), ticker(3)], "monotonic")
    assert (counts(report), report.unnumbered, report.clean_percent) == ({"regressions": 1}, 1, 50.0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=60), st.randoms())
def test_falls_and_repeats_are_told_apart(made: list[tuple[int, int]], chance: random.Random) -> None:
    rise, stream = 0, []
    for step, trade in made:
        rise += step
        stream.append((rise, trade))
    reach = chance.choice((0, 2, 30))
    moved = [stream[index] for index in sorted(range(len(stream)), key=lambda index: index + chance.uniform(0, reach))]
    fresh = [one for index, one in enumerate(moved) if one not in moved[:index]]
    falls = sum(after[0] < before[0] for before, after in pairwise(fresh))
    expected = {"duplicates": len(moved) - len(fresh), "regressions": falls}
    report = judge([ticker(seq, trade) for seq, trade in moved], "monotonic")
    assert counts(report) == {name: count for name, count in expected.items() if count}

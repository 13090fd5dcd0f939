"""Counters of others: Bybit's books, whose snapshots replace what was sent. The platform's own: test_ordering."""

from typing import Any

import pytest

from tests.checks.schemes.streams import counts, judge, message
from wsctl.model.finding import Verdict
from wsctl.model.observation import Observation


def book(u: int, kind: str = "delta", price: float = 1.0, **facts: Any) -> Observation:
    """A whole frame of Bybit's as payload; its event says nothing."""
    data = {"topic": "orderbook.50.BTCUSDT", "type": kind, "ts": u, "data": {"u": u, "seq": 7 * u, "b": [[price, 1]]}}
    return message(u, data, event="orderbook", **facts)


def books(*us: int, **facts: Any) -> list[Observation]:
    return [book(u, **facts) for u in us]


def full(u: int, price: float = 2.0, **facts: Any) -> Observation:
    return book(u, "snapshot", price, **facts)


LEGAL: dict[str, tuple[list[Observation], dict[str, int]]] = {
    "snapshot and deltas": ([full(1001), *books(1002, 1003)], {}),
    "snapshot in the middle, numbered on": ([full(1001), *books(1002), full(1003), *books(1004)], {}),
    "snapshot in the middle, further on": ([full(1001), *books(1002), full(1010), *books(1011)], {"skipped": 7}),
    "level 1: snapshots only": ([full(u, price=u) for u in range(1001, 1009)], {}),
    "level 1: the same again after 3 s without change": (
        [full(1001), full(1001, at=3.0), full(1001, at=6.0), full(1002, price=3.0, at=7.0)],
        {},
    ),
    "service restarted": ([full(1001), *books(1002), full(1), *books(2, 3)], {"resets": 1}),
    "service restarted behind a reconnection": (
        [full(1001), *books(1002), full(1, conn="c1.2"), *books(2, conn="c1.2")],
        {"resets": 1},
    ),
    "snapshot after a reconnection": (
        [full(1001), *books(1002), full(1010, conn="c1.2"), *books(1011, conn="c1.2")],
        {"skipped": 7},
    ),
    "lower snapshot after a reconnection": (
        [full(1001), *books(1002), full(500, conn="c1.2"), *books(501, conn="c1.2")],
        {"resets": 1},
    ),
    "told by the event": (
        [message(u, {"u": u}, event="snapshot" if u == 20 else "delta") for u in (10, 11, 20, 21)],
        {"skipped": 8},
    ),
    "told by an action": (
        [message(u, {"action": "snapshot" if u == 20 else "update"}) for u in (10, 11, 20, 21)],
        {"skipped": 8},
    ),
}


@pytest.mark.parametrize("case", LEGAL)
def test_stays_silent_at_what_is_legal(case: str) -> None:
    stream, expected = LEGAL[case]
    report = judge(stream, "counter")
    assert counts(report) == expected
    assert report.findings == []
    assert report.verdict is Verdict.PASS


PLANTED = {
    "delta lost": ([full(1001), *books(1002, 1004)], {"gaps": 1, "missing": 1}),
    "delta again": ([full(1001), *books(1002, 1002, 1003)], {"duplicates": 1}),
    "deltas swapped": ([full(1001), *books(1003, 1002, 1004)], {"reorders": 1}),
    "lost before a snapshot": (
        [full(1001), *books(1002, 1004), full(1008), *books(1009)],
        {"gaps": 1, "missing": 1, "skipped": 3},
    ),
    "snapshot again, late": ([full(1001), *books(1002, 1003), full(1001), *books(1004)], {"duplicates": 1}),
    "restart again, late": ([full(1), *books(2, 3), full(1), *books(4)], {"duplicates": 1}),
    "level 1: swapped": (
        [full(1001), full(1003, 3.0), full(1002, 4.0), full(1004, 5.0)],
        {"skipped": 1, "regressions": 1},
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_finds_what_was_planted_and_nothing_else(case: str) -> None:
    stream, expected = PLANTED[case]
    report = judge(stream, "counter")
    assert counts(report) == expected
    assert report.verdict is Verdict.FAIL


def test_on_the_platforms_feed_only_its_own_mark_makes_a_snapshot() -> None:
    stream = [
        Observation(0.0, "c1", "bot:7:logs", "bot:log", "e1", seq, None, None, {"type": "snapshot", "seq": seq})
        for seq in (1, 2, 4)
    ]
    assert counts(judge(stream, "counter")) == {"gaps": 1, "missing": 1}

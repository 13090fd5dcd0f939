"""Exchange times: standing still, ahead of ours, falling. Each is found where planted, and ties are legal."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsctl.checks.inversion import InversionCheck
from wsctl.checks.skew import SkewCheck
from wsctl.checks.staleness import StalenessCheck
from wsctl.model.finding import Finding
from wsctl.model.observation import Observation

T0 = 1_763_870_000.0
CHANNEL = "books:BTC-USDT"
Check = InversionCheck | SkewCheck | StalenessCheck


def seen(at: float, sent_at: float | None, seq: int | None = None, data: Any = None, **facts: Any) -> Observation:
    """Times in seconds from T0."""
    told = {"conn": "c1", "channel": CHANNEL, "event": "books", "epoch": None, **facts}
    sent = None if sent_at is None else T0 + sent_at
    return Observation(
        T0 + at,
        told["conn"],
        told["channel"],
        told["event"],
        told["epoch"],
        seq,
        sent,
        None,
        {} if data is None else data,
    )


def found_by(check: Check, stream: list[Observation]) -> list[tuple[str, float, int | None, int | None]]:
    findings: list[Finding] = [finding for observation in stream for finding in check.add(observation)]
    assert all(finding.channel == CHANNEL for finding in findings)
    return [(finding.kind, finding.at - T0, finding.first, finding.last) for finding in findings]


def ticking(seconds: int, **facts: Any) -> list[Observation]:
    """A message a second, a tenth old, numbered."""
    return [seen(at, at - 0.1, at + 1, **facts) for at in range(seconds)]


# Staleness


def stuck(since: int, until: int, seq: int | None = 100) -> list[Observation]:
    return [seen(at, since - 0.1, None if seq is None else seq + at) for at in range(since, until)]


STALE = {
    "time stands still while numbers rise": ([*ticking(5), *stuck(5, 30)], [("stale", 16.0, 105, 116)]),
    "without numbers": (stuck(0, 30, None), [("stale", 11.0, None, None)]),
    "told once, and again after it moved": (
        [*stuck(0, 20), *stuck(20, 40)],
        [("stale", 11.0, 100, 111), ("stale", 31.0, 120, 131)],
    ),
    "falls and stays below": (
        [seen(0, 50, 1), *(seen(at, at, 1 + at) for at in range(1, 20))],
        [("stale", 11.0, 1, 12)],
    ),
}


@pytest.mark.parametrize("case", STALE)
def test_stale_content_is_found(case: str) -> None:
    stream, expected = STALE[case]
    assert found_by(StalenessCheck(), stream) == expected


NOT_STALE = {
    "moves on": ticking(60),
    "a burst of one time": [seen(at / 10, 0, at) for at in range(90)],
    "silent, then on": [seen(0, 0, 1), seen(300, 300, 2), seen(900, 900, 3)],
    "a quiet book sent again with its number": [seen(3 * at, 0, 7, {"type": "snapshot"}) for at in range(60)],
    "nothing changed, says an equal number": [seen(60 * at, 0, 7) for at in range(9)],
    "snapshots of the platform": [seen(at, 0, at, {"snapshot": True}) for at in range(60)],
    "no time at all": [seen(at, None, at) for at in range(60)],
    "another channel moves on by itself": [
        seen(at, at if channel == "b" else 0, 1 if channel == "a" else at, channel=channel)
        for at in range(60)
        for channel in "ab"
    ],
    "what concerns the connection": [seen(at, 0, event="error", channel=None) for at in range(60)],
}


@pytest.mark.parametrize("case", NOT_STALE)
def test_what_is_not_stale(case: str) -> None:
    assert found_by(StalenessCheck(), NOT_STALE[case]) == []


def test_staleness_is_measured() -> None:
    check = StalenessCheck(limit=1000)
    assert check.metrics() == {}
    found_by(check, ticking(5))
    assert check.metrics() == {"staleness.max": 0.0}
    found_by(check, [*stuck(5, 30), *ticking(60)[40:]])
    assert check.metrics() == {"staleness.max": 24.0}


def test_staleness_says_how_long() -> None:
    check = StalenessCheck()
    (finding,) = [finding for observation in stuck(0, 20) for finding in check.add(observation)]
    text = f"messages came for 11.0 s on {CHANNEL}, none newer than the first; expected newer ones"
    assert finding.message == text


# Skew


SKEWED = {
    "ahead": ([seen(0, 0.5, 1)], [("skew", 0.0, 1, 1)]),
    "told once while it lasts, and again later": (
        [seen(0, 0.5), seen(1, 1.5), seen(2, 1.9), seen(3, 3.5)],
        [("skew", 0.0, None, None), ("skew", 3.0, None, None)],
    ),
    "each client": ([seen(0, 1), seen(0, 1, conn="c2")], [("skew", 0.0, None, None)] * 2),
}


@pytest.mark.parametrize("case", SKEWED)
def test_skew_is_found(case: str) -> None:
    stream, expected = SKEWED[case]
    assert found_by(SkewCheck(), stream) == expected


def test_what_clocks_may_differ_by_is_no_skew() -> None:
    check = SkewCheck(tolerance=0.25)
    assert found_by(check, [seen(0, 0), seen(1, 1.25), seen(2, -3600), seen(3, None), seen(4, 9, event="error")]) == []
    assert check.metrics() == {"clock.skew.max": 0.25}


def test_skew_is_measured_and_never_negative() -> None:
    check = SkewCheck()
    assert check.metrics() == {}
    found_by(check, [seen(0, -1)])
    assert check.metrics() == {"clock.skew.max": 0.0}
    found_by(check, [seen(1, 4), seen(2, 3)])
    assert check.metrics() == {"clock.skew.max": 3.0}


def test_skew_says_how_much() -> None:
    (finding,) = SkewCheck().add(seen(0, 0.5))
    assert finding.message == f"sent 0.500 s after it came on {CHANNEL}; expected before: the clocks differ"


# Inversion


INVERTED = {
    "falls while numbers rise": (
        [*ticking(5), seen(5, 2, 10), seen(6, 6, 11)],
        [("inversion", 5.0, 10, 10)],
    ),
    "falls again": (
        [seen(0, 9, 1), seen(1, 8, 2), seen(2, 7, 3)],
        [("inversion", 1.0, 2, 2), ("inversion", 2.0, 3, 3)],
    ),
    "numbers leave others out": ([seen(0, 9, 1), seen(1, 8, 50)], [("inversion", 1.0, 50, 50)]),
}


@pytest.mark.parametrize("case", INVERTED)
def test_inversion_is_found(case: str) -> None:
    stream, expected = INVERTED[case]
    check = InversionCheck()
    assert found_by(check, stream) == expected
    assert check.metrics() == {"ordering.time_inversions": len(expected)}


NOT_INVERTED = {
    "rises": ticking(60),
    "ties": [seen(at, 0, at) for at in range(9)],
    "came late with its number": [seen(0, 1, 1), seen(1, 3, 3), seen(2, 2, 2), seen(3, 4, 4)],
    "the same again": [seen(0, 1, 1), seen(1, 2, 2), seen(2, 1, 1)],
    "no numbers": [seen(0, 9), seen(1, 8)],
    "no times": [seen(0, 9, 1), seen(1, None, 2), seen(2, 9, 3)],
    "another epoch": [seen(0, 9, 1, epoch="a"), seen(1, 8, 2, epoch="b")],
    "another server behind a reconnection": [seen(0, 9, 1), seen(1, 8, 2, conn="c1.2")],
    "another client": [seen(0, 9, 1), seen(1, 8, 2, conn="c2")],
    "snapshots tell a later time": [seen(0, 9, 1, {"snapshot": True}), seen(1, 8, 2)],
}


@pytest.mark.parametrize("case", NOT_INVERTED)
def test_what_is_no_inversion(case: str) -> None:
    assert found_by(InversionCheck(), NOT_INVERTED[case]) == []


def test_inversions_are_no_metric_before_two_times_were_compared() -> None:
    check = InversionCheck()
    found_by(check, [seen(0, 1, 1), seen(1, 1, 1), seen(2, 3, None)])
    assert check.metrics() == {}


def test_inversion_says_by_how_much() -> None:
    check = InversionCheck()
    check.add(seen(0, 9, 1))
    (finding,) = check.add(seen(1, 8.5, 4))
    assert finding.message == f"seq 4 was sent 0.500 s before 1 on {CHANNEL}; expected after it"


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-3, 3)), max_size=50))
def test_inversions_are_the_falls_of_time_between_rises_of_the_number(made: list[tuple[int, float]]) -> None:
    stream = [seen(float(at), sent_at, seq) for at, (seq, sent_at) in enumerate(made)]
    records = [one for index, one in enumerate(made) if all(one[0] > before[0] for before in made[:index])]
    falls = sum(T0 + after[1] < T0 + before[1] for before, after in pairwise(records))
    assert len(found_by(InversionCheck(), stream)) == falls


@pytest.mark.parametrize("check", [InversionCheck(), SkewCheck(), StalenessCheck()], ids=lambda one: type(one).__name__)
def test_reconnecting_for_ever_takes_no_memory(check: Check) -> None:
    for number in range(300):
        check.add(seen(number, number + 5, number, conn=f"c1.{number + 2}"))
    (kept,) = [value for value in vars(check).values() if isinstance(value, dict | set)]
    assert len(kept) == 1

"""Latency percentiles: right within one per cent, of updates only, and absent when nothing was measured."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsctl.checks.latency import LONGEST, RELATIVE_ERROR, SHORTEST, Histogram, LatencyCheck
from wsctl.model.observation import Observation


def observe(latency_ms: float | None, name: str = "price:update", seq: int | None = 1, **data: Any) -> Observation:
    return Observation(
        received_at=1_763_870_000.0,
        conn="c1",
        channel=None if name.startswith("connection:") else "symbol:BTC/USDT:ticker",
        event=name,
        epoch="e1",
        seq=seq,
        sent_at=None,
        latency_ms=latency_ms,
        data=data,
    )


def test_reports_seconds() -> None:
    check = LatencyCheck()
    for latency_ms in range(1, 101):
        check.add(observe(float(latency_ms)))
    assert check.count == 100
    assert check.p50 == pytest.approx(0.050, rel=RELATIVE_ERROR)
    assert check.p95 == pytest.approx(0.095, rel=RELATIVE_ERROR)
    assert check.p99 == pytest.approx(0.099, rel=RELATIVE_ERROR)
    assert check.max == 0.1
    assert check.metrics() == {
        "latency.p50": check.p50,
        "latency.p95": check.p95,
        "latency.p99": check.p99,
        "latency.max": 0.1,
    }


def test_nothing_measured_is_none_and_never_zero() -> None:
    check = LatencyCheck()
    check.add(observe(None))
    assert (check.count, check.unmeasured) == (0, 1)
    assert (check.p50, check.p95, check.p99, check.max) == (None, None, None, None)
    assert check.metrics() == {}


def test_only_updates_are_samples() -> None:
    check = LatencyCheck()
    check.add(observe(900.0, snapshot=True))
    check.add(observe(900.0, s="BTC/USDT", n=1))
    check.add(observe(900.0, "channel:heartbeat", None, nextSeq=2))
    check.add(observe(900.0, "channel:skipped", None, **{"from": 1, "to": 2}))
    check.add(observe(None, snapshot=True))
    check.add(observe(None, "connection:closing", None))
    check.add(observe(None, "error", None))
    assert (check.count, check.unmeasured, check.max) == (0, 0, None)
    check.add(observe(3.0))
    assert (check.count, check.max) == (1, 0.003)


def test_one_sample_is_told_exactly() -> None:
    check = LatencyCheck()
    check.add(observe(3.36))
    assert check.p50 == check.p99 == check.max == 3.36 / 1000


@pytest.mark.parametrize("seconds", [0.0, -0.002, SHORTEST / 10, LONGEST * 3, 1e300, math.inf])
def test_beyond_its_range_a_percentile_is_the_exact_extreme(seconds: float) -> None:
    histogram = Histogram()
    histogram.record(seconds)
    assert histogram.percentile(50) == seconds


def test_a_percentile_never_understates_what_lies_beyond_the_range() -> None:
    histogram = Histogram()
    for seconds in (0.01, LONGEST + 1, LONGEST * 5):
        histogram.record(seconds)
    assert histogram.percentile(99) == LONGEST * 5


@given(
    st.lists(st.floats(SHORTEST, LONGEST, exclude_max=True), min_size=1, max_size=200),
    st.sampled_from([1, 50, 90, 95, 99, 99.9, 100]),
)
def test_is_right_within_one_per_cent(samples: list[float], percent: float) -> None:
    histogram = Histogram()
    for seconds in samples:
        histogram.record(seconds)
    exact = sorted(samples)[max(1, math.ceil(percent / 100 * len(samples))) - 1]
    assert histogram.percentile(percent) == pytest.approx(exact, rel=RELATIVE_ERROR * 1.0001)


@given(st.lists(st.floats(allow_nan=False), max_size=300))
def test_percentiles_ascend_and_memory_is_bounded(samples: list[float]) -> None:
    histogram = Histogram()
    for seconds in samples:
        histogram.record(seconds)
    told = [histogram.percentile(percent) for percent in (0, 50, 95, 99, 100)]
    if samples:
        assert told == sorted(told, key=lambda value: -math.inf if value is None else value)
        assert told[-1] is not None
        assert told[-1] <= max(samples)
    else:
        assert told == [None] * 5


def test_an_hour_by_the_microsecond_fits_into_some_thousand_buckets() -> None:
    histogram = Histogram()
    seconds = SHORTEST / 2
    while seconds < LONGEST * 2:
        histogram.record(seconds)
        seconds *= 1.005
    assert len(histogram._buckets) < 1200

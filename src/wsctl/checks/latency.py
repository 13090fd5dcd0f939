"""Latency: how long updates took, as percentiles of bounded memory."""

import math
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from wsctl.checks.sequence import is_control
from wsctl.model.observation import Kind, Observation

SHORTEST: Final = 1e-6
LONGEST: Final = 3600.0
"""seconds between which a percentile is told to RELATIVE_ERROR; beyond, it is the exact extreme"""
RELATIVE_ERROR: Final = 0.01

# A bucket holds the values from b to b * _GROWTH; the value it is read as lies within 1 % of both.
_GROWTH: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_SCALE: Final = 1 / math.log(_GROWTH)
_TOP: Final = math.ceil(math.log(LONGEST / SHORTEST) * _SCALE)


class Buckets(Struct, frozen=True):
    """A histogram as it is handed on: adding two loses nothing."""

    counts: dict[int, int]
    """by bucket"""
    min: float
    """exact, seconds"""
    max: float


class Histogram:
    """Counts of durations in buckets that grow by 2 %: at most some 1,100 of them, whatever comes."""

    __slots__ = ("_buckets", "count", "max", "min")

    def __init__(self) -> None:
        self.count = 0
        self.min = math.inf
        """exact, seconds; infinite while empty"""
        self.max = -math.inf
        """exact, seconds; minus infinite while empty"""
        self._buckets: dict[int, int] = {}

    def record(self, seconds: float) -> None:
        """Count one duration."""
        self.record_many(seconds, 1)

    def record_many(self, seconds: float, count: int) -> None:
        """Count a duration that was met `count` times."""
        self.count += count
        if seconds > self.max:
            self.max = seconds
        if seconds < self.min:
            self.min = seconds
        if seconds >= LONGEST:
            bucket = _TOP
        elif seconds >= SHORTEST:
            bucket = int(math.log(seconds / SHORTEST) * _SCALE)
        else:
            bucket = -1
        self._buckets[bucket] = self._buckets.get(bucket, 0) + count

    def add(self, buckets: Buckets) -> None:
        """Take in what another one counted."""
        for bucket, count in buckets.counts.items():
            self._buckets[bucket] = self._buckets.get(bucket, 0) + count
            self.count += count
        self.min, self.max = min(self.min, buckets.min), max(self.max, buckets.max)

    def buckets(self) -> Buckets | None:
        """What it counted; None while empty."""
        return Buckets(dict(self._buckets), self.min, self.max) if self.count else None

    def values(self) -> Iterator[tuple[float, int]]:
        """Durations, in seconds, and how often each was met: one for each bucket."""
        for bucket, count in self._buckets.items():
            yield self._value(bucket), count

    def percentile(self, percent: float) -> float | None:
        """The least duration, in seconds, that `percent` of all did not exceed; None while empty."""
        if not self.count:
            return None
        rank = max(1, math.ceil(percent / 100 * self.count))
        for bucket, count in sorted(self._buckets.items()):
            rank -= count
            if rank <= 0:
                return self._value(bucket)
        return self.max

    def metrics(self, family: str) -> dict[str, float]:
        """`FAMILY.p50`, `.p95`, `.p99`, `.max` in seconds; empty when nothing was recorded: zero would be a claim."""
        if not self.count:
            return {}
        percentiles = {f"{family}.p{percent}": self.percentile(percent) or 0.0 for percent in (50, 95, 99)}
        return {**percentiles, f"{family}.max": self.max}

    def _value(self, bucket: int) -> float:
        if bucket < 0:
            return self.min
        if bucket >= _TOP:
            return self.max
        value = SHORTEST * math.exp(bucket / _SCALE) * (1 + RELATIVE_ERROR)
        return min(max(value, self.min), self.max)


class LatencyCheck:
    """Latency of updates: received minus emitted, as their Observations say.

    Snapshots and heartbeats are never samples: they tell the state, not how long news took.
    """

    def __init__(self) -> None:
        self.unmeasured = 0
        """updates without a latency: no time in them, or clocks that cannot be compared"""
        self._histogram = Histogram()

    def add(self, observation: Observation) -> None:
        """Take in one Observation."""
        if observation.kind is not Kind.UPDATE:
            return
        latency = observation.latency_ms
        if latency is not None:
            self._histogram.record(latency / 1000)
        elif not is_control(observation):
            self.unmeasured += 1

    @property
    def count(self) -> int:
        """Updates whose latency is known."""
        return self._histogram.count

    @property
    def p50(self) -> float | None:
        """Seconds, within 1 %; None when nothing was measured."""
        return self._histogram.percentile(50)

    @property
    def p95(self) -> float | None:
        """Seconds, within 1 %; None when nothing was measured."""
        return self._histogram.percentile(95)

    @property
    def p99(self) -> float | None:
        """Seconds, within 1 %; None when nothing was measured."""
        return self._histogram.percentile(99)

    @property
    def max(self) -> float | None:
        """Seconds, exact; None when nothing was measured."""
        return self._histogram.max if self.count else None

    def metrics(self) -> dict[str, float]:
        """`latency.*` in seconds; empty when nothing was measured, for zero would be a claim."""
        return self._histogram.metrics("latency")

"""What a process counted since it last told: added to what others counted, without loss."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from wsctl.checks.latency import Buckets, Histogram
from wsctl.swarm.clocks import Basis

MOST_CAUSES: Final = 100
"""causes that are told apart; a server's words may be others each time"""
OTHER_CAUSES: Final = "other causes"


class Causes(Counter[str]):
    """Why connections failed or ended, and how often: the first MOST_CAUSES by name, the rest as one."""

    def blame(self, cause: str, times: int = 1) -> None:
        """Count one, so many times."""
        known = cause in self or len(self) < MOST_CAUSES
        self[cause if known else OTHER_CAUSES] += times


class Delta(Struct, kw_only=True):
    """Everything in it adds up but `levels` and `clock`, which are as of now."""

    counts: dict[str, int] = field(default_factory=dict)
    """by name, such as `received`, `opened`, `ordering.gaps`; one that did not move is told once"""
    channels: dict[str, int] = field(default_factory=dict)
    """updates received, by channel: what a server's ledger counts"""
    causes: dict[str, int] = field(default_factory=dict)
    """why connections failed or ended, and how often"""
    times: dict[str, Buckets] = field(default_factory=dict)
    """durations by name, such as `latency`, `connect`, `acknowledge`"""
    levels: dict[str, float] = field(default_factory=dict)
    """such as `open`, `receiving`, `cpu` (cores), `rss` (bytes)"""
    clock: Basis | None = None
    """what the latencies of one process rest on; None: nothing, so that there are none, or it is of several"""


class Sums:
    """Deltas of any number of processes, added up."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.channels: Counter[str] = Counter()
        self.causes = Causes()
        self.times: dict[str, Histogram] = {}

    def add(self, delta: Delta) -> None:
        """Take one in."""
        self.counts.update(delta.counts)
        self.channels.update(delta.channels)
        for cause, times in delta.causes.items():
            self.causes.blame(cause, times)
        for name, buckets in delta.times.items():
            self.times.setdefault(name, Histogram()).add(buckets)


class Since:
    """Makes deltas out of counters that only grow."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def changes(self, counts: Mapping[str, int]) -> dict[str, int]:
        """What each grew by since the last time; the first time all are told, for zero says that it is counted."""
        told = self._told
        grown = {name: count - told.get(name, 0) for name, count in counts.items() if count != told.get(name)}
        told.update(counts)
        return grown

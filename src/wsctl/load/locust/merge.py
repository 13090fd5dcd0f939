"""What several processes told, as one: added up without loss, second by second."""

from msgspec import Struct

from wsctl.checks.latency import Histogram
from wsctl.load.messages import Process
from wsctl.swarm.delta import Delta, Sums

LEVELS = ("users", "waiting", "open", "receiving", "cpu", "rss")
"""that add up over processes"""
KNOWN_FOR = 3
"""`take`s that a process's levels stand for: it may be late; one that is silent for longer hangs"""


class Told(Struct, frozen=True, kw_only=True):
    """What a process that holds connections tells once a second."""

    index: int
    number: int
    """counts from 1: where one is skipped, something got lost"""
    at: float
    """unix seconds"""
    delta: Delta
    control_cpu: float
    """cores, of the Locust process"""
    control_rss: int
    """bytes, of the same"""


class Merge:
    """Fed with what processes tell; `take` once a second."""

    def __init__(self) -> None:
        self._latest: dict[int, Told] = {}
        """of each process that is there"""
        self._numbers: dict[int, int] = {}
        self._holed: set[int] = set()
        self._silent: dict[int, int] = {}
        """`take`s since each process that is there told last"""
        self._sums = Sums()
        """since the latest `take`"""

    def add(self, told: Told) -> None:
        """Take in what a process told."""
        number = self._numbers.get(told.index, 0) + 1
        if told.number != number:
            self._holed.add(told.index)
        self._numbers[told.index] = told.number
        self._latest[told.index] = told
        self._sums.add(told.delta)
        self._silent[told.index] = 0

    def __len__(self) -> int:
        """How many processes are there."""
        return len(self._latest)

    @property
    def is_complete(self) -> bool:
        """Whether every process that is there has told since the latest `take`."""
        return not any(self._silent.values())

    def lose(self, index: int) -> int:
        """A process is gone; how many users it had. What it told stays counted."""
        told = self._latest.pop(index, None)
        self._silent.pop(index, None)
        return 0 if told is None else int(told.delta.levels.get("users", 0))

    def is_whole(self, index: int, number: int) -> bool:
        """Whether everything arrived that a process told, it having told so many times."""
        return index not in self._holed and self._numbers.get(index, 0) == number

    def take(self) -> Delta:
        """What was told since the last time; the levels are of `processes`, and absent where there are none."""
        sums, self._sums = self._sums, Sums()
        for index in self._silent:
            self._silent[index] += 1
        known = self._known()
        return Delta(
            counts=dict(sums.counts),
            channels=dict(sums.channels),
            causes=dict(sums.causes),
            times={name: buckets for name, times in sums.times.items() if (buckets := times.buckets()) is not None},
            levels={name: sum(told.delta.levels.get(name, 0.0) for told in known) for name in LEVELS} if known else {},
        )

    def processes(self) -> tuple[Process, ...]:
        """Those of which is known how they are, in the order of their indices."""
        return tuple(_process(told) for told in self._known())

    def _known(self) -> list[Told]:
        return [self._latest[index] for index in sorted(self._latest) if self._silent[index] <= KNOWN_FOR]


def _process(told: Told) -> Process:
    levels = told.delta.levels
    return Process(
        index=told.index,
        at=told.at,
        users=int(levels.get("users", 0)),
        open=int(levels.get("open", 0)),
        receiving=int(levels.get("receiving", 0)),
        cpu=levels.get("cpu", 0.0),
        rss=int(levels.get("rss", 0)),
        lag=_lag(told.delta),
        lags=told.delta.times.get("lag"),
        control_cpu=told.control_cpu,
        control_rss=told.control_rss,
        clock=told.delta.clock,
    )


def _lag(delta: Delta) -> float | None:
    histogram = Histogram()
    if (buckets := delta.times.get("lag")) is not None:
        histogram.add(buckets)
    return histogram.percentile(99)

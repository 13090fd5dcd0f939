"""What came of a load. `LoadResult` as JSON is its result.json, whose names and shapes scripts rely on."""

from msgspec import Struct, field

from wsctl.model.expectation import Judged
from wsctl.model.finding import Verdict
from wsctl.swarm.clocks import Basis


class Row(Struct, frozen=True, kw_only=True):
    """About a second of it; more in a load of hours. Times in seconds; what was not measured is null."""

    elapsed: float
    """at its end, since the course began"""
    seconds: float
    """that it is about, up to `elapsed`"""
    stage: int | None
    """that most of it was in; null without a course"""
    users: int
    """asked for, at its end; so are the next two"""
    open: int
    receiving: int
    opened: int
    """in the meantime; so are the next four"""
    messages: int
    bytes: int
    closed: int
    errors: int
    p50: float | None
    """of the latencies of this time; where a row is of several seconds, of the worst of them"""
    p95: float | None
    p99: float | None
    cpu: float | None
    """cores, of the busiest process that holds connections; null: none was there"""
    lag: float | None
    """how late its timers fired, at the 99th percentile; of the latest one"""
    target: dict[str, float] = field(default_factory=dict)
    """the target's own figures: `cpu` in cores, `rss` in bytes, and its counters, per second"""

    def per_second(self, count: int) -> float:
        """What was counted, as a rate."""
        return count / self.seconds if self.seconds else 0.0


class StageResult(Struct, frozen=True, kw_only=True):
    """A stage by itself: what a step of the load did to the target."""

    stage: str
    """as `ramp to 1,000`"""
    seconds: float
    """of the rows that it is made of"""
    users: int
    """asked for at its end"""
    receiving: int
    """of them, at its end"""
    metrics: dict[str, float]


class WorkerResult(Struct, frozen=True, kw_only=True):
    """A process that held connections, and the Locust process beside it."""

    index: int
    users: int
    """at most"""
    cpu: float | None
    """cores, on average while it was measured; null: not measured"""
    rss: int
    """bytes, at most"""
    lag: float | None
    """seconds that its timers were late, at the 99th percentile while it was measured; null: not measured"""
    control_cpu: float | None
    control_rss: int
    clock: Basis | None
    """what its latencies rest on; null: nothing, so that there are none of it"""
    lost: bool = False
    """it went missing"""


class LimitTry(Struct, frozen=True, kw_only=True):
    """A number of connections that was tried."""

    users: int
    held: bool
    receiving: int
    observed: float | None
    """of the metric that the limit is about"""
    reason: str | None = None
    """why it did not hold"""


class LimitResult(Struct, frozen=True, kw_only=True):
    """The largest number of connections that kept a bound."""

    metric: str
    bound: str
    users: int | None
    """null: not even the smallest that was tried"""
    beyond: LimitTry | None
    """the smallest that did not; null: all that were tried did"""
    tries: tuple[LimitTry, ...]


class LoadResult(Struct, frozen=True, kw_only=True):
    """result.json."""

    wsctl: str = "load"
    version: int = 1
    name: str
    verdict: Verdict
    reason: str | None
    """why it is neither pass nor a missed expectation"""
    duration: float
    """of the course; start and end of our own processes are no part of it"""
    started_at: float
    """unix seconds: when the course began, from where `series` counts; where it never did, when it was asked for"""
    target: str
    interrupted: bool
    seed: int | None
    clock: str
    """what latencies rest on, in words; of each of `workers` it is told by itself"""
    metrics: dict[str, float | None]
    expectations: tuple[Judged, ...]
    notes: tuple[str, ...]
    causes: dict[str, int]
    """why connections failed or ended, and how often"""
    channels: dict[str, int]
    """updates received, by channel: what a ledger of the target's can be compared with"""
    limit: LimitResult | None
    stages: tuple[StageResult, ...]
    workers: tuple[WorkerResult, ...]
    series: tuple[Row, ...]
    """a row a second for an hour; of a longer load pairs of rows are joined whenever there are 3,600"""

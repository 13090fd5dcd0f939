"""What came of a load. `LoadResult` as JSON is its result.json, whose names and shapes scripts rely on."""

from msgspec import Struct, field

from wsctl.model.expectation import Judged
from wsctl.model.finding import Verdict
from wsctl.swarm.clocks import Basis


class Row(Struct, frozen=True, kw_only=True):
    """A second of it. Times in seconds; what was not measured is null."""

    elapsed: float
    """since the course began"""
    stage: int | None
    users: int
    """asked for"""
    open: int
    receiving: int
    opened: int
    """in this second; so are the next four"""
    messages: int
    bytes: int
    closed: int
    errors: int
    p50: float | None
    """of the latencies of this second"""
    p95: float | None
    p99: float | None
    cpu: float
    """cores, of the busiest process that holds connections"""
    lag: float | None
    """how late its timers fired, at the 99th percentile; of the latest one"""
    target: dict[str, float] = field(default_factory=dict)
    """the target's own figures: `cpu` in cores, `rss` in bytes, and its counters, per second"""


class StageResult(Struct, frozen=True, kw_only=True):
    """A stage by itself: what a step of the load did to the target."""

    stage: str
    """as `ramp to 1,000`"""
    seconds: float
    users: int
    """asked for at its end"""
    receiving: int
    """at its end"""
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
    """seconds that its timers were late: the 99th percentile of a second, on average"""
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
    started_at: float
    """unix seconds"""
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

"""What a load has measured so far: the totals, the measured time, each stage, a row for each second.

Whatever is kept is bounded, and no second costs more than the first one, however long the load lasts.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from wsctl.checks.latency import Histogram
from wsctl.load.course import Course
from wsctl.load.messages import Process, Second, WorkerLost
from wsctl.load.outcome.measured import counted, timed
from wsctl.load.outcome.result import Row, StageResult, WorkerResult
from wsctl.load.outcome.saturation import Saturation
from wsctl.load.outcome.series import Series
from wsctl.load.profile import StageSpec
from wsctl.spec.units import format_duration
from wsctl.swarm.clocks import Basis
from wsctl.swarm.delta import Delta, Sums
from wsctl.swarm.shard_messages import ON_THE_WAY

_TOTAL = ("connect.time.", "acks.time.")
"""what is measured from the first moment on: most of it happens while users set out"""

LATEST = 120
"""seconds that are kept as they were, beside the series: what a terminal has room for"""
LEAST_WARMUP = 1.0
"""seconds: who sets out all at once is not there at once"""


class Figures:
    """Fed with each Second; read at any time."""

    def __init__(self, stages: Sequence[StageSpec], *, warmup: float, raw: bool) -> None:
        """`warmup` (seconds): of latencies and rates this much is left out; `raw`: the feed is a raw WebSocket one."""
        self.rows: deque[Row] = deque(maxlen=LATEST)
        """the latest ones, of a second each"""
        self.series = Series()
        """all of them"""
        self.latest: Second | None = None
        self.began_at: float | None = None
        """unix seconds: when the course did"""
        self.sums = Sums()
        """everything"""
        self.lost_users = 0
        """with workers that went missing"""
        self.warmup = warmup
        self._stages = stages
        self._raw = raw
        self._measured = _Stretch()
        self._by_stage: dict[int, _Stretch] = {}
        self._workers: dict[int, _Worker] = {}
        self._peak: Second | None = None
        self._under_way_at_peak = 0
        self._set_out: deque[tuple[float, int]] = deque()
        """of the latest seconds: when, and how many set out"""
        self._most_open = 0
        self._opening: tuple[float, float] | None = None
        """from when to when there were seconds that let somebody in"""
        self._saturation = Saturation()
        self._target_cpu = _Mean()
        self._target_rss = 0.0

    def add(self, second: Second, target: Mapping[str, float] | None = None) -> None:
        """Take a second in, and what the target said of itself meanwhile.

        What was counted in it belongs where most of it was: to one stage, to the warm-up or not.
        """
        before = 0.0 if self.latest is None else self.latest.elapsed
        lasted, middle = second.elapsed - before, (before + second.elapsed) / 2
        self.latest = second
        self.sums.add(second.delta)
        self._set_out.append((second.elapsed, second.delta.counts.get("set_out", 0)))
        while self._set_out[0][0] <= second.elapsed - ON_THE_WAY:
            self._set_out.popleft()
        running = second.stage is not None or not self._stages
        warm = middle > self.warmup
        if warm:
            self._measured.add(second, lasted, self.sums.counts, steady=running)
        stage = second.mostly
        if stage is None and self._by_stage:  # the last of what was counted
            stage = next(reversed(self._by_stage))
        if stage is not None:
            self._by_stage.setdefault(stage, _Stretch()).add(second, lasted, self.sums.counts, steady=running)
        if second.stage is not None:
            self._by_stage.setdefault(second.stage, _Stretch()).stands(second)
        self._most_open = max(self._most_open, int(second.delta.levels.get("open", 0)))
        if running and second.elapsed > 0 and (self._peak is None or second.users >= self._peak.users):
            self._peak, self._under_way_at_peak = second, self.under_way
        for process in second.processes:
            self._workers.setdefault(process.index, _Worker()).add(process, warm and running)
        if warm and running:
            self._saturation.add(second)
        if second.elapsed > 0:
            if self.began_at is None:
                self.began_at = second.at - second.elapsed
            self._take_row(_row(second, stage, lasted, target or {}))
        if target:
            self._target_rss = max(self._target_rss, target.get("rss", 0.0))
            if warm and running and "cpu" in target:
                self._target_cpu.add(target["cpu"])

    def _take_row(self, row: Row) -> None:
        self.rows.append(row)
        self.series.add(row)
        if row.opened:
            begins = row.elapsed - row.seconds if self._opening is None else self._opening[0]
            self._opening = begins, row.elapsed

    def lost(self, lost: WorkerLost) -> None:
        """A worker went missing."""
        self.lost_users += lost.users
        self._workers.setdefault(lost.index, _Worker()).lost = True

    def metrics(self) -> dict[str, float]:
        """By name, in base units."""
        measured = counted(self.sums, raw=self._raw)
        measured |= {name: value for name, value in timed(self.sums).items() if name.startswith(_TOTAL)}
        measured |= {name: value for name, value in self._measured.timed().items() if not name.startswith(_TOTAL)}
        measured |= self._measured.rate()
        if self._peak is not None:
            measured["connections.receiving"] = self._peak.delta.levels.get("receiving", 0)
            measured["connections.peak"] = self._most_open
        if (rate := self._connections_rate()) is not None:
            measured["connections.rate"] = rate
        measured |= self._generator()
        if self._target_rss:
            measured["target.rss"] = self._target_rss
        if (cpu := self._target_cpu.value) is not None:
            measured["target.cpu"] = cpu
        return measured

    def stages(self) -> tuple[StageResult, ...]:
        """Those that began."""
        return tuple(
            stretch.result(describe(self._stages[index]), self._raw) for index, stretch in self._by_stage.items()
        )

    def workers(self) -> tuple[WorkerResult, ...]:
        """In the order of their indices."""
        return tuple(self._workers[index].result(index) for index in sorted(self._workers))

    @property
    def saturated(self) -> str | None:
        """Why latencies are those of the generator, if they are: it could not keep up in too many seconds."""
        return self._saturation.reason

    @property
    def under_way(self) -> int:
        """Who set out so lately that nothing may have come of it yet."""
        return sum(count for _, count in self._set_out)

    @property
    def without_turn(self) -> int:
        """Users that never set out: they still wait for their turn, or left before it came."""
        return self.sums.counts["asked"] - self.sums.counts["set_out"]

    @property
    def open_at_peak(self) -> tuple[int, int]:
        """Connections open, and those that were to be by then, when most users were asked for.

        Users who are away for a while or wait for their turn are not to be there, nor are those of a lost worker.
        """
        if self._peak is None:
            return 0, 0
        levels = self._peak.delta.levels
        had_their_turn = int(levels.get("users", 0) - levels.get("waiting", 0))
        return int(levels.get("open", 0)), had_their_turn - self._under_way_at_peak

    def _generator(self) -> dict[str, float]:
        """The busiest process counts: the others waited for nobody. Memory is that of all of them."""
        workers = [worker.result(index) for index, worker in self._workers.items()]
        cpus = [worker.cpu for worker in workers if worker.cpu is not None]
        lags = [worker.lag for worker in workers if worker.lag is not None]
        measured: dict[str, float] = {}
        if workers:
            measured["generator.lost"] = self.lost_users
            measured["generator.rss"] = sum(worker.rss + worker.control_rss for worker in workers)
        if cpus:
            measured["generator.cpu"] = max(cpus)
        if lags:
            measured["generator.lag.p99"] = max(lags)
        return measured

    def _connections_rate(self) -> float | None:
        """Over the seconds from the first that let somebody in to the last."""
        if self._opening is None:
            return None
        begins, ends = self._opening
        return self.sums.counts["opened"] / max(1.0, ends - begins)


class _Mean:
    """Of values that need not be kept."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._count = 0

    def add(self, value: float) -> None:
        self._sum += value
        self._count += 1

    @property
    def value(self) -> float | None:
        """None: there was none."""
        return self._sum / self._count if self._count else None


class _Stretch:
    """Some seconds in a row, by themselves."""

    def __init__(self) -> None:
        self._sums = Sums()
        self._seconds = 0.0
        self._steady: tuple[int, float] = 0, 0.0
        """messages, and the time that they took to come"""
        self._users: int | None = None
        self._receiving = 0

    def add(self, second: Second, lasted: float, names: Iterable[str], *, steady: bool) -> None:
        """Most of this second was in it. Not `steady`: processes told what they had left, however long that took.

        `names` are those of what processes count: where they told and it did not move, it was zero.
        """
        self._sums.add(second.delta)
        if second.processes:
            self._sums.counts.update(dict.fromkeys(names, 0))
        self._seconds += lasted
        if steady:
            messages, seconds = self._steady
            self._steady = messages + second.delta.counts.get("received", 0), seconds + lasted
        if self._users is None:  # it may be too short for any to end in it
            self.stands(second)
        # who set out last may be there only now, when the next stage may have asked for others
        self._receiving = max(self._receiving, min(self._users or 0, _receiving(second)))

    def stands(self, second: Second) -> None:
        """This second ended in it."""
        self._users, self._receiving = second.users, _receiving(second)

    def timed(self) -> dict[str, float]:
        return timed(self._sums)

    def rate(self) -> dict[str, float]:
        messages, seconds = self._steady
        if seconds <= 0 or "received" not in self._sums.counts:
            return {}
        return {"messages.rate": messages / seconds}

    def result(self, stage: str, raw: bool) -> StageResult:
        return StageResult(
            stage=stage,
            seconds=round(self._seconds, 3),
            users=self._users or 0,
            receiving=self._receiving,
            metrics={**counted(self._sums, raw=raw), **timed(self._sums), **self.rate()},
        )


class _Worker:
    """How a process did, second by second."""

    def __init__(self) -> None:
        self.lost = False
        self._users = 0
        self._rss = 0
        self._control_rss = 0
        self._cpu, self._control_cpu = _Mean(), _Mean()
        self._lags = Histogram()
        self._clock: Basis | None = None

    def add(self, process: Process, measured: bool) -> None:
        self._users = max(self._users, process.users)
        self._rss = max(self._rss, process.rss)
        self._control_rss = max(self._control_rss, process.control_rss)
        self._clock = process.clock
        if measured:
            self._cpu.add(process.cpu)
            self._control_cpu.add(process.control_cpu)
            if process.lags is not None:
                self._lags.add(process.lags)

    def result(self, index: int) -> WorkerResult:
        return WorkerResult(
            index=index,
            users=self._users,
            cpu=self._cpu.value,
            rss=self._rss,
            lag=self._lags.percentile(99),
            control_cpu=self._control_cpu.value,
            control_rss=self._control_rss,
            clock=self._clock,
            lost=self.lost,
        )


def _receiving(second: Second) -> int:
    return int(second.delta.levels.get("receiving", 0))


def _row(second: Second, stage: int | None, lasted: float, target: Mapping[str, float]) -> Row:
    delta = second.delta
    lags = [process.lag for process in second.processes if process.lag is not None]
    return Row(
        elapsed=round(second.elapsed, 3),
        seconds=round(lasted, 3),
        stage=stage,
        users=second.users,
        open=int(delta.levels.get("open", 0)),
        receiving=_receiving(second),
        opened=delta.counts.get("opened", 0),
        messages=delta.counts.get("received", 0),
        bytes=delta.counts.get("bytes", 0),
        closed=delta.counts.get("closed", 0),
        errors=int(_errors(delta)),
        **_percentiles(delta),
        cpu=max((round(process.cpu, 4) for process in second.processes), default=None),
        lag=max(lags, default=None),
        target=dict(target),
    )


def _errors(delta: Delta) -> float:
    sums = Sums()
    sums.add(Delta(counts=delta.counts))
    return counted(sums).get("errors", 0)


def _percentiles(delta: Delta) -> dict[str, float | None]:
    sums = Sums()
    sums.add(Delta(times={name: buckets for name, buckets in delta.times.items() if name == "latency"}))
    measured = timed(sums)
    return {name: measured.get(f"latency.{name}") for name in ("p50", "p95", "p99")}


def describe(stage: StageSpec) -> str:
    """A stage in few words."""
    if stage.ramp is not None:
        return f"ramp to {stage.ramp:,}"
    if stage.hold is not None:
        return f"hold {format_duration(stage.hold)}"
    if stage.step is not None:
        return f"steps of {stage.step:,} to {stage.until:,}"
    return f"spike of {stage.spike:,}"


def warmup_of(stages: Sequence[StageSpec]) -> float:
    """The first ramp, where anything follows it: while users set out is nobody's steady state. Seconds.

    A ramp over next to no time is followed by a second in which they come; a third of the course at most.
    """
    if len(stages) > 1 and stages[0].ramp is not None:
        return max(Course(stages[:1]).duration, min(LEAST_WARMUP, Course(stages).duration / 3))
    return 0.0

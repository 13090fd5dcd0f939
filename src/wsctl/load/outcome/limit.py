"""The largest number of connections that keeps a bound: doubled until one is missed, then halved in between."""

from collections.abc import Iterable, Sequence
from typing import Final

from wsctl.checks.latency import Histogram
from wsctl.errors import UsageError
from wsctl.load.messages import Second
from wsctl.load.outcome.measured import counted, timed
from wsctl.load.outcome.result import LimitResult, LimitTry
from wsctl.load.outcome.saturation import Saturation
from wsctl.load.outcome.verdict import ABOUT_ITSELF
from wsctl.load.profile import LoadSpec
from wsctl.model.expectation import Expectation, shown
from wsctl.model.finding import Verdict
from wsctl.model.run import overall
from wsctl.swarm.delta import Sums

FIRST: Final = 100
HOLD: Final = 5.0
"""seconds that a number is held, if nobody says how long"""
SETTLE: Final = 2
"""seconds after all are there that are not looked at"""
STALLED: Final = 3.0
"""seconds without one connection more, after which nobody else is waited for"""
STALLED_TURNS: Final = 2.0
"""as many at connect_rate, if they take longer"""
FINE: Final = 0.05
"""the answer is known to within this share of itself"""


class LimitFinder:
    """Fed with each Second; `users` is how many there should be now, None: the answer is there."""

    def __init__(self, expected: Expectation, spec: LoadSpec) -> None:
        """Raises UsageError where users come and go: no number of them is ever there all at once."""
        if any(journey.do == "returning" for journey in spec.journeys):
            raise UsageError(
                "--find-limit looks for users who stay; returning ones are away for a while",
                hint="a journey without them measures the same target",
            )
        self.tries: list[LimitTry] = []
        self._expected = expected
        self._names: set[str] = set()
        """of what processes count: each tells one that stands still only once"""
        self._stalled_after = max(STALLED, STALLED_TURNS / spec.connect_rate)
        assert spec.users is not None, "a search has an end"
        self._most = spec.users
        self._hold = spec.duration or HOLD
        self._held = 0
        self._failed: int | None = None
        self.users: int | None = min(FIRST, self._most)
        self._trial = _Trial(self.users, self._stalled_after)
        self._after: int | None = None
        """the number to try once all have left: who was given up would be among fewer users as well"""
        self._again = False
        """the current number did not hold once: a machine may be busy for a moment"""

    def add(self, second: Second) -> LimitTry | None:
        """Look at a second; a try, if it has come to its end."""
        self._names.update(second.delta.counts)
        if self.users is None or second.users != self.users:
            return None
        if self._after is not None:
            if not second.delta.levels.get("users"):
                self._try(self._after)
            return None
        trial = self._trial
        trial.add(second)
        if not trial.arrived:
            return self._ended(trial.incomplete()) if trial.stalled else None
        if trial.seconds < self._hold:
            return None
        return self._ended(trial.judged(self._expected, self._names))

    def result(self) -> LimitResult:
        """What is known by now."""
        beyond = min((one for one in self.tries if not one.held), key=lambda one: one.users, default=None)
        return LimitResult(
            metric=self._expected.metric,
            bound=self._expected.bound,
            users=self._held or None,
            beyond=beyond,
            tries=tuple(self.tries),
        )

    def verdict(self, others: Sequence[Verdict]) -> tuple[Verdict, str | None]:
        """Found is passed; where our own processes were the limit, nothing is known of the target beyond."""
        result = self.result()
        if result.beyond is not None and result.beyond.reason is not None and result.beyond.reason.startswith(_OURS):
            return Verdict.INVALID, result.beyond.reason
        if result.users is None:
            reason = "nothing was tried" if result.beyond is None else result.beyond.reason
            return Verdict.FAIL, f"not even {FIRST if result.beyond is None else result.beyond.users:,}: {reason}"
        return overall([Verdict.PASS, *others]), None

    def _ended(self, tried: LimitTry) -> LimitTry | None:
        self._again = not tried.held and self._trial.arrived and not self._again
        if self._again:
            self._trial = _Trial(tried.users, self._stalled_after)
            return None
        self.tries.append(tried)
        if tried.held:
            self._held = tried.users
        else:
            self._failed = tried.users
        following = self._next()
        if following is None:
            self.users = None
        elif self._trial.arrived:
            self._try(following)
        else:
            self.users, self._after = 0, following
        return tried

    def _try(self, users: int) -> None:
        self.users, self._after = users, None
        self._trial = _Trial(users, self._stalled_after)

    def _next(self) -> int | None:
        if self._failed is None:
            return None if self._held >= self._most else min(self._held * 2, self._most)
        if self._failed - self._held <= max(1, self._failed * FINE):
            return None
        return (self._held + self._failed) // 2


_OURS = "the clients' own process"
"""how a reason of `Saturation` begins"""


class _Trial:
    """One number of users: they come, they settle, they are held."""

    def __init__(self, users: int, stalled_after: float) -> None:
        self.users = users
        self.arrived = False
        self.stalled = False
        self.seconds = 0
        """that count"""
        self._cpus: list[float] = []
        """of the busiest process, in each second that counts and in which any told"""
        self._stalled_after = stalled_after
        self._lags: dict[int, Histogram] = {}
        """of each process"""
        self._saturation = Saturation()
        """since there was one more open, until all are; then of the seconds that count"""
        self._settling = SETTLE
        self._sums = Sums()
        self._measured = 0.0
        """seconds that `_sums` are of"""
        self._last: Second | None = None
        self._causes: dict[str, int] = {}
        self._most = -1
        self._grew_at = 0.0
        """seconds of the load when there was last one more open"""

    def add(self, second: Second) -> None:
        """Take a second in."""
        lasted = 0.0 if self._last is None else second.elapsed - self._last.elapsed
        self._last = second
        if not self.arrived:
            self._arrive(second)
            for cause, count in second.delta.causes.items():
                self._causes[cause] = self._causes.get(cause, 0) + count
        elif self._settling:
            self._settling -= 1
        else:
            self._sums.add(second.delta)
            self._measured += lasted
            self._saturation.add(second)
            self.seconds += 1
            if second.processes:
                self._cpus.append(max(process.cpu for process in second.processes))
            for process in second.processes:
                if process.lags is not None:
                    self._lags.setdefault(process.index, Histogram()).add(process.lags)

    def _arrive(self, second: Second) -> None:
        there = self._level("open")
        if there > self._most:
            self._most, self._grew_at = there, second.elapsed
            self._saturation = Saturation()
        else:
            self._saturation.add(second)
        self.arrived = there >= self.users
        self.stalled = not self.arrived and second.elapsed - self._grew_at >= self._stalled_after
        if self.arrived:
            self._saturation = Saturation()

    def incomplete(self) -> LimitTry:
        """Not everybody came up: whoever could not keep up meanwhile did not dial, either."""
        reason = self._saturation.reason
        if reason is None:
            cause = max(self._causes, key=lambda one: self._causes[one], default=None)
            reason = f"{self._level('open'):,} of {self.users:,} came up" + (f": {cause}" if cause else "")
        return LimitTry(users=self.users, held=False, receiving=self._level("receiving"), observed=None, reason=reason)

    def judged(self, expected: Expectation, names: Iterable[str]) -> LimitTry:
        """Whether the bound was kept, by everybody, with our own processes at their ease.

        `names` are those of what is counted: what did not move meanwhile was zero.
        """
        self._sums.counts.update(dict.fromkeys(names, 0))
        metrics = {**counted(self._sums), **timed(self._sums), **self._generator()}
        metrics |= {"connections.receiving": self._level("receiving"), "messages.rate": self._rate()}
        judged = expected.judge(metrics)
        reason = self._saturation.reason if expected.metric.startswith(ABOUT_ITSELF) else None
        if reason is None and self._level("open") < self.users:
            reason = f"{self.users - self._level('open'):,} of {self.users:,} connections were lost"
        if reason is None and judged.verdict is not Verdict.PASS:
            reason = judged.reason or f"{expected.metric} was {shown(expected.metric, judged.observed)}"
        return LimitTry(
            users=self.users,
            held=reason is None,
            receiving=self._level("receiving"),
            observed=judged.observed,
            reason=reason,
        )

    def _level(self, name: str) -> int:
        return 0 if self._last is None else int(self._last.delta.levels.get(name, 0))

    def _rate(self) -> float:
        return self._sums.counts["received"] / self._measured

    def _generator(self) -> dict[str, float]:
        measured: dict[str, float] = {}
        if self._cpus:
            measured["generator.cpu"] = sum(self._cpus) / len(self._cpus)
        lags = [value for late in self._lags.values() if (value := late.percentile(99)) is not None]
        if lags:
            measured["generator.lag.p99"] = max(lags)
        return measured

"""A load, run: the Locust process followed to its end, whatever end that is, and made a result."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from wsctl.clock import Clock
from wsctl.errors import TargetError, WsctlError
from wsctl.load.course import Course
from wsctl.load.messages import Done, Ready, Second, WorkerLost
from wsctl.load.options import LoadOptions
from wsctl.load.outcome.ending import Ending, result_of
from wsctl.load.outcome.figures import Figures, warmup_of
from wsctl.load.outcome.limit import LimitFinder
from wsctl.load.outcome.result import LimitTry, LoadResult
from wsctl.load.outcome.verdict import Breach
from wsctl.load.remote import RemoteLoad
from wsctl.load.scout import scout
from wsctl.model.metrics import Metrics

GONE_AFTER: Final = 15.0
"""seconds without one open connection, though there should be some, after which the target is given up"""
END_WITHIN: Final = 20.0
"""seconds from asking for the end to having it; then it is taken by force"""

Event = Ready | Second | WorkerLost | Done | LimitTry
Listener = Callable[[Event], None]


class LoadRun:
    """`await run()` once; `figures` are true at any time. `stop()` ends it in good order."""

    def __init__(self, options: LoadOptions, clock: Clock, tell: Listener) -> None:
        """Raises UsageError for what cannot be done."""
        self.options = options
        self.stages = options.stages()
        self.course = Course(self.stages)
        warmup = options.spec.warmup
        self.figures = Figures(
            self.stages, warmup=warmup_of(self.stages) if warmup is None else warmup, raw=options.raw
        )
        self.failure: WsctlError | None = None
        """what ended it, if that is no verdict: for the exit code"""
        self.limit = None if options.limit is None else LimitFinder(options.limit, options.spec)
        self._plan = options.plan()
        self._clock = clock
        self._tell = tell
        self._stopping = asyncio.Event()
        self._over = asyncio.Event()
        """Done was told"""
        self._interrupted = False
        self._breached: str | None = None
        """what was missed for so long that it ends early"""
        self._flushed = False
        self._missing: tuple[int, ...] = ()
        self._nobody_for = 0.0
        """seconds in which somebody was missing and nobody was there, since there was last anybody"""
        self._load: RemoteLoad | None = None
        """once the target was seen to be there"""
        self._following: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Interrupted: the end, in good order."""
        self._interrupted = True
        self._stopping.set()
        if self._load is None:  # there is nothing to gather, and a silent target would keep us waiting
            self.kill()

    def kill(self) -> None:
        """The end, at once: what was not gathered by now is left out."""
        self._interrupted = True
        if self._load is not None:
            self._load.hurry()
        if self._following is not None:
            self._following.cancel()

    async def run(self, extra: Callable[[], Metrics] = dict) -> LoadResult:
        """The result, whatever it is; `extra` are metrics that somebody else measures. Raises UsageError only."""
        asked_at = self._clock.now()
        try:
            self._following = asyncio.create_task(self._follow())
            await self._following
        except WsctlError as error:
            self.failure = error
        except asyncio.CancelledError:
            if not self._interrupted and self.failure is None:
                raise
        if self.failure is None and not self._interrupted and self._left_alone():
            self.failure = self._gone()
        ending = Ending(
            failure=self.failure,
            interrupted=self._interrupted,
            breach=self._breached,
            flushed=self._flushed,
            missing=self._missing,
        )
        assert self._plan.work is not None
        rate = self._plan.work.connect_rate
        return result_of(
            self.options, self.figures, self.limit, ending, extra=extra(), connect_rate=rate, asked_at=asked_at
        )

    async def _follow(self) -> None:
        """From beginning to end. Raises what the Locust process raises, and TargetError for one that is gone."""
        await scout(self.options.target, self.options.tokens[0] if self.options.tokens else None)
        metrics = None
        if (url := self.options.target_metrics) is not None:
            from wsctl.load.target_metrics import TargetMetrics  # its HTTP library: a tenth of a second, seldom needed

            metrics = TargetMetrics(url)
        abort = self.options.spec.abort
        breach = None
        if abort is not None and abort.on_breach:
            breach = Breach(self.options.expected, abort.grace)
        async with contextlib.AsyncExitStack() as stack:
            if metrics is not None:
                await stack.enter_async_context(metrics)
            self._load = RemoteLoad(self._plan)
            load = await stack.enter_async_context(self._load)
            ending = asyncio.create_task(self._end(load))
            stack.callback(ending.cancel)
            async for report in load:
                match report:
                    case Second():
                        self.figures.add(report, {} if metrics is None else metrics.take())
                        self._look(report, breach)
                    case WorkerLost():
                        self.figures.lost(report)
                    case Done():
                        self._flushed, self._missing = report.flushed, report.missing
                        self._over.set()
                self._tell(report)
                if self.limit is not None and isinstance(report, Second):
                    await self._steer(self.limit, report, load)
        if self.failure is not None:
            raise self.failure

    async def _end(self, load: RemoteLoad) -> None:
        """Once it is to stop, tell so; what does not end is ended."""
        await self._stopping.wait()
        try:
            async with asyncio.timeout(END_WITHIN):
                await load.stop()
                await self._over.wait()
        except TimeoutError:
            assert self._following is not None
            self.failure = WsctlError(f"the load's process did not end within {END_WITHIN:g} s of being asked to")
            self._following.cancel()

    async def _steer(self, limit: LimitFinder, second: Second, load: RemoteLoad) -> None:
        tried = limit.add(second)
        if tried is not None:
            self._tell(tried)
        if limit.users is None:
            self._stopping.set()
        elif second.users != limit.users:
            await load.set_users(limit.users)

    def _look(self, second: Second, breach: Breach | None) -> None:
        """Whether there is any use in going on."""
        if self._stopping.is_set():
            return
        if breach is not None and self.figures.rows and second.stage is not None:
            self._breached = breach.look(self.figures.rows[-1], self.figures.metrics())
        if self._is_gone(second):
            self.failure = self._gone()
        if self._breached is not None or self.failure is not None:
            self._stopping.set()

    def _is_gone(self, second: Second) -> bool:
        """Whether for too long now there was nobody where somebody should be.

        Who is away, or waits for its turn, should not be there; who was asked for and never set about it should.
        """
        levels, figures = second.delta.levels, self.figures
        if levels.get("open") or second.delta.counts.get("opened") or not second.users or second.elapsed <= 0:
            self._nobody_for = 0.0
        elif levels.get("users", 0) > levels.get("waiting", 0) or not figures.sums.counts["asked"]:
            self._nobody_for += figures.rows[-1].seconds
        return self._nobody_for >= GONE_AFTER

    def _gone(self) -> TargetError:
        counts, causes = self.figures.sums.counts, self.figures.sums.causes
        cause = f": {causes.most_common(1)[0][0]}" if causes else ""
        if not counts["opened"]:
            return TargetError(f"no connection came up{cause}")
        return TargetError(f"every connection was lost and none came back{cause}")

    def _left_alone(self) -> bool:
        """Whether at the end of the course nobody had ever come up. Who did may be away, all at once, for a moment."""
        return self._nobody_for > 0 and not self.figures.sums.counts["opened"]

"""One run of `wsctl fuzz`: what is asked for, against the target, to a result."""

from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from wsctl.clock import Clock
from wsctl.errors import UsageError
from wsctl.fuzz.campaign import Campaign, is_patient
from wsctl.fuzz.catalogue import chosen
from wsctl.fuzz.events import Listener, Planned
from wsctl.fuzz.link import answers, context_of
from wsctl.fuzz.options import FuzzOptions
from wsctl.fuzz.oracle import SOCKETIO, WEBSOCKET, Oracle
from wsctl.fuzz.probe import Probe
from wsctl.fuzz.probe import Verdict as CaseVerdict
from wsctl.fuzz.process_watch import ProcessWatch
from wsctl.fuzz.repro import Replay, check_place
from wsctl.fuzz.result import FuzzResult, Generated
from wsctl.fuzz.tally import metrics_of, not_applying, not_played, times, verdict_of
from wsctl.fuzz.target_process import TargetProcess
from wsctl.fuzz.timed import Timed
from wsctl.fuzz.trial import Trials
from wsctl.swarm.clocks import is_loopback
from wsctl.wire.dialects import spoken

if TYPE_CHECKING:
    from wsctl.fuzz.generate.generation import Generation


class FuzzRun:
    """Made of options; `run` plays, and tells how it goes; `stop` ends it early, with what there is."""

    def __init__(self, options: FuzzOptions, clock: Clock, tell: Listener) -> None:
        """Raises UsageError for what makes no sense, and for a target elsewhere that nobody says is theirs."""
        if not options.allow_remote and not is_loopback(options.target):
            raise UsageError(
                f"{options.target.shown} is not on this machine; fuzzing may harm what it meets",
                hint="--i-own-this-target says that you may do that to it",
            )
        self._options = options
        self._clock = clock
        self._tell = tell
        dialect = spoken(options.target.dialect)
        self._speech = WEBSOCKET if dialect is not None and dialect.over == "websocket" else SOCKETIO
        self._replay = None if options.repro is None else Replay(options, options.repro)
        asked = (
            [] if self._replay else [one for one in chosen(options.probes, options.groups) if one.attacks == "server"]
        )
        self._probes = [probe for probe in asked if self._applies(probe)]
        if options.probes and not self._probes:
            raise UsageError(f"none of {', '.join(options.probes)} applies to {options.target.shown}")
        self._left_out = len(asked) - len(self._probes)
        self._work = Timed()
        self._cases = 1 if self._replay else options.cases
        if self._cases and self._replay is None:
            check_place(options.place)
        self._process = None if options.command is None else TargetProcess(options.command)
        self._campaign: Campaign | None = None
        self._generated: Replay | Generation | None = self._replay
        self._oracle: Oracle | None = None
        self._trials: Trials | None = None
        self._drift: tuple[str, ...] = ()
        """what the target's process took in all, and keeps"""
        self.partial: FuzzResult | None = None
        """what there was when `run` raised; None: nothing had been played"""

    def stop(self) -> None:
        """End with what there is."""
        self._work.stop()

    async def run(self) -> FuzzResult:
        """Play everything. Raises Unreachable where the target does not let anybody in to begin with.

        Whatever it raises once something was played, `partial` is what came of that.
        """
        started, began = self._clock.now(), self._clock.monotonic()
        if self._replay is None and self._cases:
            from wsctl.fuzz.generate.generation import Generation  # Hypothesis is slow to import

            self._generated = Generation(self._options, self._tell)
        try:
            in_time = await self._work.run(self._play(), self._options.duration)
        except Exception as error:
            if self._trials is not None and self._trials.played:
                self.partial = self._result(started, self._clock.monotonic() - began, broken=f"ended early: {error}")
            raise
        why = "interrupted" if self._work.stopped else None
        return self._result(started, self._clock.monotonic() - began, broken=why, out_of_time=not in_time)

    def _applies(self, probe: Probe) -> bool:
        return self._speech.engineio or probe.needs in ("http", "websocket")

    async def _play(self) -> None:
        """Raises Unreachable, UsageError where what is to start the target cannot be started or need not be."""
        options = self._options
        tls = await context_of(options.target)
        async with AsyncExitStack() as stack:
            pid, process, watch = options.pid, self._process, None
            if process is not None:
                if await answers(options.target, tls):
                    raise UsageError(f"{options.target.shown} answers already, without the command that is to start it")
                await stack.enter_async_context(process)
            elif pid is not None:
                watch = ProcessWatch(lambda: pid)
            self._oracle = Oracle(
                options.target, tls, self._speech, max_stall=options.max_stall, max_bytes=options.max_bytes
            )
            if process is not None:
                await process.up(self._oracle.returned)
                watch = ProcessWatch(lambda: process.pid)
            self._oracle.watch = watch
            oracle = await stack.enter_async_context(self._oracle)
            self._tell(self._plan())
            self._trials = Trials(oracle, max_bytes=options.max_bytes, rate=options.rate, wait=options.wait)
            self._campaign = Campaign(self._trials, oracle, self._tell, fail_fast=options.fail_fast)
            await self._campaign.run(self._probes)
            failed = any(one.verdict is CaseVerdict.FAILED for one in self._campaign.results)
            if self._generated is not None and not (failed and options.fail_fast):
                await self._generated.run(self._trials)
            self._drift = await oracle.drift()

    def _plan(self) -> Planned:
        return Planned(
            target=self._options.target.shown,
            seed=self._options.seed,
            probes=len(self._probes),
            cases=self._cases,
            left_out=self._left_out,
            patient=tuple(probe.id for probe in self._probes if is_patient(probe)),
        )

    def _result(self, started: float, duration: float, *, broken: str | None, out_of_time: bool = False) -> FuzzResult:
        """`broken` says why it ended before all was played, if that was neither a failure nor the time."""
        results = () if self._campaign is None else tuple(self._campaign.results)
        counts = Counter(result.verdict for result in results)
        generated = None if self._generated is None else self._generated.result
        verdict, reason = verdict_of(counts, generated, self._drift, broken=broken)
        notes = list(self._notes(len(results), generated, out_of_time=out_of_time)) if broken is None else []
        if self._generated is not None:
            notes += self._generated.notes
        return FuzzResult(
            name=self._options.name,
            verdict=verdict,
            reason=reason,
            duration=duration,
            started_at=started,
            target=self._options.target.shown,
            interrupted=self._work.stopped,
            seed=self._options.seed,
            counts={one.value: counts[one] for one in CaseVerdict},
            metrics=self._metrics(counts, generated),
            probes=results,
            generated=generated,
            notes=tuple(notes),
        )

    def _notes(self, played: int, generated: Generated | None, *, out_of_time: bool) -> Iterator[str]:
        """What was not played of what was asked for, and why."""
        why = "out of time" if out_of_time else "stopped at a failure"
        if self._left_out:
            yield not_applying(self._left_out, "a raw WebSocket")
        if missing := len(self._probes) - played:
            yield not_played(missing, why)
        if self._trials is not None and self._trials.doubted:
            yield (
                f"{times(self._trials.doubted)} a connection beside was closed in order, and not again when the case "
                "was played again: its time may have come"
            )
        if generated is None or generated.cases >= self._cases or generated.failures or generated.reason:
            return
        if not missing and not out_of_time:
            why = "no others were drawn"
        yield f"{generated.cases:,} of {self._cases:,} cases were played: {why}"

    def _metrics(self, counts: Counter[CaseVerdict], generated: Generated | None) -> dict[str, float]:
        metrics = metrics_of(counts)
        if generated is not None:
            metrics |= {"fuzz.cases": generated.cases, "fuzz.failures": len(generated.failures)}
        if self._trials is not None and self._oracle is not None:
            metrics["fuzz.played"] = self._trials.played
            metrics |= self._oracle.latencies.metrics("canary.time")
        return metrics

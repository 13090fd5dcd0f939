"""A run: scenarios one after the other, as events for reports to listen to."""

import asyncio
from collections.abc import Iterator, Sequence

from wsctl.clock import Clock
from wsctl.errors import Unreachable
from wsctl.model.finding import Verdict
from wsctl.model.run import (
    Listener,
    Outline,
    RunEnded,
    RunEvent,
    RunResult,
    RunStarted,
    ScenarioEnded,
    ScenarioResult,
    overall,
)
from wsctl.scenario.options import RunOptions
from wsctl.scenario.reaching import missing
from wsctl.scenario.read import Scenario
from wsctl.scenario.scenario_run import INTERRUPTED, ScenarioRun
from wsctl.scenario.slugs import unique_slugs
from wsctl.scenario.speech import dialects_of
from wsctl.spec.units import write_duration

_PROBE_INTERVAL = 0.5
"""seconds between two looks whether the target is up"""
_GOOD = (Verdict.PASS, Verdict.SKIPPED)
_STOPPED_EARLY = "an earlier scenario did not pass (--fail-fast)"
_FAILED = "wsctl itself failed"


class Runner:
    """`result = await Runner(options, clock, listener).run(scenarios)`.

    Whatever breaks the run, `RunEnded` with a true result is told before it is raised: reports are never lost.
    """

    def __init__(self, options: RunOptions, clock: Clock, listener: Listener) -> None:
        self._options = options
        self._clock = clock
        self._listener = listener
        self._ended: list[ScenarioResult] = []
        self._current: ScenarioRun | None = None
        self._limit = asyncio.timeout(None)

    async def run(self, scenarios: Sequence[Scenario]) -> RunResult:
        """Raises Unreachable when --url does not come up, CancelledError when interrupted."""
        self._began, self._started_at = self._clock.monotonic(), self._clock.now()
        planned = list(self._planned(scenarios))
        self._listener(RunStarted(tuple(_outline(scenario, name) for scenario, name in planned), self._shown))
        cut_short = _FAILED
        try:
            async with asyncio.timeout(self._options.timeout) as self._limit:
                await self._wait_for_target(scenarios)
                await self._run_all(planned)
            cut_short = _STOPPED_EARLY
        except TimeoutError:
            cut_short = self._why_cut_short()
        except asyncio.CancelledError:
            cut_short = INTERRUPTED
            raise
        except Unreachable as error:
            cut_short = error.message
            raise
        finally:
            left = self._note_left(planned, cut_short)
            broken = left and cut_short != _STOPPED_EARLY
            result = self._result(interrupted=cut_short == INTERRUPTED, broken=broken)
            self._listener(RunEnded(result))
        return result

    def kill(self) -> None:
        """End every service at once."""
        if self._current is not None:
            self._current.kill()

    async def _run_all(self, planned: Sequence[tuple[Scenario, str]]) -> None:
        folders = unique_slugs([name for _, name in planned])
        for (scenario, name), folder in zip(planned, folders, strict=True):
            self._current = ScenarioRun(
                scenario, self._options, self._clock, self._tell, name=name, folder=folder, why=self._why_cut_short
            )
            result = await self._current.run()
            if self._options.fail_fast and result.verdict not in _GOOD:
                return

    def _tell(self, event: RunEvent) -> None:
        if isinstance(event, ScenarioEnded):
            self._ended.append(event.result)
        self._listener(event)

    def _why_cut_short(self) -> str:
        """What to say of a scenario that was cancelled."""
        if self._limit.expired() and self._options.timeout is not None:
            return f"not done within {write_duration(self._options.timeout)} (--timeout)"
        return INTERRUPTED

    def _note_left(self, planned: Sequence[tuple[Scenario, str]], reason: str) -> bool:
        """Scenarios that never began are told as well: a report that leaves them out would look complete."""
        ended = {result.name for result in self._ended}
        left = [(scenario, name) for scenario, name in planned if name not in ended]
        for scenario, name in left:
            skipped = ScenarioResult(
                name=name, file=scenario.file, verdict=Verdict.SKIPPED, duration=0.0, reason=reason
            )
            self._tell(ScenarioEnded(skipped))
        return bool(left)

    def _planned(self, scenarios: Sequence[Scenario]) -> Iterator[tuple[Scenario, str]]:
        rounds = self._options.repeat
        for number in range(1, rounds + 1):
            for scenario in scenarios:
                yield scenario, scenario.name if rounds == 1 else f"{scenario.name} [{number} of {rounds}]"

    async def _wait_for_target(self, scenarios: Sequence[Scenario]) -> None:
        target = self._options.target
        if target is None:
            return
        dialects = {name for scenario in scenarios for name in dialects_of(scenario.spec, scenario.folder, target)}
        deadline = self._clock.monotonic() + self._options.wait
        while (dialect := await missing(target, dialects)) is not None:
            if self._clock.monotonic() >= deadline:
                waited = f" within {write_duration(self._options.wait)}" if self._options.wait else ""
                hint = None if self._options.wait else "--wait 30s waits for it to come up"
                raise Unreachable(f"nothing that speaks {dialect} answered at {target.shown}{waited}", hint=hint)
            await asyncio.sleep(_PROBE_INTERVAL)

    @property
    def _shown(self) -> str | None:
        return None if self._options.target is None else self._options.target.shown

    def _result(self, *, interrupted: bool, broken: bool) -> RunResult:
        verdicts = [result.verdict for result in self._ended]
        return RunResult(
            verdict=overall([Verdict.ERROR, *verdicts] if interrupted or broken else verdicts),
            duration=self._clock.monotonic() - self._began,
            started_at=self._started_at,
            target=self._shown,
            interrupted=interrupted,
            scenarios=tuple(self._ended),
        )


def _outline(scenario: Scenario, name: str) -> Outline:
    steps = tuple(step.name or "" for _, step in scenario.spec.every_step() if not step.parallel)
    return Outline(name=name, file=scenario.file, steps=steps)

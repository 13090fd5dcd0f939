"""A run as it happens where there is no terminal: a line per thing that happens, for the logs of CI."""

from collections.abc import Callable, Iterator

from wsctl.clock import Clock
from wsctl.model.finding import Verdict
from wsctl.model.run import (
    ActionDone,
    RunEvent,
    RunStarted,
    ScenarioEnded,
    ScenarioStarted,
    ServiceStarted,
    StepEnded,
    StepResult,
    StepStarted,
)
from wsctl.report.judged import outcome
from wsctl.report.words import counted, printable
from wsctl.spec.units import format_duration


class RunLines:
    """Says `  12.3 s    flash: 1,500 connections cut`: seconds since it was made, then what happened."""

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        self._clock = clock
        self._say = say
        self._began = clock.monotonic()

    def listen(self, event: RunEvent) -> None:
        """Say what happened, if it is worth a line."""
        line = _line(event)
        if line is not None:
            self._say(f"{self._clock.monotonic() - self._began:6.1f} s  {printable(line)}")


def _line(event: RunEvent) -> str | None:
    match event:
        case RunStarted(scenarios, target):
            return counted(len(scenarios), "scenario") + (f", target {target}" if target is not None else "")
        case ScenarioStarted(name):
            return name
        case ServiceStarted(service, url):
            return f"  {service} at {url}"
        case StepStarted(name, expected):
            return f"  {name}" + (f" (about {format_duration(expected)})" if expected is not None else "")
        case ActionDone():
            return f"    {event.outcome}"
        case StepEnded(result):
            return f"  {result.verdict.value}: {result.name}{_why(list(_objections(result)))}"
        case ScenarioEnded(result):
            return f"{result.verdict.value}: {result.name}{_why([result.reason] if result.reason else [])}"
        case _:
            return None


def _objections(result: StepResult) -> Iterator[str]:
    if result.reason is not None:
        yield result.reason
    for judged in result.expectations:
        if judged.verdict is not Verdict.PASS:
            yield f"{judged.metric} {outcome(judged)}"


def _why(reasons: list[str]) -> str:
    return f": {'; '.join(reasons)}" if reasons else ""

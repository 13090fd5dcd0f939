"""A run of scenarios: what happens in it, as events for reports to listen to, and what comes out of it.

`RunResult` as JSON is result.json, whose names and shapes scripts rely on.
"""

from collections.abc import Callable

from msgspec import Struct, field

from wsctl.model.expectation import Judged
from wsctl.model.finding import Finding, Verdict
from wsctl.model.metrics import Metrics


class StepResult(Struct, frozen=True, kw_only=True):
    """One step, ended. `metrics` in base units; `duration` in seconds."""

    name: str
    verdict: Verdict
    duration: float
    metrics: dict[str, float | None] = field(default_factory=dict)
    """infinite, which JSON cannot say, is null: a time of clients that never came back"""
    expectations: tuple[Judged, ...] = ()
    reason: str | None = None
    """why it is neither pass nor a missed expectation: skipped, error, invalid"""
    notes: tuple[str, ...] = ()
    """what a reader of the figures should know, such as what was left out of them"""
    findings: tuple[Finding, ...] = ()
    """the first of what the checks objected to"""
    evidence: tuple[str, ...] = ()
    """files kept, relative to the run's --out"""


class ScenarioResult(Struct, frozen=True, kw_only=True):
    """One scenario, ended."""

    name: str
    file: str
    verdict: Verdict
    duration: float
    steps: tuple[StepResult, ...] = ()
    reason: str | None = None
    """why it has no verdict of its steps: a service did not start, the run was interrupted"""
    evidence: tuple[str, ...] = ()


class RunResult(Struct, frozen=True, kw_only=True):
    """result.json."""

    wsctl: str = "run"
    version: int = 1
    verdict: Verdict
    duration: float
    started_at: float
    """unix seconds"""
    target: str | None = None
    """the --url that took the place of the services; None: none did"""
    interrupted: bool = False
    scenarios: tuple[ScenarioResult, ...] = ()


class Outline(Struct, frozen=True, kw_only=True):
    """What a scenario is about to do: its name and those of its steps, in order (those of `parallel` one by one)."""

    name: str
    file: str
    steps: tuple[str, ...]


class RunStarted(Struct, frozen=True):
    """Everything was read and makes sense."""

    scenarios: tuple[Outline, ...]
    target: str | None


class ScenarioStarted(Struct, frozen=True):
    scenario: str


class ServiceStarted(Struct, frozen=True):
    """A service of the scenario answers at `url`."""

    service: str
    url: str


class StepStarted(Struct, frozen=True):
    step: str
    expected: float | None
    """seconds it will take, as far as known"""


class StepProgress(Struct, frozen=True):
    """What is measured so far; a few times a second."""

    step: str
    metrics: Metrics


class ActionDone(Struct, frozen=True):
    """A `during` action fired, and what came of it in words, such as `flash: 1500 connections cut`."""

    step: str
    action: str
    outcome: str


class StepEnded(Struct, frozen=True):
    result: StepResult


class ScenarioEnded(Struct, frozen=True):
    result: ScenarioResult


class RunEnded(Struct, frozen=True):
    result: RunResult


RunEvent = (
    RunStarted
    | ScenarioStarted
    | ServiceStarted
    | StepStarted
    | StepProgress
    | ActionDone
    | StepEnded
    | ScenarioEnded
    | RunEnded
)

Listener = Callable[[RunEvent], None]
"""A report. Called on the loop, in order; must not block for long."""

_GRAVEST = (
    Verdict.ERROR,
    Verdict.FAIL,
    Verdict.INVALID,
    Verdict.UNVERIFIABLE,
    Verdict.PASS,
    Verdict.SKIPPED,
)


def overall(verdicts: list[Verdict]) -> Verdict:
    """The verdict of a whole by those of its parts: the gravest; of nothing at all, unverifiable.

    A part that was skipped does not take away from one that passed, and skipped alone proves nothing.
    """
    return min(verdicts, key=_GRAVEST.index, default=Verdict.UNVERIFIABLE)

"""How far a run is: what its events said so far, for whoever draws it."""

from msgspec import Struct, field

from wsctl.clock import Clock
from wsctl.model.metrics import Metrics
from wsctl.model.run import (
    ActionDone,
    RunEvent,
    RunStarted,
    ScenarioEnded,
    ScenarioResult,
    ScenarioStarted,
    StepEnded,
    StepProgress,
    StepResult,
    StepStarted,
)


class StepState(Struct):
    """A step waits while `began` is None, and is under way until there is a result."""

    name: str
    began: float | None = None
    """monotonic seconds"""
    expected: float | None = None
    metrics: Metrics = field(default_factory=dict)
    actions: list[tuple[float, str]] = field(default_factory=list)
    """monotonic seconds, and what came of it"""
    result: StepResult | None = None


class ScenarioState(Struct):
    name: str
    steps: dict[str, StepState] = field(default_factory=dict)
    began: float | None = None
    result: ScenarioResult | None = None


class Progress:
    """Scenarios by name, in the order in which they are run; the one under way is `current`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.began = clock.monotonic()
        self.scenarios: dict[str, ScenarioState] = {}
        self.current: ScenarioState | None = None

    def listen(self, event: RunEvent) -> None:
        """Take note of what happened."""
        now = self._clock.monotonic()
        match event:
            case RunStarted(outlines, _):
                for outline in outlines:
                    steps = {name: StepState(name) for name in outline.steps}
                    self.scenarios[outline.name] = ScenarioState(outline.name, steps)
            case ScenarioStarted(name):
                self.current = self._scenario(name)
                self.current.began = now
            case ScenarioEnded(result):
                self._scenario(result.name).result = result
                self.current = None
            case StepStarted(name, expected):
                step = self._step(name)
                step.began, step.expected = now, expected
            case StepProgress(name, metrics):
                self._step(name).metrics = metrics
            case ActionDone():
                self._step(event.step).actions.append((now, event.outcome))
            case StepEnded(result):
                self._step(result.name).result = result
            case _:
                pass

    def _scenario(self, name: str) -> ScenarioState:
        return self.scenarios.setdefault(name, ScenarioState(name))

    def _step(self, name: str) -> StepState:
        assert self.current is not None, "a step belongs to a scenario that has started"
        return self.current.steps.setdefault(name, StepState(name))

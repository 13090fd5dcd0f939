"""What a kind of step is, what it gets to work with, and what it hands back."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

from wsctl.client.target import Target
from wsctl.clock import Clock
from wsctl.model.finding import Finding, Verdict
from wsctl.model.metrics import Metrics
from wsctl.model.observation import Observation
from wsctl.scenario.spec import StepSpec
from wsctl.swarm.messages import Fault


class Files(Struct, frozen=True):
    """Where a step's files are."""

    scenario: Path
    """the folder of the scenario: what it names stands there"""
    run: Path
    """the folder of the run: what steps write goes there"""

    def find(self, name: str) -> Path:
        """A file that an earlier step wrote, or else one beside the scenario."""
        written = self.run / name
        return written if written.exists() else self.scenario / name


class Context(Struct, kw_only=True):
    """What a running step may use."""

    target: Target
    """where to, and as whom"""
    tokens: dict[str, str]
    """of every user that the step names"""
    files: Files
    clock: Clock
    progress: Callable[[Metrics], None]
    """to be told what is measured so far"""
    measuring: Callable[[], None]
    """to be told once everybody is subscribed: `during` counts from then"""
    measured: Callable[[], None]
    """to be told once that is over: what it costs the server to see everybody off is not counted"""
    pid: int | None = None
    """of the service that the step aims at; None: a server that wsctl did not start"""
    on_fault: Callable[[Fault], Awaitable[None]] | None = None
    """set by the step that wants to know who was cut"""


class Outcome(Struct, kw_only=True):
    """What a step measured and found."""

    metrics: dict[str, float]
    verdict: Verdict | None = None
    """of its own, beside its expectations; None: it has none"""
    reason: str | None = None
    saturated: bool = False
    """wsctl's own clients could not keep up: what they say of latency is about themselves"""
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    observations: tuple[Observation, ...] = field(default=())
    """kept as evidence when the step does not pass"""
    files: tuple[Path, ...] = ()
    """the same, in the folder of the run"""


class StepKind(Protocol):
    """One command as a step; its module registers it in `wsctl.scenario.steps`."""

    def measures(self, step: StepSpec) -> frozenset[str]:
        """The metrics that a step of this kind can yield."""

    def seconds(self, step: StepSpec) -> float | None:
        """How long it takes, about, once it measures; None where nobody knows."""

    async def run(self, step: StepSpec, context: Context) -> Outcome:
        """Do it. Raises TargetError when the target is not there or gone for good."""

"""The kinds of steps, one file each: `KINDS` is where a new one is registered."""

from collections.abc import Mapping

from wsctl.scenario.spec import StepSpec
from wsctl.scenario.steps.emit import EmitStep
from wsctl.scenario.steps.fuzz import FuzzStep
from wsctl.scenario.steps.kind import StepKind
from wsctl.scenario.steps.load import LoadStep
from wsctl.scenario.steps.ordering_check import OrderingCheckStep
from wsctl.scenario.steps.record import RecordStep
from wsctl.scenario.steps.replay import ReplayStep
from wsctl.scenario.steps.subscribe import SubscribeStep

KINDS: Mapping[str, StepKind] = {
    "subscribe": SubscribeStep(),
    "ordering-check": OrderingCheckStep(),
    "emit": EmitStep(),
    "record": RecordStep(),
    "replay": ReplayStep(),
    "load": LoadStep(),
    "fuzz": FuzzStep(),
}


def kind_of(step: StepSpec) -> StepKind:
    """The kind of a step that has a command."""
    return KINDS[step.command[0]]

"""A scenario against --url: what its steps ask must be sayable in the dialect spoken there."""

from wsctl.client.target import Target
from wsctl.scenario.check_speech import check_speech
from wsctl.scenario.read import Scenario
from wsctl.scenario.skipping import skip_reason


def check_aimed(scenario: Scenario, target: Target) -> None:
    """Raise UsageError, located, for the first step that cannot be done there and would not be skipped."""
    for path, step in scenario.spec.every_step():
        if not step.parallel and skip_reason(step, scenario.spec) is None:
            check_speech(scenario.document, path, step, scenario.spec, scenario.folder, target.dialect)

"""A scenario against --url: what its steps ask must be sayable in the dialect spoken there, and may be done to it."""

from wsctl.client.target import Target
from wsctl.scenario.check_speech import check_speech
from wsctl.scenario.read import Scenario
from wsctl.scenario.skipping import skip_reason
from wsctl.swarm.clocks import is_loopback


def check_aimed(scenario: Scenario, target: Target) -> None:
    """Raise UsageError, located, for the first step that cannot be done there and would not be skipped."""
    for path, step in scenario.spec.every_step():
        if step.parallel or skip_reason(step, scenario.spec) is not None:
            continue
        check_speech(scenario.document, path, step, scenario.spec, scenario.folder, target.dialect)
        if step.fuzz is not None and not step.fuzz.i_own_this_target and not is_loopback(target):
            raise scenario.document.value_error(
                (*path, "fuzz"),
                f"{target.shown} is not on this machine; fuzzing may harm what it meets",
                hint="i_own_this_target: true says that you may do that to it",
            )

"""An emit step: one event, its acknowledgement, and what comes back."""

from typing import Any

from wsctl.errors import Refused
from wsctl.model.finding import Verdict
from wsctl.model.observation import Observation
from wsctl.scenario.spec import EmitSpec, StepSpec
from wsctl.scenario.steps.kind import Context, Outcome
from wsctl.watch.emission import Answers, emit
from wsctl.watch.measures import AUTHENTICATION_ERROR

_DENIED = ("access_denied", "auth_required")


class EmitStep:
    """`wsctl emit` as a step."""

    def measures(self, step: StepSpec) -> frozenset[str]:
        """Whether we were let in, what the acknowledgement said, and what came."""
        return frozenset(
            {
                "connections.asked",
                "connections.opened",
                "connections.refused",
                "auth.refused",
                "auth.denied",
                "acks.ok",
                "acks.refused",
                "messages.received",
            }
        )

    def seconds(self, step: StepSpec) -> float:
        """How long it waits."""
        return _options(step).wait

    async def run(self, step: StepSpec, context: Context) -> Outcome:
        """Send it."""
        options = _options(step)
        context.measuring()
        try:
            answers = await emit(
                context.target, options.event, list(options.args), wait=options.wait, clock=context.clock
            )
        except Refused as error:
            unauthorised = AUTHENTICATION_ERROR in error.message
            metrics = {"connections.opened": 0, "connections.refused": 1, "auth.refused": int(unauthorised)}
            return _outcome({"connections.asked": 1, **metrics}, error.message, step)
        return _outcome(_metrics(answers), _objection(answers), step, tuple(answers.events))


def _outcome(
    metrics: dict[str, float], objection: str | None, step: StepSpec, observations: tuple[Observation, ...] = ()
) -> Outcome:
    """Expectations say what was to come; without any, it is an acknowledgement that does not say no."""
    failed = objection is not None and not step.expect
    verdict = Verdict.FAIL if failed else None
    return Outcome(metrics=metrics, verdict=verdict, reason=objection, observations=observations)


def _objection(answers: Answers) -> str | None:
    if answers.acknowledgement is None:
        return f"the connection ended: {answers.ended}" if answers.ended else "no acknowledgement came"
    refusal = _refusal(answers.acknowledgement)
    return None if refusal is None else f"refused: {refusal}"


def _metrics(answers: Answers) -> dict[str, float]:
    metrics: dict[str, float] = {
        "connections.asked": 1,
        "connections.opened": 1,
        "connections.refused": 0,
        "auth.refused": 0,
        "messages.received": len(answers.events) + answers.left_out,
    }
    if answers.acknowledgement is not None:
        refusal = _refusal(answers.acknowledgement)
        metrics["acks.refused"] = int(refusal is not None)
        metrics["acks.ok"] = int(refusal is None)
        metrics["auth.denied"] = int(refusal in _DENIED)
    return metrics


def _refusal(acknowledgement: list[Any]) -> str | None:
    """The code of an acknowledgement that says no; None for one that does not."""
    first = acknowledgement[0] if acknowledgement else None
    if isinstance(first, dict) and first.get("ok") is False:
        return str(first.get("code"))
    return None


def _options(step: StepSpec) -> EmitSpec:
    assert step.emit is not None
    return step.emit

"""From what a step measured to its result: each expectation judged, and the step by the gravest of them."""

import math
from collections.abc import Iterable

from msgspec import structs

from wsctl.model.expectation import Expectation, Judged, expect_all
from wsctl.model.finding import Verdict
from wsctl.model.run import StepResult, overall
from wsctl.scenario.losses import unexpected_loss
from wsctl.scenario.spec import StepSpec
from wsctl.scenario.steps.kind import Outcome

SATURATED = "wsctl's own clients could not keep up: their latencies are about themselves"
NOT_OURS = "a server that wsctl did not start cannot be looked into"
NOTHING_CAME = "nothing came, and nothing was expected"


def expectations(step: StepSpec) -> tuple[Expectation, ...]:
    """What a step expects; each bound of a list for itself."""
    return expect_all(step.expect)


def judge(step: StepSpec, outcome: Outcome, *, duration: float, ours: bool) -> StepResult:
    """The result of a step that ran to its end; `ours`: wsctl started the server, so server.* could be measured."""
    judged = tuple(_judged(expectation, outcome, ours) for expectation in expectations(step))
    verdicts = [one.verdict for one in judged]
    if outcome.verdict is not None:
        verdicts.append(outcome.verdict)
    reason = outcome.reason
    # a load says itself whom it lost: its users come and go
    if step.load is None and (loss := unexpected_loss(outcome.metrics, step.expect)) is not None:
        verdicts.append(Verdict.FAIL)
        reason = reason or loss
    elif not verdicts and _heard_nothing(outcome):
        verdicts.append(Verdict.UNVERIFIABLE)
        reason = reason or NOTHING_CAME
    verdict = overall(verdicts or [Verdict.PASS])
    passed = verdict is Verdict.PASS
    return StepResult(
        name=step.name or "",
        verdict=verdict,
        duration=duration,
        metrics=storable(outcome.metrics),
        expectations=judged,
        reason=None if passed else reason,
        notes=(*outcome.notes, *_notes(outcome, judged), *_asides(outcome, passed)),
        findings=outcome.findings,
    )


def storable(metrics: dict[str, float]) -> dict[str, float | None]:
    """As JSON can say them."""
    return {name: value if math.isfinite(value) else None for name, value in sorted(metrics.items())}


def _judged(expectation: Expectation, outcome: Outcome, ours: bool) -> Judged:
    judged = expectation.judge(outcome.metrics)
    if not ours and expectation.metric.startswith("server.") and judged.observed is None:
        return structs.replace(judged, verdict=Verdict.SKIPPED, reason=NOT_OURS)
    if outcome.saturated and expectation.metric.startswith(("latency.", "fanout.spread")):
        return structs.replace(judged, verdict=Verdict.INVALID, reason=SATURATED)
    return judged


def _heard_nothing(outcome: Outcome) -> bool:
    """Of a step that listens."""
    return "connections.receiving" in outcome.metrics and not outcome.metrics.get("messages.received")


def _asides(outcome: Outcome, passed: bool) -> tuple[str, ...]:
    """What ended the step is no reason where it was expected, and worth knowing all the same."""
    return (outcome.reason,) if passed and outcome.reason is not None else ()


def _notes(outcome: Outcome, judged: Iterable[Judged]) -> tuple[str, ...]:
    invalid = any(one.verdict is Verdict.INVALID for one in judged)
    return (SATURATED,) if outcome.saturated and not invalid else ()

"""An ordering-check step: as subscribe with one client, and a verdict of its own on the order of what came."""

from wsctl.checks.ordering import OrderingCheck
from wsctl.model.finding import Verdict
from wsctl.model.run import overall
from wsctl.scenario.spec import OrderingCheckSpec, StepSpec
from wsctl.scenario.steps.kind import Context, Outcome
from wsctl.scenario.steps.listening import listen, measured_by_one, watch_options


class OrderingCheckStep:
    """`wsctl ordering-check` as a step."""

    def measures(self, step: StepSpec) -> frozenset[str]:
        """What one client measures."""
        return measured_by_one(step)

    def seconds(self, step: StepSpec) -> float:
        """How long it listens."""
        return _options(step).duration

    async def run(self, step: StepSpec, context: Context) -> Outcome:
        """Listen and judge."""
        measures, outcome = await listen(watch_options(_options(step), context.target), step, context)
        outcome.verdict = overall([measures.ordering.verdict, *([outcome.verdict] if outcome.verdict else [])])
        outcome.reason = outcome.reason or _reason(measures.ordering)
        return outcome


def _reason(check: OrderingCheck) -> str | None:
    if check.verdict is Verdict.UNVERIFIABLE:
        if not any(report.messages for report in check.channels.values()):
            return "nothing came"
        absent = any(report.unnumbered and report.scheme != "none" for report in check.channels.values())
        return "no sequence numbers where they are looked for" if absent else "no numbers that show what is missing"
    objections = sum(report.objections for report in check.channels.values())
    return f"{objections:,} finding{'s' * (objections != 1)}" if objections else None


def _options(step: StepSpec) -> OrderingCheckSpec:
    assert step.ordering_check is not None
    return step.ordering_check

"""A load step: `wsctl load`, aimed at a service."""

from wsctl.load import preflight
from wsctl.load.course import Course
from wsctl.load.messages import Done, Second
from wsctl.load.options import Control, LoadOptions, stages_of, tokens_of
from wsctl.load.outcome.clock import EXACT
from wsctl.load.outcome.figures import warmup_of
from wsctl.load.outcome.verdict import MEASURED
from wsctl.load.run import Event, LoadRun
from wsctl.model.expectation import expect_all
from wsctl.model.finding import Verdict
from wsctl.scenario.skipping import users_of
from wsctl.scenario.spec import LoadStepSpec, StepSpec
from wsctl.scenario.steps.kind import Context, Outcome
from wsctl.scenario.steps.listening import without


class LoadStep:
    """`wsctl load` as a step."""

    def measures(self, step: StepSpec) -> frozenset[str]:
        """What a load does, but for what takes options of the command."""
        return without(MEASURED, "target.", "connections.limit")

    def seconds(self, step: StepSpec) -> float:
        """As long as its course."""
        return Course(stages_of(_options(step))).duration

    async def run(self, step: StepSpec, context: Context) -> Outcome:
        """Follow the course. Raises TargetError for a target that is not there, or gone for good."""
        run: LoadRun | None = None

        def listen(event: Event) -> None:
            assert run is not None, "it tells once it runs"
            if isinstance(event, Second) and event.elapsed > run.figures.warmup:
                context.measuring()
                if event.stage is None:  # the course is over
                    context.measured()
            if isinstance(event, Second | Done):
                context.progress(run.figures.metrics())

        options, tight = _load_options(step, context)
        run = LoadRun(options, context.clock, listen)
        result = await run.run()
        if run.failure is not None:
            raise run.failure
        return Outcome(
            metrics={name: value for name, value in result.metrics.items() if value is not None},
            # missed expectations, and those that a busy generator makes invalid, are judged with the others of the run
            verdict=None if result.reason is None or result.verdict is Verdict.INVALID else result.verdict,
            reason=result.reason,
            saturated=run.figures.saturated is not None,
            notes=(*tight, *result.notes, *([] if result.clock == EXACT else [f"clock: {result.clock}"])),
        )


def measured_for(options: LoadStepSpec) -> float:
    """Seconds from the end of its warm-up, which actions count from, to the end of its course."""
    stages = stages_of(options)
    warmup = warmup_of(stages) if options.warmup is None else options.warmup
    return max(0.0, round(Course(stages).duration - warmup, 9))  # 0.1 + 0.2 is 0.3


def _load_options(step: StepSpec, context: Context) -> tuple[LoadOptions, list[str]]:
    """And notes on what is tight on this machine. Raises UsageError for what it cannot hold."""
    options = _options(step)
    users = users_of(step)
    tokens = (
        tuple(context.tokens[user] for user in users) if users else tokens_of(options.tokens, context.files.scenario)
    )
    most = Course(stages_of(options)).most
    machine = preflight.this_machine()
    addresses = preflight.source_addresses(context.target, most, machine)
    tight = preflight.require(machine, most, workers=options.workers, addresses=len(addresses))
    made = LoadOptions(
        target=context.target,
        spec=options,
        name=step.name or "",
        tokens=tokens,
        expected=tuple(one for one in expect_all(step.expect) if not one.metric.startswith("server.")),  # not ours
        addresses=addresses,
        control=Control(workers=options.workers),
    )
    return made, tight


def _options(step: StepSpec) -> LoadStepSpec:
    assert step.load is not None
    return step.load

"""A fuzz step: `wsctl fuzz`, aimed at a service, whose process is watched."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import SystemRandom

from wsctl.fuzz import sketch
from wsctl.fuzz.events import Event, Planned
from wsctl.fuzz.expected import measured
from wsctl.fuzz.options import WAIT, FuzzOptions, cases_meant
from wsctl.fuzz.probe import Verdict as CaseVerdict
from wsctl.fuzz.progress import Progress
from wsctl.fuzz.result import Failure, ProbeResult
from wsctl.model.finding import Verdict
from wsctl.scenario.spec import FuzzSpec, StepSpec
from wsctl.scenario.steps.kind import Context, Outcome


class FuzzStep:
    """`wsctl fuzz` as a step."""

    def measures(self, step: StepSpec) -> frozenset[str]:
        """What came of probes and cases, and how the connection beside them fared."""
        cases = bool(_cases(step)) or _options(step).repro is not None
        return measured(cases=cases) | {"server.cpu", "server.rss"}

    def seconds(self, step: StepSpec) -> float | None:
        """Nobody knows: that is the target's doing."""
        return None

    async def run(self, step: StepSpec, context: Context) -> Outcome:
        """Attack it. Raises TargetError for a target that is not there to begin with, UsageError for one elsewhere."""
        from wsctl.fuzz.run import FuzzRun  # what generates takes a while to import

        progress = Progress()

        def listen(event: Event) -> None:
            progress.listen(event)
            if isinstance(event, Planned):
                context.measuring()
            context.progress(progress.metrics)

        result = await FuzzRun(_fuzz_options(step, context), context.clock, listen).run()
        context.measured()
        failures = () if result.generated is None else result.generated.failures
        seed = () if result.generated is None else (f"seed {result.seed}",)
        return Outcome(
            metrics=result.metrics,
            verdict=None if result.verdict is Verdict.PASS else result.verdict,
            reason=result.reason or "; ".join(_failed(result.probes, failures)) or None,
            notes=(*map(_told, failures), *_inconclusive(result.probes), *seed, *result.notes),
            files=() if _options(step).repro else tuple(Path(one.repro) for one in failures if one.repro is not None),
        )


def _fuzz_options(step: StepSpec, context: Context) -> FuzzOptions:
    options, files = _options(step), context.files
    return FuzzOptions(
        target=context.target,
        seed=SystemRandom().randrange(2**32) if options.seed is None else options.seed,
        name=step.name or "",
        probes=options.probes,
        groups=options.groups,
        cases=_cases(step),
        corpus=tuple(files.find(name) for name in options.corpus),
        repro=None if options.repro is None else files.find(options.repro),
        pid=context.pid,
        max_stall=options.max_stall,
        max_bytes=options.max_bytes,
        rate=options.rate,
        duration=options.duration,
        wait=WAIT if context.pid is None else 0.0,  # nobody starts a service anew
        fail_fast=options.fail_fast,
        out=files.run,
        allow_remote=options.i_own_this_target,
    )


def _failed(probes: Iterable[ProbeResult], failures: Iterable[Failure]) -> Iterator[str]:
    for probe in probes:
        if probe.verdict is CaseVerdict.FAILED:
            yield f"{probe.id} {probe.title}: {', '.join((probe.ending, *probe.harms))}"
    for failure in failures:
        yield f"a generated case: {', '.join(failure.harms)}"


def _inconclusive(probes: Iterable[ProbeResult]) -> Iterator[str]:
    reasons = Counter(one.reason or one.ending for one in probes if one.verdict is CaseVerdict.INCONCLUSIVE)
    for reason, number in reasons.items():
        yield f"{number} inconclusive: {reason}"


def _told(failure: Failure) -> str:
    return f"the generated case: {', then '.join(map(sketch.words, failure.case.steps))}"


def _cases(step: StepSpec) -> int:
    options = _options(step)
    return cases_meant(options.cases, probes=options.probes, corpus=tuple(map(Path, options.corpus)))


def _options(step: StepSpec) -> FuzzSpec:
    assert step.fuzz is not None
    return step.fuzz

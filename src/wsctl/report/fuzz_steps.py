"""Fuzzing as a run whose steps are probes and generated cases, for reports that know only runs."""

from collections.abc import Iterator

from wsctl.fuzz import sketch
from wsctl.fuzz.probe import Verdict as CaseVerdict
from wsctl.fuzz.result import Failure, FuzzResult, Generated, ProbeResult
from wsctl.model.expectation import Judged
from wsctl.model.finding import Verdict
from wsctl.model.run import RunResult, ScenarioResult, StepResult, overall

_VERDICTS = {
    CaseVerdict.PASSED: Verdict.PASS,
    CaseVerdict.NON_STRICT: Verdict.PASS,
    CaseVerdict.INCONCLUSIVE: Verdict.SKIPPED,
    CaseVerdict.FAILED: Verdict.FAIL,
}


def as_run(result: FuzzResult) -> RunResult:
    """A scenario of one step for each probe, each failure of a generated case, and what was expected."""
    scenario = ScenarioResult(
        name=result.name,
        file="",
        verdict=result.verdict,
        duration=result.duration,
        steps=tuple(_steps(result)),
        reason=result.reason,
    )
    return RunResult(
        verdict=result.verdict,
        duration=result.duration,
        started_at=result.started_at,
        target=result.target,
        interrupted=result.interrupted,
        scenarios=(scenario,),
    )


def _steps(result: FuzzResult) -> Iterator[StepResult]:
    yield from map(_probe, result.probes)
    if result.generated is not None:
        yield from _generated(result.generated)
    if result.expectations:
        yield _expected(result.expectations)


def _probe(probe: ProbeResult) -> StepResult:
    verdict = _VERDICTS[probe.verdict]
    notes = (probe.source, f"expected {probe.expected}", *([f"sent {probe.sent}"] if probe.sent else ()))
    return StepResult(
        name=f"{probe.id} {probe.title}" + (f" ({probe.case})" if probe.case and verdict is Verdict.FAIL else ""),
        verdict=verdict,
        duration=probe.seconds,
        reason=None if verdict is Verdict.PASS else probe.reason or "; ".join((probe.ending, *probe.harms)),
        notes=notes if verdict is Verdict.FAIL else (),
    )


def _generated(generated: Generated) -> Iterator[StepResult]:
    """One for each failure, or one for all that did no harm."""
    for number, failure in enumerate(generated.failures, 1):
        yield _failure(f"generated case {number}", failure)
    if not generated.failures:
        verdict = Verdict.PASS if generated.cases else Verdict.SKIPPED
        yield StepResult(name="generated cases", verdict=verdict, duration=0.0, reason=generated.reason)


def _failure(name: str, failure: Failure) -> StepResult:
    return StepResult(
        name=name,
        verdict=Verdict.FAIL,
        duration=0.0,
        reason="; ".join(failure.harms),
        notes=tuple(map(sketch.words, failure.case.steps)),
        evidence=() if failure.repro is None else (failure.repro,),
    )


def _expected(expectations: tuple[Judged, ...]) -> StepResult:
    verdict = overall([one.verdict for one in expectations])
    return StepResult(name="expected", verdict=verdict, duration=0.0, expectations=expectations)

"""Tally: what the verdicts of probes and what came of generated cases amount to."""

from collections import Counter

from wsctl.fuzz.probe import Verdict as CaseVerdict
from wsctl.fuzz.result import Generated
from wsctl.model.finding import Verdict


def metrics_of(counts: Counter[CaseVerdict]) -> dict[str, float]:
    """The counts by their names."""
    metrics: dict[str, float] = {"fuzz.probes": counts.total()}
    return metrics | {f"fuzz.{one.value.replace('-', '_')}": counts[one] for one in CaseVerdict}


def verdict_of(
    counts: Counter[CaseVerdict], generated: Generated | None = None, *, interrupted: bool
) -> tuple[Verdict, str | None]:
    """The whole's, and why it is neither pass nor a probe's or case's failure."""
    if counts[CaseVerdict.FAILED] or (generated is not None and generated.failures):
        return Verdict.FAIL, None
    if interrupted:
        return Verdict.ERROR, "interrupted"
    if counts[CaseVerdict.PASSED] + counts[CaseVerdict.NON_STRICT] or (generated is not None and generated.conclusive):
        return Verdict.PASS, None
    return Verdict.UNVERIFIABLE, f"no {'probe' if generated is None else 'case'} could be carried out"

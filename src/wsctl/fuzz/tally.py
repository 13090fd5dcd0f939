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
    counts: Counter[CaseVerdict],
    generated: Generated | None = None,
    drift: tuple[str, ...] = (),
    *,
    broken: str | None,
) -> tuple[Verdict, str | None]:
    """The whole's, and why it is neither pass nor a probe's or case's failure.

    `broken` says why it ended before all was played, if that was neither a failure nor the time.
    """
    if counts[CaseVerdict.FAILED] or (generated is not None and generated.failures):
        return Verdict.FAIL, None
    if drift:
        return Verdict.FAIL, f"the target's process keeps what it took: {', '.join(drift)}"
    if broken is not None:
        return Verdict.ERROR, broken
    if counts[CaseVerdict.PASSED] + counts[CaseVerdict.NON_STRICT] or (generated is not None and generated.conclusive):
        return Verdict.PASS, None
    return Verdict.UNVERIFIABLE, f"no {'probe' if generated is None else 'case'} could be carried out"


def times(number: int) -> str:
    """Once, twice …"""
    return "once" if number == 1 else f"{number:,} times"


def not_applying(number: int, what: str) -> str:
    """A note about probes that were asked for."""
    return f"{number} {'probe does' if number == 1 else 'probes do'} not apply to {what}"


def not_played(number: int, why: str) -> str:
    """A note about probes that were asked for."""
    return f"{number} {'probe was' if number == 1 else 'probes were'} not played: {why}"

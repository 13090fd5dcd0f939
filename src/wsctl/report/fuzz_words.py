"""Words that the reports of fuzzing share. None of them says that anything is secure."""

from collections.abc import Mapping

from rich.text import Text

from wsctl.fuzz.probe import Verdict

_STYLES = {
    Verdict.PASSED: "green",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NON_STRICT: "cyan",
    Verdict.FAILED: "bold red",
}


def case_verdict(verdict: Verdict) -> Text:
    """The verdict of a probe or a case, in its colour."""
    return Text(verdict.value, style=_STYLES[verdict])


def tally(counts: Mapping[str, int]) -> str:
    """`45 passed, 1 non-strict, 1 failed`; of verdicts that nothing had, nothing."""
    return ", ".join(f"{counts[one]:,} {one.value}" for one in Verdict if counts.get(one))

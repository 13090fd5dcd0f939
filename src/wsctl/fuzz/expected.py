"""What is expected of fuzzing, beside that nothing fails."""

from collections.abc import Iterable

from msgspec import structs

from wsctl.errors import UsageError
from wsctl.fuzz.result import FuzzResult
from wsctl.model.expectation import Expectation
from wsctl.model.metrics import METRICS
from wsctl.model.run import overall

MEASURED = frozenset(name for name in METRICS if name.startswith(("fuzz.", "canary.")))
OF_CASES = frozenset({"fuzz.cases", "fuzz.failures"})
"""those that are about generated cases"""


def measured(*, cases: bool) -> frozenset[str]:
    """By attacking a server; `cases`: with generated ones, or that of a file."""
    return MEASURED if cases else MEASURED - OF_CASES


def measured_of_clients() -> frozenset[str]:
    """By attacking clients, beside whom nobody is."""
    return frozenset(name for name in MEASURED - OF_CASES if not name.startswith("canary."))


def check_measured(expected: Iterable[Expectation], known: frozenset[str]) -> None:
    """Raise UsageError for what this fuzzing does not measure."""
    for one in expected:
        if one.metric not in known:
            which = "this fuzzing" if one.metric in MEASURED else "fuzzing"
            raise UsageError(
                f"{one.metric} is not measured by {which}", hint=f"measured are {', '.join(sorted(known))}"
            )


def judged(result: FuzzResult, expected: Iterable[Expectation]) -> FuzzResult:
    """The result, and what came of what was expected: its verdict is the gravest of all."""
    expectations = tuple(one.judge(result.metrics) for one in expected)
    verdict = overall([result.verdict, *(one.verdict for one in expectations)])
    return structs.replace(result, verdict=verdict, expectations=expectations)

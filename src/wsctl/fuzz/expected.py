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


def check_measured(expected: Iterable[Expectation]) -> None:
    """Raise UsageError for what fuzzing does not measure."""
    for one in expected:
        if one.metric not in MEASURED:
            raise UsageError(
                f"{one.metric} is not measured by fuzzing", hint=f"measured are {', '.join(sorted(MEASURED))}"
            )


def judged(result: FuzzResult, expected: Iterable[Expectation]) -> FuzzResult:
    """The result, and what came of what was expected: its verdict is the gravest of all."""
    expectations = tuple(one.judge(result.metrics) for one in expected)
    verdict = overall([result.verdict, *(one.verdict for one in expectations)])
    return structs.replace(result, verdict=verdict, expectations=expectations)

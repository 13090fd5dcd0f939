"""The Clopper-Pearson bound: against published figures, and against exact arithmetic."""

from decimal import Decimal, localcontext
from math import comb
from time import perf_counter

import pytest

from wsctl.checks.proportion import lower_bound


@pytest.mark.parametrize(
    ("failures", "trials"), [(0, 1_497), (1, 2_371), (2, 3_146), (3, 3_875), (4, 4_575), (5, 5_254)]
)
def test_the_fewest_trials_that_prove_998_per_mille(failures: int, trials: int) -> None:
    assert lower_bound(trials - failures, trials) >= 0.998
    assert lower_bound(trials - 1 - failures, trials - 1) < 0.998


@pytest.mark.parametrize(
    ("failures", "trials", "percent"), [(0, 500, 99.26), (2, 1_000, 99.28), (10, 5_000, 99.63), (20, 10_000, 99.69)]
)
def test_the_lower_ends_of_two_sided_intervals(failures: int, trials: int, percent: float) -> None:
    assert round(100 * lower_bound(trials - failures, trials, confidence=0.975), 2) == percent


def test_without_failures_it_is_a_root() -> None:
    assert lower_bound(1_497, 1_497) == pytest.approx(0.05 ** (1 / 1_497), abs=1e-14)
    assert lower_bound(1, 1) == pytest.approx(0.05, abs=1e-14)


@pytest.mark.parametrize(
    ("successes", "trials", "confidence"),
    [
        (1, 2, 0.95),
        (1, 1_000, 0.95),
        (37, 60, 0.95),
        (60, 60, 0.5),
        (7, 10, 0.5),
        (500, 1_000, 0.999),
        (2_370, 2_371, 0.95),
    ],
)
def test_it_is_exact(successes: int, trials: int, confidence: float) -> None:
    def as_good(rate: Decimal) -> Decimal:
        """How likely so many successes or more are."""
        terms = (comb(trials, n) * rate**n * (1 - rate) ** (trials - n) for n in range(successes, trials + 1))
        return sum(terms, Decimal(0))

    bound, alpha = Decimal(lower_bound(successes, trials, confidence)), 1 - Decimal(confidence)
    with localcontext(prec=60):
        assert as_good(bound - Decimal("1e-11")) < alpha < as_good(bound + Decimal("1e-11"))


def test_nothing_proves_nothing() -> None:
    assert lower_bound(0, 0) == 0.0
    assert lower_bound(0, 1_500) == 0.0


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((2, 1), "2 of 1 succeeded; expected 0 to 1"),
        ((-1, 1), "-1 of 1 succeeded; expected 0 to 1"),
        ((1, 1, 1.0), "confidence is 1; expected 0.5 to below 1"),
        ((1, 1, 0.4), "confidence is 0.4; expected 0.5 to below 1"),
    ],
)
def test_refuses_what_cannot_be(counts: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lower_bound(*counts)


def test_it_is_fast_where_it_is_slowest() -> None:
    began = perf_counter()
    bound = lower_bound(50_000, 100_000)
    assert perf_counter() - began < 0.5  # takes some 20 ms
    assert bound == pytest.approx(0.4974, abs=1e-4)

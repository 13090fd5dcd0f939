"""What a count of successes proves about the rate behind it: the exact bound of Clopper and Pearson (1934)."""

from math import exp, lgamma, log, log1p


def lower_bound(successes: int, trials: int, confidence: float = 0.95) -> float:
    """The rate, 0 to 1, that is exceeded with a confidence of 0.5 to 1 (one-sided); 0 where nothing succeeded.

    0 of 1,497 failing proves 99.8 % with a confidence of 95 %; 0 of 1,496 does not. Raises ValueError for counts
    and confidences that cannot be.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} succeeded; expected 0 to {trials}")
    if not 0.5 <= confidence < 1:
        raise ValueError(f"confidence is {confidence:g}; expected 0.5 to below 1")
    if successes == 0:
        return 0.0
    failures = trials - successes
    # Halve the failure rates from the observed one, under which so few failures are likely, up to certainty.
    low, high = failures / trials, 1.0
    while low < (middle := (low + high) / 2) < high:
        if _at_most(failures, trials, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return 1 - high


def _at_most(failures: int, trials: int, rate: float) -> float:
    """How likely at most so many failures are, at a failure rate not below the observed one.

    The terms of the binomial then shrink from `failures` down, so the sum ends where they no longer count.
    """
    ways = lgamma(trials + 1) - lgamma(failures + 1) - lgamma(trials - failures + 1)
    term = exp(ways + failures * log(rate) + (trials - failures) * log1p(-rate))
    total = 0.0
    for count in range(failures, -1, -1):
        total += term
        if term <= total * 1e-17:
            break
        term *= count / (trials - count + 1) * (1 - rate) / rate
    return total

"""Delays: within the doubling limit, spread over all of it, and the same for the same seed."""

from itertools import islice
from random import Random

from wsctl.client.backoff import delays
from wsctl.client.target import Reconnect


def test_limits_double_up_to_the_cap() -> None:
    class Highest(Random):
        def uniform(self, a: float, b: float) -> float:
            assert a == 0
            return b

    policy = Reconnect(delay=1, delay_max=30)
    assert list(islice(delays(policy, Highest()), 7)) == [1, 2, 4, 8, 16, 30, 30]
    assert list(islice(delays(Reconnect(delay=5, delay_max=2), Highest()), 2)) == [2, 2]


def test_full_jitter_from_a_seed() -> None:
    policy = Reconnect(delay=1, delay_max=1)
    seen = list(islice(delays(policy, Random(1)), 1000))
    assert seen == list(islice(delays(policy, Random(1)), 1000))
    assert min(seen) < 0.01
    assert max(seen) > 0.99
    assert 0.45 < sum(seen) / len(seen) < 0.55

"""Delays: the policies' own sequences where chance is taken out, their spread where it is not, and seeds."""

from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import backoff

from wsctl.client.backoff import USUAL, delays, heeded
from wsctl.client.target import Policy, Reconnect
from wsctl.errors import Refused, Unreachable

POLICIES: tuple[Policy, ...] = get_args(Policy)


class Chance(Random):
    """One that always answers the same."""

    def __init__(self, value: float) -> None:
        super().__init__(0)
        self.value = value

    def random(self) -> float:
        return self.value

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self.value


def usual(policy: Policy) -> Reconnect:
    """As the policy has it."""
    delay, delay_max = USUAL[policy]
    return Reconnect(policy=policy, delay=delay, delay_max=delay_max)


def first(policy: Policy, number: int, random: Random) -> list[float]:
    """So many delays."""
    return list(islice(delays(usual(policy), random), number))


def columns(policy: Policy, number: int, clients: int = 2000) -> Iterator[list[float]]:
    """The n-th delays of many clients."""
    return map(list, zip(*(first(policy, number, Random(seed)) for seed in range(clients)), strict=True))


def test_limits_double_up_to_the_cap() -> None:
    highest = Chance(1.0)
    assert list(islice(delays(Reconnect(delay=1, delay_max=30), highest), 7)) == [1, 2, 4, 8, 16, 30, 30]
    assert list(islice(delays(Reconnect(delay=5, delay_max=2), highest), 2)) == [2, 2]


def test_full_jitter_spreads_over_all_of_the_limit() -> None:
    for limit, seen in zip((1, 2, 4, 8, 16, 30, 30), columns("full-jitter", 7), strict=True):
        assert min(seen) < 0.01 * limit
        assert 0.99 * limit < max(seen) <= limit
        assert 0.45 * limit < sum(seen) / len(seen) < 0.55 * limit


def test_fixed() -> None:
    assert first("fixed", 3, Random(1)) == [1, 1, 1]


def test_socketio_js_loses_its_jitter_at_the_cap() -> None:
    """Half of it either way, by the first decimal; of the fourth nine in ten wait the cap, of the fifth all."""
    assert first("socket.io-client", 5, Chance(0.0)) == [1, 2, 4, 5, 5]
    assert first("socket.io-client", 3, Chance(0.2)) == pytest.approx([0.9, 1.8, 3.6])
    assert first("socket.io-client", 3, Chance(0.5)) == pytest.approx([1.25, 2.5, 5])
    one, two, three, four, *later = columns("socket.io-client", 7)
    for seen, limit in ((one, 1), (two, 2), (three, 4)):
        assert 0.5 * limit <= min(seen) < 0.65 * limit
        assert max(seen) > 1.4 * limit or max(seen) == 5
    assert 0.87 < sum(delay == 5 for delay in four) / len(four) < 0.93
    assert {delay for seen in later for delay in seen} == {5}


def test_socketio_python_varies_by_half_a_second_whatever_the_delay() -> None:
    for limit, seen in zip((1, 2, 4, 5, 5), columns("python-socketio", 5), strict=True):
        assert limit - 0.5 <= min(seen) < limit - 0.49
        assert limit + 0.49 < max(seen) <= limit + 0.5


def test_websockets_is_the_librarys_own_but_for_trying_at_once() -> None:
    immediate, after_one, *later = columns("websockets", 14)
    assert set(immediate) == {0}
    assert min(after_one) < 0.01
    assert 4.99 < max(after_one) < 5
    assert [set(seen) for seen in later] == [{delay} for delay in islice(backoff(), 1, 13)]


@given(st.sampled_from(POLICIES), st.floats(0.01, 10), st.floats(0.01, 100), st.integers())
def test_delays_are_bounded_and_the_seeds_own(policy: Policy, delay: float, delay_max: float, seed: int) -> None:
    """However long it goes on."""
    policy_ = Reconnect(policy=policy, delay=delay, delay_max=delay_max)
    seen = list(islice(delays(policy_, Random(seed)), 1500))
    assert seen == list(islice(delays(policy_, Random(seed)), 1500))
    assert min(seen) >= 0
    assert max(seen) <= max(5.0, delay, delay_max + 0.5)


def test_who_heeds_a_retry_after() -> None:
    told = Unreachable("answers 429", retry_after=7.0)
    assert {policy: heeded(told, usual(policy)) for policy in POLICIES} == {
        **dict.fromkeys(POLICIES, 0),
        "full-jitter": 7,
    }
    assert [heeded(error, Reconnect()) for error in (None, Refused("no"), Unreachable("gone"))] == [0, 0, 0]

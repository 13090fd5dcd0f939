"""Whether a message is news to a client that came back: by number, by time, by what it says."""

from typing import Any

import pytest

from wsctl.checks.freshness import Had
from wsctl.checks.ordering import OrderingCheck
from wsctl.model.observation import Observation

BEFORE = 100.0
"""unix seconds: when the client's last message was sent"""


def seen(seq: int | None = None, epoch: str | None = None, sent_at: float | None = None, **data: Any) -> Observation:
    return Observation(200.0, "c1", "c", "e", epoch, seq, sent_at, None, data)


def had(scheme: str, *messages: Observation) -> Had:
    """What a client has that received these, on a channel of a scheme."""
    check = OrderingCheck(lambda channel: scheme)
    for message in messages:
        check.add(message)
    lane = check.lane("c1", "c")
    assert lane is not None
    return Had.of(lane)


@pytest.mark.parametrize("scheme", ["counter", "range", "monotonic", "chain"])
def test_a_higher_number_is_news_whatever_the_scheme(scheme: str) -> None:
    before = Had(None, 7, (seen(7, sent_at=BEFORE),))
    assert before.is_passed_by(seen(8, sent_at=BEFORE - 1))
    assert not before.is_passed_by(seen(7, sent_at=BEFORE))


def test_within_an_epoch_the_number_alone_tells() -> None:
    before = had("counter", seen(6, "a", price=1), seen(7, "a", price=2))
    assert not before.is_passed_by(seen(7, "a", sent_at=BEFORE + 9, price=3))
    assert not before.is_passed_by(seen(3, "a", sent_at=BEFORE + 9, price=3))
    assert before.is_passed_by(seen(8, "a", price=2))
    assert before.is_passed_by(seen(1, "b", price=2))


def test_a_feed_without_epochs_may_number_each_connection_afresh() -> None:
    before = had("counter", seen(6, sent_at=BEFORE - 1, price=1), seen(7, sent_at=BEFORE, price=2))
    assert before.is_passed_by(seen(1, sent_at=BEFORE + 0.001, price=2))
    assert not before.is_passed_by(seen(1, sent_at=BEFORE, price=3))


def test_trades_that_are_told_again_are_old_though_their_numbers_rise() -> None:
    """What a server answers a subscription with: the last trades, which the client had."""
    trades = [seen(id, sent_at=BEFORE + id, price=id) for id in (3, 5, 8)]
    before = had("monotonic", *trades)
    assert [before.is_passed_by(trade) for trade in trades] == [False] * 3
    assert before.is_passed_by(seen(9, sent_at=BEFORE + 9, price=9))


def test_without_numbers_the_time_of_sending_tells() -> None:
    before = had("none", seen(sent_at=BEFORE, price=1), seen(sent_at=BEFORE - 5, price=2))
    assert not before.is_passed_by(seen(sent_at=BEFORE, price=7))
    assert before.is_passed_by(seen(sent_at=BEFORE + 0.001, price=1))


def test_without_times_what_is_said_tells() -> None:
    before = had("none", seen(price=1), seen(price=2))
    assert not before.is_passed_by(seen(price=2))
    assert not before.is_passed_by(seen(price=1))
    assert before.is_passed_by(seen(price=3))


def test_numbers_that_a_scheme_does_not_judge_prove_nothing() -> None:
    before = had("none", seen(7, price=1))
    assert before.last is None
    assert not before.is_passed_by(seen(8, price=1))

"""A channel across a cut: what was lost, replayed and sent twice, and when nothing more can be."""

from typing import Any

import pytest

from wsctl.checks.crossing import Crossed, Crossing
from wsctl.checks.freshness import Had
from wsctl.model.observation import Observation

SINCE = 100.0
"""unix seconds: when the client was back"""
NOTHING = Crossed()


def seen(seq: int | None = None, sent_at: float = SINCE + 1, epoch: str | None = "a", **data: Any) -> Observation:
    return Observation(SINCE + 2, "c1.2", "c", "e", epoch, seq, sent_at, None, {"price": seq, **data})


def crossing(last: int | None = 7, *, counted: bool = True, epoch: str | None = "a") -> Crossing:
    """Of a client that had seven messages."""
    return Crossing(Had(epoch, last, (seen(last, SINCE - 5, epoch),), counted), SINCE)


def crossed(one: Crossing, *messages: Observation, comparable: bool = True, states: int = 0) -> Crossed:
    """The first `states` of the messages are snapshots."""
    total = NOTHING
    for number, message in enumerate(messages):
        assert not one.is_over, "it would not be asked"
        sent_at = message.sent_at if comparable else None
        total += one.add(message, sent_at, is_state=number < states)
    return total


def test_what_was_sent_meanwhile_is_lost() -> None:
    one = crossing()
    assert crossed(one, seen(11)) == Crossed(3, 0, 0)
    assert one.is_fresh
    assert one.is_over


def test_a_snapshot_stands_for_one_message() -> None:
    """And what comes after it was sent to this connection."""
    one = crossing()
    assert crossed(one, seen(11, SINCE - 1), states=1) == Crossed(3, None, 0)
    assert (one.is_fresh, one.is_over) == (True, False)
    assert crossed(one, seen(12)) == Crossed(None, 0, 0)
    assert one.is_over


def test_what_is_replayed_is_not_lost() -> None:
    one = crossing()
    late = [seen(seq, SINCE - 3 + seq / 10) for seq in (8, 9, 10)]
    assert crossed(one, *late) == Crossed(0, 3, 0)
    assert not one.is_over
    assert crossed(one, seen(11)) == Crossed(None, 0, 0)
    assert one.is_over


def test_a_replay_that_began_too_early_and_one_that_began_too_late() -> None:
    overlapping = [seen(seq, SINCE - 1) for seq in (6, 7, 8)]
    assert crossed(crossing(), *overlapping, seen(9)) == Crossed(0, 1, 2)
    assert crossed(crossing(), seen(10, SINCE - 1), seen(11)) == Crossed(2, 1, 0)


def test_the_latest_once_more_is_a_snapshot_by_another_name() -> None:
    """As feeds of others answer a subscription; a second time it is a duplicate."""
    assert crossed(crossing(), seen(7, SINCE - 5), seen(8)) == Crossed(0, 0, 0)
    assert crossed(crossing(), seen(7, SINCE - 5), seen(7, SINCE - 5), seen(8)) == Crossed(0, 0, 1)


def test_where_clocks_cannot_be_compared_nothing_is_a_replay() -> None:
    one = crossing()
    assert crossed(one, seen(8, SINCE - 3), comparable=False) == Crossed(0, None, 0)
    assert one.is_over


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (crossing(counted=False), seen(11)),
        (crossing(None), seen(11)),
        (crossing(), seen(None, epoch="b")),
        (crossing(), seen(1, epoch="b")),
    ],
    ids=["numbers that count no messages", "nothing numbered before", "nothing numbered now", "another epoch"],
)
def test_where_numbers_do_not_tell_nothing_is_lost(one: Crossing, message: Observation) -> None:
    assert crossed(one, message) == Crossed(None, 0, None)
    assert one.is_fresh


def test_sums_know_what_nothing_could_show() -> None:
    assert Crossed(1, None, 2) + Crossed(3, None, None) == Crossed(4, None, 2)

"""The sequencer delivers in order, exactly once, and waits for no lost message longer than a window."""

import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsctl.checks.ordering import OrderingCheck
from wsctl.checks.sequence import WINDOW_MESSAGES
from wsctl.checks.sequencer import Sequencer
from wsctl.model.finding import Verdict
from wsctl.model.observation import Observation

T0 = 1_763_870_000.0
BTC = "symbol:BTC/USDT:ticker"


def observe(name: str, seq: int | None, data: dict[str, Any], **facts: Any) -> Observation:
    told = {"at": 0.0, "conn": "c1", "channel": BTC, "epoch": "e1", **facts}
    return Observation(
        received_at=T0 + told["at"],
        conn=told["conn"],
        channel=told["channel"],
        event=name,
        epoch=told["epoch"],
        seq=seq,
        sent_at=None,
        latency_ms=None,
        data=data,
    )


def update(seq: int | None, price: float = 1.0, **facts: Any) -> Observation:
    return observe("price:update", seq, {"price": price, "seq": seq}, **facts)


def updates(*seqs: int, **facts: Any) -> list[Observation]:
    return [update(seq, **facts) for seq in seqs]


def snapshot(seq: int, **facts: Any) -> Observation:
    return observe("price:update", seq, {"price": 1.0, "seq": seq, "snapshot": True}, **facts)


def heartbeat(next_seq: int, **facts: Any) -> Observation:
    return observe("channel:heartbeat", None, {"nextSeq": next_seq}, **facts)


def skipped(first: int, last: int, **facts: Any) -> Observation:
    return observe("channel:skipped", None, {"from": first, "to": last}, **facts)


def label(observation: Observation) -> str:
    """`7`, `snapshot 7`, `next 8`, `skip 3-5`: what the tests read."""
    data = observation.data
    if observation.event == "channel:heartbeat":
        return f"next {data['nextSeq']}"
    if observation.event == "channel:skipped":
        return f"skip {data['from']}-{data['to']}"
    return f"snapshot {observation.seq}" if "snapshot" in data else f"{observation.seq}"


def feed(sequencer: Sequencer, stream: Iterable[Observation]) -> list[Observation]:
    return [delivered for observation in stream for delivered in sequencer.add(observation)]


def labels(stream: Iterable[Observation]) -> str:
    return ", ".join(label(observation) for observation in stream)


@pytest.mark.parametrize(
    ("stream", "delivered", "held"),
    [
        pytest.param(updates(5, 6, 7), "5, 6, 7", "", id="in order"),
        pytest.param(updates(1, 3, 4, 2, 5), "1, 2, 3, 4, 5", "", id="one late"),
        pytest.param(updates(1, 4, 3, 2), "1, 2, 3, 4", "", id="backwards"),
        pytest.param(updates(1, 3, 4), "1", "3, 4", id="waits"),
        pytest.param(updates(1, 3, 6, 2, 5), "1, 2, 3", "5, 6", id="waits at the second hole"),
        pytest.param(updates(1, 2, 2, 3), "1, 2, 3", "", id="repeat of a delivered one"),
        pytest.param(updates(1, 3, 3, 2), "1, 2, 3", "", id="repeat of a held one"),
        pytest.param([*updates(1, 2), update(2, 9.0)], "1, 2, 2", "", id="repeat with another payload"),
        pytest.param([snapshot(7), *updates(8, 9)], "snapshot 7, 8, 9", "", id="snapshot first"),
        pytest.param([*updates(7, 8), snapshot(8), update(9)], "7, 8, snapshot 8, 9", "", id="snapshot again"),
        pytest.param([*updates(7, 9), snapshot(9), update(8)], "7, 8, 9, snapshot 9", "", id="snapshot in its place"),
        pytest.param(
            [*updates(7, 9), snapshot(12, conn="c1.2"), update(13, conn="c1.2")],
            "7, 9, snapshot 12, 13",
            "",
            id="snapshot after a reconnection",
        ),
        pytest.param([update(7), heartbeat(8), update(8)], "7, next 8, 8", "", id="heartbeat"),
        pytest.param([update(7), heartbeat(9), update(8)], "7, 8, next 9", "", id="heartbeat in its place"),
        pytest.param([heartbeat(4), update(5), update(4)], "next 4, 4, 5", "", id="heartbeat first"),
        pytest.param([update(1), skipped(2, 4), update(5)], "1, skip 2-4, 5", "", id="skip"),
        pytest.param([update(1), update(5), skipped(2, 4)], "1, skip 2-4, 5", "", id="skip afterwards"),
        pytest.param([*updates(1, 3), skipped(4, 6), update(7), update(2)], "1, 2, 3, skip 4-6, 7", "", id="skip held"),
        pytest.param([*updates(1, 3), *updates(1, 2, epoch="e2")], "1, 3, 1, 2", "", id="another epoch"),
        pytest.param([*updates(1, 3), *updates(3, 4, conn="c1.2")], "1, 3, 4", "", id="reconnection repeats"),
        pytest.param(
            [*updates(8, 9, epoch=None), *updates(9, 10, epoch=None, conn="c1.2")],
            "8, 9, 9, 10",
            "",
            id="foreign state after a reconnection",
        ),
        pytest.param(
            [*updates(8, 10, epoch=None), *updates(1, 2, epoch=None, conn="c1.2")],
            "8, 10, 1, 2",
            "",
            id="foreign connection numbers afresh",
        ),
        pytest.param([update(1), update(3), update(None)], "1, None", "3", id="unnumbered"),
        pytest.param([*updates(1, 3), observe("error", None, {})], "1, None", "3", id="control"),
        pytest.param([*updates(1, 3), *updates(1, 2, conn="c2"), update(2)], "1, 1, 2, 2, 3", "", id="clients apart"),
        pytest.param([*updates(1, 3), update(4, channel="other")], "1, 4", "3", id="channels apart"),
    ],
)
def test_delivers_in_order(stream: list[Observation], delivered: str, held: str) -> None:
    sequencer = Sequencer()
    assert labels(feed(sequencer, stream)) == delivered
    assert sequencer.held == (len(held.split(", ")) if held else 0)
    assert labels(sequencer.close()) == held
    assert sequencer.held == 0
    assert sequencer.close() == []


def test_counts_what_it_drops_and_what_it_delivers_late() -> None:
    sequencer = Sequencer()
    feed(sequencer, updates(1, 2, 2, 4, 4))
    assert (sequencer.dropped, sequencer.late) == (2, 0)
    assert labels(sequencer.expire(T0 + 5)) == "4"
    assert labels(sequencer.add(update(3))) == "3", "late rather than lost"
    assert sequencer.add(update(3)) == []
    assert (sequencer.dropped, sequencer.late) == (3, 1)


def test_a_lost_message_is_given_up_after_a_second() -> None:
    sequencer = Sequencer()
    assert sequencer.deadline() is None
    assert labels(feed(sequencer, [update(1), update(3, at=0.5), update(4, at=0.9)])) == "1"
    assert sequencer.expire(T0 + 1.5) == [], "a second is still within the window"
    deadline = sequencer.deadline()
    assert deadline == pytest.approx(T0 + 1.5)
    assert deadline is not None
    assert labels(sequencer.expire(deadline)) == "3, 4"
    assert sequencer.deadline() is None


def test_each_hole_has_its_own_second() -> None:
    sequencer = Sequencer()
    feed(sequencer, [update(1), update(3, at=0.0), update(5, at=0.8)])
    assert labels(sequencer.expire(T0 + 1.1)) == "3"
    assert sequencer.deadline() == pytest.approx(T0 + 1.8)
    assert labels(sequencer.expire(T0 + 1.9)) == "5"


def test_a_later_message_ends_the_wait_of_its_channel_without_a_clock() -> None:
    sequencer = Sequencer()
    feed(sequencer, updates(1, 3))
    assert labels(sequencer.add(update(4, at=1.1))) == "3, 4"


def test_a_lost_message_is_given_up_when_the_buffer_is_full() -> None:
    sequencer = Sequencer()
    sequencer.add(update(1))
    for seq in range(3, 3 + WINDOW_MESSAGES):
        assert sequencer.add(update(seq)) == []
    assert sequencer.held == WINDOW_MESSAGES
    assert len(sequencer.add(update(3 + WINDOW_MESSAGES))) == WINDOW_MESSAGES + 1
    assert sequencer.held == 0


def test_a_restart_without_epoch_neither_stalls_nor_stays_late() -> None:
    sequencer = Sequencer()
    feed(sequencer, updates(*range(900, 1001)))
    restarted = updates(*range(1, 201))
    assert feed(sequencer, restarted) == restarted
    assert sequencer.late == WINDOW_MESSAGES + 1
    assert labels(feed(sequencer, updates(202, 201))) == "201, 202", "the new sequence is put in order again"


def test_deadline_and_expire_agree_whatever_the_instant() -> None:
    for tenths in range(200):
        sequencer = Sequencer(window_seconds=0.1)
        feed(sequencer, [update(1), update(3, at=tenths / 10)])
        deadline = sequencer.deadline()
        assert deadline is not None
        assert labels(sequencer.expire(deadline)) == "3"


@given(st.integers(2, 200), st.integers(0, 30), st.randoms(use_true_random=False))
def test_shuffled_within_the_window_comes_out_clean(count: int, reach: int, chance: random.Random) -> None:
    stream = updates(1, *sorted(range(2, count + 1), key=lambda seq: seq + chance.uniform(0, reach)))
    sequencer, check = Sequencer(), OrderingCheck()
    delivered = [*feed(sequencer, stream), *sequencer.close()]
    assert delivered == sorted(stream, key=lambda observation: observation.seq or 0)
    assert (sequencer.dropped, sequencer.late) == (0, 0)
    for observation in delivered:
        check.add(observation)
    check.close()
    assert check.verdict is Verdict.PASS


_seq = st.integers(0, 12) | st.integers(0, 400) | st.integers(-(2**40), 2**40)
_facts = st.fixed_dictionaries(
    {
        "conn": st.sampled_from(["c1", "c1.2", "c1.3", "c2"]),
        "epoch": st.sampled_from([None, "e1", "e2"]),
        "at": st.floats(-5, 5),
    }
)
_anything = st.one_of(
    st.builds(lambda seq, price, facts: update(seq, price, **facts), _seq, st.sampled_from([1.0, 2.0]), _facts),
    st.builds(lambda seq: update(seq), st.integers(0, 90)),
    st.builds(lambda seq, facts: snapshot(seq, **facts), _seq, _facts),
    st.builds(lambda seq, facts: heartbeat(seq, **facts), _seq, _facts),
    st.builds(lambda first, last, facts: skipped(first, last, **facts), _seq, _seq, _facts),
    st.builds(lambda facts: update(None, **facts), _facts),
)


@given(st.lists(_anything, max_size=300))
def test_whatever_comes_is_delivered_once_or_counted_as_dropped_and_never_hoarded(stream: list[Observation]) -> None:
    sequencer = Sequencer()
    delivered: list[Observation] = []
    for observation in stream:
        delivered += sequencer.add(observation)
        assert sequencer.held <= 2 * WINDOW_MESSAGES, "two clients, one window each"
        assert (sequencer.deadline() is None) == (sequencer.held == 0)
    deadline = sequencer.deadline()
    while deadline is not None:
        delivered += sequencer.expire(deadline)
        later = sequencer.deadline()
        assert later is None or later > deadline
        deadline = later
    assert sequencer.held == 0
    assert len(delivered) + sequencer.dropped == len(stream)
    assert Counter(map(id, delivered)) <= Counter(map(id, stream))

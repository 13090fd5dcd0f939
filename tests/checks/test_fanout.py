"""Fan-out: each client that a message did not reach is found, and none that it was not meant for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsctl.checks.fanout import MOST_OPEN, SETTLED_AFTER, FanoutCheck
from wsctl.checks.latency import RELATIVE_ERROR

T0 = 1_763_870_000.0
BTC = "symbol:BTC/USDT:ticker"


def with_clients(count: int, position: int = 0) -> FanoutCheck:
    check = FanoutCheck()
    for _ in range(count):
        check.joined(BTC, "e1", position)
    return check


def reach(check: FanoutCheck) -> float | None:
    check.close()
    return check.metrics().get("fanout.reach")


def test_nothing_received_is_nothing_measured() -> None:
    check = with_clients(3)
    check.close()
    assert check.metrics() == {}


def test_a_seq_may_be_of_any_size() -> None:
    check = with_clients(1)
    check.received(BTC, "e1", 2**64, T0)
    check.joined(BTC, "e1", -1)
    assert reach(check) == 0.5


def test_everybody_reached() -> None:
    check = with_clients(3)
    for seq in range(1, 101):
        record = check.received(BTC, "e1", seq, T0 + seq)
        for delay in (0.010, 0.020):
            record.add(T0 + seq + delay, T0 + seq + delay, 1)
    assert check.metrics() == {"fanout.reach": 1.0, "fanout.spread.p99": pytest.approx(0.02, rel=RELATIVE_ERROR)}
    assert reach(check) == 1.0


def test_one_client_missed_one_message() -> None:
    check = with_clients(4)
    for seq in range(1, 11):
        record = check.received(BTC, "e1", seq, T0)
        record.count += 2 if seq == 5 else 3
    assert reach(check) == 39 / 40


def test_one_too_many_does_not_make_up_for_one_too_few() -> None:
    check = with_clients(2)
    check.received(BTC, "e1", 1, T0).count += 2
    check.received(BTC, "e1", 2, T0)
    assert reach(check) == 3 / 4


def test_receipts_may_be_told_one_by_one() -> None:
    check = with_clients(2)
    first = check.received(BTC, "e1", 1, T0)
    assert check.received(BTC, "e1", 1, T0 + 0.5) is first
    check.close()
    assert check.metrics() == {"fanout.reach": 1.0, "fanout.spread.p99": 0.5}


def test_receipts_may_be_told_in_any_order() -> None:
    check = with_clients(5)
    check.received(BTC, "e1", 1, T0 + 0.5).add(T0 + 0.25, T0 + 0.375, 2)
    check.received(BTC, "e1", 1, T0 + 0.75)
    check.received(BTC, "e1", 1, T0 + 0.5)
    check.close()
    assert check.metrics() == {"fanout.reach": 1.0, "fanout.spread.p99": 0.5}


def test_a_single_client_has_no_spread() -> None:
    check = with_clients(1)
    check.received(BTC, "e1", 1, T0)
    check.close()
    assert check.metrics() == {"fanout.reach": 1.0}


def test_channels_and_epochs_are_apart() -> None:
    check = with_clients(1)
    check.joined(BTC, "e2", 0)
    check.joined("announcement", "e1", 0)
    for channel, epoch in ((BTC, "e1"), (BTC, "e2"), ("announcement", "e1")):
        check.received(channel, epoch, 1, T0)
    assert reach(check) == 1.0


def test_who_joins_later_does_not_miss_what_came_before() -> None:
    check = with_clients(1)
    check.received(BTC, "e1", 1, T0)
    check.received(BTC, "e1", 2, T0)
    check.joined(BTC, "e1", 1)  # its snapshot was at 1, so 2 is on its way to it
    check.received(BTC, "e1", 2, T0)
    check.received(BTC, "e1", 3, T0).count += 1
    assert reach(check) == 1.0


def test_who_joined_ahead_of_the_others_does_not_miss_what_they_still_get() -> None:
    check = with_clients(1)
    check.joined(BTC, "e1", 2)
    check.received(BTC, "e1", 1, T0)
    check.received(BTC, "e1", 2, T0)
    check.received(BTC, "e1", 3, T0).count += 1
    assert reach(check) == 1.0


def test_who_left_does_not_miss_what_comes_after() -> None:
    check = with_clients(2)
    check.received(BTC, "e1", 1, T0).count += 1
    check.received(BTC, "e1", 2, T0)
    check.left(BTC, "e1", 1)
    check.received(BTC, "e1", 3, T0)
    assert reach(check) == 1.0


def test_who_left_with_a_hole_missed_it() -> None:
    check = with_clients(2)
    for seq in (1, 2, 3):
        check.received(BTC, "e1", seq, T0).count += seq != 2
    check.left(BTC, "e1", 3)
    assert reach(check) == 5 / 6


def test_a_client_that_hears_nothing_at_all_counts() -> None:
    check = with_clients(2)
    for seq in range(1, 11):
        check.received(BTC, "e1", seq, T0)
    assert reach(check) == 0.5


def test_a_receipt_after_the_message_was_settled_is_too_late() -> None:
    check = with_clients(2)
    check.received(BTC, "e1", 1, T0)
    check.received(BTC, "e1", 2, T0 + SETTLED_AFTER + 0.01).count += 1
    check.received(BTC, "e1", 1, T0 + SETTLED_AFTER + 0.02)
    assert reach(check) == 3 / 4


def test_memory_is_bounded_whatever_comes() -> None:
    check = with_clients(1)
    for seq in range(1, MOST_OPEN + 1001):
        check.received(BTC, "e1", seq, T0)
    assert len(check._open) == MOST_OPEN
    for seq in range(MOST_OPEN + 1001, MOST_OPEN + 1011):
        check.received(BTC, "e1", seq, T0 + SETTLED_AFTER + 1)
    assert len(check._open) == 10
    check.received(BTC, "e1", 400_000_000_000, T0 + SETTLED_AFTER + 1)
    check.left(BTC, "e1", 0)  # does not count through the jump
    check.close()
    assert (len(check._open), check._audiences[BTC, "e1"].open) == (0, {})


def test_clients_that_come_and_go_leave_nothing_behind() -> None:
    check = FanoutCheck()
    for seq in range(2, 20_000, 2):
        check.joined(BTC, "e1", seq - 1)
        check.received(BTC, "e1", seq, T0 + seq)
        check.left(BTC, "e1", seq)
    audience = check._audiences[BTC, "e1"]
    assert audience.size == 1  # the last one left at what is newest
    assert len(audience.open) + len(audience.ahead) + len(audience.behind) < 20
    assert reach(check) == 1.0


@given(st.data())
def test_the_number_expected_is_exact_however_clients_come_and_go(data: st.DataObject) -> None:
    """Clients that begin and end anywhere, and whose messages mix at random, late ones with early ones."""
    last = 12
    spans = data.draw(
        st.lists(st.tuples(st.integers(0, last), st.integers(0, last)).map(sorted), min_size=1, max_size=6)
    )
    lost = data.draw(st.sets(st.tuples(st.integers(0, len(spans) - 1), st.integers(1, last)), max_size=4))
    # A message that nobody received is not known.
    check, expected, reached = FanoutCheck(), 0, 0
    turns = [
        [("joined", begin), *[("received", seq) for seq in range(begin + 1, end + 1)], ("left", end)]
        for begin, end in spans
    ]
    received = {
        seq
        for client, (begin, end) in enumerate(spans)
        for seq in range(begin + 1, end + 1)
        if (client, seq) not in lost
    }
    for client, (begin, end) in enumerate(spans):
        for seq in range(begin + 1, end + 1):
            expected += seq in received
            reached += (client, seq) not in lost
    while any(turns):
        client = data.draw(st.sampled_from([client for client, turn in enumerate(turns) if turn]))
        what, seq = turns[client].pop(0)
        if what == "joined":
            check.joined(BTC, "e1", seq)
        elif what == "left":
            check.left(BTC, "e1", seq)
        elif (client, seq) not in lost:
            check.received(BTC, "e1", seq, T0)
    assert reach(check) == (reached / expected if expected else None)

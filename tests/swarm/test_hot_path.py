"""The hot path against the ordering check itself: whatever comes, both say the same."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from picows import WSMsgType
from picows.picows import _make_test_ws_frame

from wsctl.checks.ordering import OrderingCheck
from wsctl.model.observation import Observation
from wsctl.swarm.records import KEPT, KEPT_FOR, Records
from wsctl.swarm.socketio import SocketIOConnection
from wsctl.swarm.tally import Tally
from wsctl.wire.payload import EventReader

OPEN = '0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
CHANNELS = ("symbol:BTC/USDT:ticker", "trades", None)


class Silent:
    """A transport that sends nothing anywhere."""

    is_close_frame_sent = False
    close_handshake = None

    def send(self, *_: Any) -> None: ...
    def send_close(self, *_: Any) -> None: ...
    def disconnect(self, *_: Any) -> None: ...


class Bystander:
    """An owner that does nothing."""

    def joined(self) -> None: ...
    def refused(self, answer: Any) -> None: ...
    def acknowledged(self, id: int, args: Sequence[Any]) -> None: ...
    def notified(self, args: Sequence[Any]) -> None: ...
    def ended(self, reason: str, *, malformed: bool) -> None: ...

    def broken(self, error: Exception) -> None:
        raise error


def connection(tally: Tally, conn: str, *, slow: bool = False) -> SocketIOConnection:
    """A connection that has joined."""
    made = SocketIOConnection(Bystander(), conn, tally, namespace="/", auth={}, former={}, slow=slow)
    made.transport = Silent()  # type: ignore[assignment]
    for packet in (OPEN, '40{"sid":"x"}'):
        give(made, packet)
    return made


def give(to: SocketIOConnection, packet: str) -> None:
    to.on_ws_frame(to.transport, _make_test_ws_frame(WSMsgType.TEXT, packet.encode(), True, False))


updates = st.builds(
    lambda channel, epoch, seq, price: {"channel": channel, "epoch": epoch, "seq": seq, "price": price, "symbol": "B"},
    st.sampled_from(CHANNELS),
    st.sampled_from(("e1", "e1", "e1", "e2", None)),
    st.one_of(st.integers(1, 9), st.none()),
    st.integers(1, 2),
)
snapshots = st.builds(lambda update: {**update, "snapshot": True}, updates)
heartbeats = st.builds(
    lambda channel, epoch, following: {"channel": channel, "epoch": epoch, "nextSeq": following},
    st.sampled_from(CHANNELS[:2]),
    st.sampled_from(("e1", "e2")),
    st.integers(1, 9),
)
skips = st.builds(
    lambda channel, first, more: {"channel": channel, "epoch": "e1", "from": first, "to": first + more},
    st.sampled_from(CHANNELS[:2]),
    st.integers(1, 9),
    st.integers(0, 3),
)
events = st.one_of(
    st.tuples(st.just("price:update"), updates),
    st.tuples(st.just("trade:update"), updates),
    st.tuples(st.just("price:update"), snapshots),
    st.tuples(st.just("channel:heartbeat"), heartbeats),
    st.tuples(st.just("channel:skipped"), skips),
    st.tuples(st.just("connection:closing"), st.just({"reason": "x", "retry": True})),
)
runs = st.builds(
    lambda channel, first, length: [
        ("price:update", {"channel": channel, "epoch": "e1", "seq": seq, "price": 1, "symbol": "B"})
        for seq in range(first, first + length)
    ],
    st.sampled_from(CHANNELS),
    st.integers(1, 6),
    st.integers(1, 6),
)
streams = st.lists(st.one_of(runs, st.builds(lambda event: [event], events)), max_size=14).map(
    lambda parts: [event for part in parts for event in part]
)


@given(st.lists(streams, min_size=1, max_size=3), st.randoms())
def test_it_judges_as_the_ordering_check_does(given_streams: list[list[tuple[str, Any]]], random: Any) -> None:
    tally, plain, reader = Tally(5), OrderingCheck(), EventReader()
    receivers = [connection(tally, f"c{number}") for number in range(1, len(given_streams) + 1)]
    left = [list(stream) for stream in given_streams]
    updates_received = 0
    while any(left):
        number = random.choice([number for number, stream in enumerate(left) if stream])
        name, payload = left[number].pop(0)
        give(receivers[number], "42" + json.dumps([name, payload]))
        event = reader.read(name, [payload])
        conn = f"c{number + 1}"
        seen = Observation(0.0, conn, event.channel, name, event.epoch, event.seq, event.sent_at, None, event.data)
        plain.add(seen)
        updates_received += name in ("price:update", "trade:update")
    for receiver in receivers:
        receiver.leave()
    tally.close()
    plain.close()
    assert tally.ordering.as_json()["verdict"] == plain.as_json()["verdict"]
    assert without_times(tally.ordering) == without_times(plain)
    assert tally.received == updates_received
    assert not tally.records.known or all(not record.arrivals for record in tally.records.known.values())


def without_times(check: OrderingCheck) -> dict[str, Any]:
    """All that it found, but when."""
    channels = check.as_json()["channels"]
    for channel in channels.values():
        for finding in channel["findings"]:
            finding.pop("at")
    return dict(channels)


@given(st.lists(st.integers(0, 3), max_size=60))
def test_fan_out_reaches_all_when_nothing_is_lost(order: list[int]) -> None:
    tally = Tally(5)
    receivers = [connection(tally, f"c{number}") for number in range(1, 5)]
    due = [1] * 4
    for receiver in order:
        give(receivers[receiver], message(due[receiver]))
        due[receiver] += 1
    for number, receiver in enumerate(receivers):  # nobody is behind in the end
        for seq in range(due[number], max(due)):
            give(receiver, message(seq))
        receiver.leave()
    tally.close()
    assert tally.metrics().get("fanout.reach", 1.0) == 1.0
    assert tally.channels.total() == 4 * (max(due) - 1)
    assert tally.ordering.metrics().get("ordering.gaps", 0) == 0


def test_a_message_that_misses_one_of_four_is_seen() -> None:
    tally = Tally(5)
    receivers = [connection(tally, f"c{number}") for number in range(1, 5)]
    for seq in range(1, 11):
        for receiver in receivers if seq != 5 else receivers[:3]:
            give(receiver, message(seq))
    for receiver in receivers:
        receiver.leave()
    tally.close()
    assert tally.metrics()["fanout.reach"] == 39 / 40
    assert tally.metrics()["ordering.missing"] == 1


def test_a_repetition_does_not_make_up_for_a_loss() -> None:
    tally = Tally(5)
    one, two = connection(tally, "c1"), connection(tally, "c2")
    for seq in (1, 2, 3):
        give(one, message(seq))
        give(one if seq == 2 else two, message(seq))
    for receiver in (one, two):
        receiver.leave()
    tally.close()
    assert tally.metrics()["fanout.reach"] == 5 / 6
    assert tally.metrics()["ordering.duplicates"] == 1


def test_slow_clients_are_no_sample_of_latency() -> None:
    tally = Tally(5)
    prompt, slow = connection(tally, "c1"), connection(tally, "c2", slow=True)
    tally.measure_latencies()
    for seq in (1, 2, 3):
        give(slow, message(seq, timestamp=1_700_000_000_000))
    tally.fold()
    tally.gather()
    assert "latency.max" not in tally.metrics()
    for seq in (1, 2, 3):
        give(prompt, message(seq, timestamp=1_700_000_000_000))
    tally.fold()
    tally.gather()
    assert tally.metrics()["latency.max"] > 1e6
    assert tally.metrics()["messages.received"] == 6


def test_records_are_forgotten_in_time_and_when_they_are_too_many() -> None:
    records = Records()
    for number in range(KEPT + 10):
        frame = message(number).encode()
        records.keep(frame, records.read("c1", "price:update", [{"seq": number}], 100.0, len(frame)))
    assert len(records.expire(100.0)) == 10
    assert len(records.known) == KEPT
    assert len(records.expire(100.0 + KEPT_FOR)) == KEPT
    assert not records.known


def message(seq: int, **more: Any) -> str:
    payload = {"channel": "c", "epoch": "e", "seq": seq, "price": 1, "symbol": "B", **more}
    return "42" + json.dumps(["price:update", payload])

"""What frames on a tape say, connection by connection."""

from pathlib import Path

from wsctl.tape.format import Header, TapeFrame
from wsctl.tape.reading import MALFORMED_KEPT, Reading
from wsctl.wire.dialects import dialect_named

HEADER = Header(started_ns=0, url="wss://stream.example/stream?streams=a@depth5", conns={"c9": "wss://x/ws/b@depth5"})
BOOK = '{"lastUpdateId":7,"bids":[],"asks":[]}'

OVER_SOCKETIO = """
name: ticks
over: socketio
subscribe: {frame: [join, "{channel}"]}
message: {channel: "{room}", seq: n, event: kind}
"""


def came(conn: str, text: str) -> TapeFrame:
    return TapeFrame(0, conn, "in", text)


def test_by_the_url_of_each_connection() -> None:
    """A partial book names no stream: its connection's URL does, said at its opening, or where a part began."""
    reading = Reading(dialect_named("binance"), HEADER)
    reading.events(TapeFrame(0, "c2", "open", url="wss://x/ws/c@depth5"), "t:1")
    channels = [reading.events(came(conn, BOOK), "t:2")[0].channel for conn in ("c1", "c2", "c9")]
    assert channels == ["a@depth5", "c@depth5", "b@depth5"]
    assert reading.subscribed == {"a@depth5", "b@depth5", "c@depth5"}


def test_what_was_subscribed_is_known() -> None:
    """Acknowledged, though nothing ever came on it."""
    reading = Reading(dialect_named("coinbase"), HEADER)
    said = '{"type":"subscriptions","channels":[{"name":"ticker","product_ids":["BTC-USD"]}]}'
    assert reading.events(came("c1", said), "t:1") == []
    assert reading.subscribed == {"ticker:BTC-USD"}


def test_a_dialect_that_socketio_carries(tmp_path: Path) -> None:
    """Its places are on the argument of events; what else Socket.IO says is no event."""
    file = tmp_path / "ticks.yaml"
    file.write_text(OVER_SOCKETIO)
    reading = Reading(dialect_named(str(file)), HEADER)
    frames = ['0{"sid":"x"}', "40", '42["tick",{"room":"r1","n":3,"kind":"price"}]', "2"]
    (event,) = [event for frame in frames for event in reading.events(came("c1", frame), "t:1")]
    assert (event.channel, event.seq, event.name) == ("r1", 3, "price")
    assert reading.malformed_count == 0


def test_what_cannot_be_read_is_counted() -> None:
    """And told with its place, the first ones."""
    reading = Reading(dialect_named("coinbase"), HEADER)
    for line in range(MALFORMED_KEPT + 5):
        assert reading.events(came("c1", "no JSON"), f"t:{line}") == []
    assert reading.malformed_count == MALFORMED_KEPT + 5
    assert len(reading.malformed) == MALFORMED_KEPT
    assert reading.malformed[0].startswith("t:0: a frame that is not JSON")

"""Trades of a CSV file as messages of the platform."""

import msgspec
import pytest

from tests.interop import prices
from tests.tape.tapes import source
from wsctl.errors import UsageError
from wsctl.tape.importers.trades_csv import TradesReader
from wsctl.tape.source import open_source
from wsctl.wire.engineio import decode as decode_message
from wsctl.wire.payload import EventReader
from wsctl.wire.socketio import Decoder

HEADER = b"time_ms,symbol,price,quantity\n"


def test_rows() -> None:
    """A message each, with the digits as they stand; no number that nobody gave."""
    rows = b"1652459200000,BTC/USDT,30236.50,0.0002\r\n1652459199999.5,A-B,.00000123,1e6"
    reader = TradesReader(source(HEADER + rows, "t.csv"))
    opened, first, second = reader
    assert (reader.header.dialect, reader.header.clock, reader.header.started_ns) == (
        "socketio", "wall", 1_652_459_200_000_000_000,
    )  # fmt: skip
    assert (opened.direction, opened.conn, first.conn) == ("open", "c1", "c1")
    assert (first.at_ns, second.at_ns) == (0, -500_000)
    assert first.frame == (
        '42["price:update",{"symbol":"BTC/USDT","price":30236.50,"quantity":0.0002,'
        '"channel":"symbol:BTC/USDT:ticker","timestamp":1652459200000}]'
    )
    assert isinstance(second.frame, str)
    assert msgspec.json.decode(second.frame[2:])[1]["price"] == 0.00000123


def test_a_real_file() -> None:
    """Every price, through the platform's own dialect."""
    if not prices.CAPTURE.exists():
        pytest.skip("no captures beside the repository")
    expected = prices.read(prices.CAPTURE, "1").prices
    found: dict[str, list[float]] = {}
    with open_source(prices.CAPTURE) as lines:
        _, *frames = TradesReader(lines)
    for frame in frames:
        assert isinstance(frame.frame, str)
        packet = Decoder().add(decode_message(frame.frame).data)
        assert packet is not None
        event = EventReader().read(packet.data[0], packet.data[1:])
        assert (event.name, event.seq) == ("price:update", None)
        found.setdefault(event.data["symbol"], []).append(event.data["price"])
    assert found == expected


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,A,1", "3 columns; expected time_ms,symbol,price,quantity"),
        ("x,A,1,1", "time_ms 'x' is not a positive number; expected digits such as 30236.5"),
        ("1,A,nan,1", "price 'nan' is not a positive number; expected digits such as 30236.5"),
        ("1,A,1_0,1", "price '1_0' is not a positive number; expected digits such as 30236.5"),
        ("1,A,1,0", "quantity '0'; expected a number above 0"),
        ("253402300800000,A,1,1", "time_ms '253402300800000' is no date; expected milliseconds since 1970"),
        ("1,A B,1,1", "bad symbol 'A B'; expected letters, digits and . _ / -"),
    ],
)
def test_rows_that_are_no_trades(row: str, message: str) -> None:
    """With file and line."""
    data = HEADER + b"1,A,1,1\n" + row.encode() + b"\n"
    with pytest.raises(UsageError) as caught:
        list(TradesReader(source(data, "t.csv")))
    assert caught.value.message == f"t.csv:3: {message}"


def test_no_rows() -> None:
    """Is no recording."""
    with pytest.raises(UsageError, match="has no rows below its header"):
        TradesReader(source(HEADER, "t.csv"))

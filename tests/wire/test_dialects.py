"""What holds for every dialect: finding it, and both ends of a conversation against each other."""

import contextlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.strategies import FRAMES, JSON
from wsctl.errors import UsageError, WireError
from wsctl.model.event import Event
from wsctl.wire.dialect import Asked, ClientSession, Objected, Received, Reply, ServerSession, Subscribed, Unsubscribed
from wsctl.wire.dialects import NAMES, dialect_named, dialect_of

HOSTS = [
    ("wss://stream.binance.com:9443/ws/btcusdt@trade", "binance"),
    ("wss://stream.binance.com/stream?streams=a", "binance"),
    ("wss://fstream.binance.com/ws", "binance"),
    ("wss://ws-feed.exchange.coinbase.com", "coinbase"),
    ("wss://ws-feed.pro.coinbase.com", "coinbase"),
    ("wss://ws.kraken.com", "kraken-v1"),
    ("wss://ws.kraken.com/", "kraken-v1"),
    ("wss://ws.kraken.com/v2", None),
    ("wss://ws.okx.com:8443/ws/v5/public", "okx"),
    ("wss://stream.bybit.com/realtime", "bybit-inverse"),
    ("wss://stream.bybit.com/v5/public/spot", None),
    ("ws://127.0.0.1:3000", None),
    ("wss://stream.binance.com.evil.example/ws", None),
]


@pytest.mark.parametrize(("url", "name"), HOSTS)
def test_a_known_host_picks_its_dialect(url: str, name: str | None) -> None:
    dialect = dialect_of(url)
    assert (dialect and dialect.name) == name


@pytest.mark.parametrize("name", NAMES)
def test_by_name(name: str) -> None:
    """Each is called what it is found by, and its hosts lead to it: the registry's and the file's are the same."""
    dialect = dialect_named(name)
    assert dialect.name == name
    for host in dialect.hosts:
        assert dialect_of(f"wss://{host}") is dialect


def test_every_shipped_file_is_known() -> None:
    shipped = {Path(file.name).stem for file in (files("wsctl") / "dialects").iterdir()}
    assert shipped
    assert shipped <= {*NAMES}


UNKNOWN = [
    ("binanse", "unknown dialect 'binanse'\nhint: did you mean binance?"),
    (
        "xyz",
        "unknown dialect 'xyz'\n"
        "hint: known: binance, coinbase, kraken-v1, okx, bybit-inverse, or a file such as my-feed.yaml",
    ),
    ("absent.yaml", "absent.yaml cannot be read: no such file or directory"),
]


@pytest.mark.parametrize(("name", "message"), UNKNOWN)
def test_unknown(name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        dialect_named(name)
    assert str(caught.value) == message


FEEDS = [
    ("binance", "btcusdt@ticker none", "btcusdt@aggTrade monotonic", "btcusdt@depth@100ms range"),
    ("coinbase", "ticker:BTC-USDT monotonic", "matches:BTC-USDT monotonic", "level2:BTC-USDT none"),
    ("kraken-v1", "ticker:XBT/USDT none", "trade:XBT/USDT none", "book-1000:XBT/USDT none"),
    ("okx", "tickers:BTC-USDT none", "trades:BTC-USDT monotonic", "books:BTC-USDT chain"),
    ("bybit-inverse", None, "trade.BTCUSDT monotonic", "orderBookL2_25.BTCUSDT monotonic"),
]


@pytest.mark.parametrize(("name", "ticker", "trades", "orderbook"), FEEDS)
def test_channels_of_a_symbol(name: str, ticker: str | None, trades: str, orderbook: str) -> None:
    dialect = dialect_named(name)
    for feed, told in (("ticker", ticker), ("trades", trades), ("orderbook", orderbook)):
        if told is None:
            with pytest.raises(UsageError, match=f"{name} has no channel for {feed}"):
                dialect.channel(feed, "BTC/USDT")
        else:
            channel = dialect.channel(feed, "BTC/USDT")
            assert f"{channel} {dialect.scheme(channel)}" == told


SYMBOLS = st.text(alphabet="ABCXYZ0189", min_size=2, max_size=6)
PAIRS = st.builds("{}/{}".format, SYMBOLS, SYMBOLS)
ASKED = st.lists(st.tuples(st.sampled_from(["ticker", "trades", "orderbook"]), PAIRS), min_size=1, max_size=6)


@pytest.mark.parametrize("name", NAMES)
@given(asked=ASKED)
def test_both_ends_understand_each_other(name: str, asked: list[tuple[str, str]]) -> None:
    """What a client asks for the server takes, once; the client understands every answer, and payloads arrive."""
    dialect = dialect_named(name)
    channels = []
    for feed, symbol in asked:
        with contextlib.suppress(UsageError):  # Bybit has no ticker
            channels.append(dialect.channel(feed, symbol))
    client, server = dialect.client("ws://localhost/ws"), dialect.server("ws://localhost/ws")
    taken, told = _converse(client, server, client.subscribe(channels))
    wanted = list(dict.fromkeys(channels))
    assert sorted(taken) == sorted((True, channel) for channel in wanted)
    assert {channel for received in told for channel in _names(received, Subscribed)} == {*wanted}
    for frame in client.subscribe(channels):
        assert not [one for one in server.receive(frame) if isinstance(one, Asked)], "a repeat is harmless"
    given_up = wanted[:1]
    dropped, told = _converse(client, server, client.unsubscribe(given_up))
    assert dropped == [(False, channel) for channel in given_up]
    assert [channel for received in told for channel in _names(received, Unsubscribed)] == given_up


@pytest.mark.parametrize("name", [name for name in NAMES if name != "binance"])
def test_what_does_not_exist_is_refused(name: str) -> None:
    """But for Binance, which takes every name."""
    dialect = dialect_named(name)
    channel = dialect.channel("orderbook", "NOPE/USD")
    client, server = dialect.client(""), dialect.server("", lambda channel: False)
    taken, told = _converse(client, server, client.subscribe([channel]))
    assert taken == []
    assert [type(received) for received in told] == [Objected]
    assert dialect_named("binance").server("/ws", lambda channel: False).receive(
        '{"method":"SUBSCRIBE","params":["nope@trade"],"id":1}'
    ) == [Reply('{"result":null,"id":1}'), Asked(True, ("nope@trade",))]


MESSAGES: dict[str, tuple[str, dict[str, Any] | list[Any]]] = {
    "binance": ("btcusdt@depth@100ms", {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": 1, "u": 2, "b": [], "a": []}),
    "coinbase": ("matches:BTC-USD", {"type": "match", "product_id": "BTC-USD", "sequence": 2}),
    "kraken-v1": ("trade:XBT/USD", [337, [["64000.1", "0.01", "1790000000.223456", "b", "m", ""]], "trade", "XBT/USD"]),
    "okx": ("trades:BTC-USDT", {"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": [{"tradeId": "2"}]}),
    "bybit-inverse": ("orderBookL2_25.BTCUSD", {"topic": "orderBookL2_25.BTCUSD", "type": "delta", "cross_seq": 2}),
}


@pytest.mark.parametrize("path", ["/ws", "/stream"])
@pytest.mark.parametrize("name", NAMES)
@given(value=JSON)
def test_what_is_published_arrives(name: str, path: str, value: Any) -> None:
    """A payload comes out as it went in, under the channel that it was published on; wrapped or not."""
    dialect = dialect_named(name)
    channel, message = MESSAGES[name]
    payload = {**message, "extra": value} if isinstance(message, dict) else [value, *message[1:]]
    client, server = dialect.client(path), dialect.server(path)
    _converse(client, server, client.subscribe([channel]))
    (event,) = client.receive(server.publish(channel, payload))
    assert isinstance(event, Event)
    assert (event.channel, event.data) == (channel, payload)
    assert event.seq == (None if dialect.scheme(channel) == "none" else 2)


@pytest.mark.parametrize("name", NAMES)
@given(frames=st.lists(FRAMES, max_size=4))
def test_whatever_comes_is_read_or_refused(name: str, frames: list[str | bytes]) -> None:
    """A session raises WireError or nothing, and goes on; what it made of a message can be asked about."""
    dialect = dialect_named(name)
    client, server = dialect.client("/ws"), dialect.server("/ws")
    for frame in frames:
        client.sent(frame)
        with contextlib.suppress(WireError):
            for received in client.receive(frame):
                if isinstance(received, Event):
                    channel = str(received.channel)
                    dialect.scheme(channel), dialect.link(channel, received.data), dialect.quote(channel, received.data)
        with contextlib.suppress(WireError):
            server.receive(frame)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("frame", ["", "{", "nul", "1", '"text"', "null", b"\xff", b"", "[" * 100_000, "\ud800"])
def test_no_message(name: str, frame: str | bytes) -> None:
    """A client refuses what is no JSON object or list."""
    with pytest.raises(WireError):
        dialect_named(name).client("/ws").receive(frame)


def test_keep_alive() -> None:
    """Where a dialect has messages for it, the server answers them and the client passes the answer over."""
    kept = [dialect for dialect in map(dialect_named, NAMES) if dialect.keep_alive]
    assert [dialect.name for dialect in kept] == ["kraken-v1", "okx", "bybit-inverse"]
    for dialect in kept:
        assert dialect.keep_alive is not None
        (pong,) = dialect.server("").receive(dialect.keep_alive.frame)
        assert isinstance(pong, Reply)
        assert dialect.client("").receive(pong.frame) == []


def _converse(
    client: ClientSession, server: ServerSession, frames: list[str | bytes]
) -> tuple[list[tuple[bool, str]], list[Received]]:
    """Hand frames to the server and its answers back: what it took, and what the client was told."""
    taken: list[tuple[bool, str]] = []
    told: list[Received] = []
    for frame in frames:
        for one in server.receive(frame):
            if isinstance(one, Reply):
                told += client.receive(one.frame)
            else:
                taken += [(one.subscribe, channel) for channel in one.channels]
    return taken, told


def _names(received: Received, kind: type[Subscribed] | type[Unsubscribed]) -> tuple[str, ...]:
    return received.channels if isinstance(received, kind) else ()

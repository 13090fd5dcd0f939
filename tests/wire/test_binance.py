"""Binance: URLs, requests and errors as the exchange answers them, and payloads that do not name their stream."""

import json
from typing import Any

import pytest

from wsctl.model.event import Event
from wsctl.wire.binance import MAX_FRAME, MAX_STREAMS, Binance
from wsctl.wire.binance_streams import Endpoint, read_url, stream_of
from wsctl.wire.dialect import Asked, Link, Notice, Objected, Quote, Reply, Subscribed, Unsubscribed

binance = Binance()

URLS = [
    ("wss://stream.binance.com:9443/ws", Endpoint((), False)),
    ("wss://stream.binance.com:9443/ws/btcusdt@trade", Endpoint(("btcusdt@trade",), False)),
    ("wss://h/ws/btcusdt%40depth%40100ms", Endpoint(("btcusdt@depth@100ms",), False)),
    ("wss://h/ws/a@trade/b@trade", Endpoint(("a@trade", "b@trade"), False)),
    ("wss://h/stream?streams=a@trade/b@trade/a@trade", Endpoint(("a@trade", "b@trade"), True)),
    ("wss://h/stream?timeUnit=MICROSECOND&streams=a%40trade%2Fb%40trade", Endpoint(("a@trade", "b@trade"), True)),
    ("wss://h/stream?streams=btcusdt@kline_1d@+08:00", Endpoint(("btcusdt@kline_1d@+08:00",), True)),
    ("wss://h/stream?streams=%E5%B8%81usdt@trade", Endpoint(("币usdt@trade",), True)),
    ("wss://h/stream", Endpoint((), True)),
    ("ws://h:1/stream/ws/0", Endpoint((), False)),
    ("/ws/!miniTicker@arr", Endpoint(("!miniTicker@arr",), False)),
    ("ws://h", Endpoint((), False)),
]


@pytest.mark.parametrize(("url", "endpoint"), URLS)
def test_urls(url: str, endpoint: Endpoint) -> None:
    assert read_url(url) == endpoint


def test_a_url_asks_for_its_streams_at_both_ends() -> None:
    url = "/stream?streams=a@trade/b@trade"
    client, server = binance.client(url), binance.server(url)
    assert client.open() == [Subscribed(("a@trade", "b@trade"))]
    assert server.open() == [Asked(True, ("a@trade", "b@trade"))]
    assert client.subscribe(["a@trade"]) == [], "it is on already"
    assert server.receive('{"method":"SUBSCRIBE","params":["a@trade"],"id":1}') == [Reply('{"result":null,"id":1}')]


def error(code: int, message: str, identifier: Any = 1) -> list[Any]:
    return [Reply(json.dumps({"error": {"code": code, "msg": message}, "id": identifier}, separators=(",", ":")))]


REQUESTS: list[tuple[str, list[Any]]] = [
    (
        '{"method":"SUBSCRIBE","params":["a@trade","b@depth5","a@trade"],"id":"x1"}',
        [Reply('{"result":null,"id":"x1"}'), Asked(True, ("a@trade", "b@depth5"))],
    ),
    ('{"method":"SUBSCRIBE","params":["on@trade"],"id":null}', [Reply('{"result":null,"id":null}')]),
    (
        '{"method":"UNSUBSCRIBE","params":["on@trade","never@trade"],"id":-9}',
        [Reply('{"result":null,"id":-9}'), Asked(False, ("on@trade",))],
    ),
    ('{"method":"LIST_SUBSCRIPTIONS","id":3}', [Reply('{"result":["on@trade"],"id":3}')]),
    ('{"method":"GET_PROPERTY","params":["combined"],"id":1}', [Reply('{"result":false,"id":1}')]),
    ('{"method":"SET_PROPERTY","params":["combined",true],"id":1}', [Reply('{"result":null,"id":1}')]),
    ('{"method":"SET_PROPERTY","params":["split",true],"id":1}', error(0, "Unknown property")),
    ('{"method":"SET_PROPERTY","params":["combined","yes"],"id":1}', error(1, "Invalid value type: expected Boolean")),
    ('{"method":"GET_PROPERTY","params":["combined",1],"id":1}', error(2, "Invalid request: too many parameters")),
    ('{"method":"GET_PROPERTY","params":[],"id":1}', error(2, "Invalid request: missing parameter")),
    ('{"method":"GET_PROPERTY","params":[7],"id":1}', error(2, "Invalid request: property name must be a string")),
    ('{"method":"SUBSCRIBE","params":[1],"id":1}', error(2, "Invalid request: invalid stream")),
    ('{"method":"SUBSCRIBE","params":["a b"],"id":1}', error(2, "Invalid request: invalid stream")),
    (
        '{"method":"SUBSCRIBE","params":"a@trade","id":1}',
        error(2, "Invalid request: invalid type of params, expected a sequence"),
    ),
    ('{"method":"SUBSCRIBE","params":[],"id":1.5}', error(2, "Invalid request: request ID is invalid", None)),
    ('{"id":4}', error(2, "Invalid request: missing field `method`", None)),
    (
        '{"method":"subscribe","id":4}',
        error(
            2,
            "Invalid request: unknown variant `subscribe`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, "
            "`LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`",
            None,
        ),
    ),
    ("ping", error(3, "Invalid JSON: expected value at line 1 column 1", None)),
]


@pytest.mark.parametrize(("request_", "answers"), REQUESTS)
def test_requests(request_: str, answers: list[Any]) -> None:
    assert binance.server("/ws/on@trade").receive(request_) == answers


def test_too_many_streams() -> None:
    server = binance.server("/ws/" + "/".join(f"s{number}@trade" for number in range(MAX_STREAMS)))
    request = '{"method":"SUBSCRIBE","params":["%s@trade"],"id":1}'
    assert server.receive(request % "s0") == [Reply('{"result":null,"id":1}')]
    assert server.receive(request % "new") == error(4, "Too many subscriptions")


def test_wrapping_is_the_connections_choice() -> None:
    server = binance.server("/ws/a@trade")
    assert server.publish("a@trade", {"t": 1}) == '{"t":1}'
    server.receive('{"method":"SET_PROPERTY","params":["combined",true],"id":1}')
    assert server.publish("a@trade", {"t": 1}) == '{"stream":"a@trade","data":{"t":1}}'


def test_long_lists_are_split() -> None:
    """Into requests that the exchange takes, with ids of their own."""
    names = [f"symbol{number}@depth@100ms" for number in range(500)]
    frames = binance.client("/ws").subscribe(names)
    assert all(len(frame) <= MAX_FRAME for frame in frames)
    requests = [json.loads(frame) for frame in frames]
    assert [name for request in requests for name in request["params"]] == names
    assert [request["id"] for request in requests] == list(range(1, len(frames) + 1))
    assert len(frames) == 4


def test_answers_to_the_client() -> None:
    """An answer goes with its request by id, in either order."""
    client = binance.client("/ws")
    client.subscribe(["a@trade"])
    client.subscribe(["b@trade"])
    client.unsubscribe(["a@trade"])
    assert client.receive('{"result":null,"id":2}') == [Subscribed(("b@trade",))]
    assert client.receive('{"error":{"code":2,"msg":"no"},"id":1}') == [Objected("no (code 2)", ("a@trade",))]
    assert client.subscribe(["a@trade", "b@trade"]) == ['{"method":"SUBSCRIBE","params":["a@trade"],"id":4}']
    assert client.receive('{"result":null,"id":3}') == [Unsubscribed(("a@trade",))]
    assert client.receive('{"code":2,"msg":"flat","id":null}') == [Objected("flat (code 2)")]
    assert client.receive('{"result":["b@trade"],"id":9}') == [Notice("result", ["b@trade"])]


def test_requests_of_another_program_are_noted() -> None:
    """A tape tells what was sent: its acknowledgement then names channels, and unwrapped payloads their streams."""
    client = binance.client("/ws")
    client.sent('{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":"f00-1"}')
    assert client.receive('{"result":null,"id":"f00-1"}') == [Subscribed(("btcusdt@depth@100ms",))]
    (event,) = client.receive('{"e":"depthUpdate","s":"BTCUSDT","U":1,"u":2}')
    assert isinstance(event, Event)
    assert event.channel == "btcusdt@depth@100ms"


ON = ["ethusdt@depth@100ms", "btcusdt@depth@100ms", "btcusdt@kline_1m", "btcusdt@kline_1h", "btcusdt@depth20@100ms"]

UNWRAPPED: list[tuple[Any, list[str], str | None]] = [
    ({"e": "depthUpdate", "s": "BTCUSDT"}, ON, "btcusdt@depth@100ms"),
    ({"e": "depthUpdate", "s": "BTCUSDT"}, ["btcusdt@depth5"], "btcusdt@depth5"),
    ({"e": "depthUpdate", "s": "BTCUSDT"}, [], "btcusdt@depth"),
    ({"e": "kline", "s": "BTCUSDT", "k": {"i": "1h"}}, ON, "btcusdt@kline_1h"),
    ({"e": "24hrTicker", "s": "BTCUSDT"}, ["btcusdt@ticker_1h", "btcusdt@ticker"], "btcusdt@ticker"),
    ({"e": "1hTicker", "s": "BTCUSDT"}, ["btcusdt@ticker_1h", "btcusdt@ticker"], "btcusdt@ticker_1h"),
    ({"e": "24hrMiniTicker", "s": "BTCUSDT"}, [], "btcusdt@miniTicker"),
    ({"u": 1, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1"}, ON, "btcusdt@bookTicker"),
    ({"lastUpdateId": 1, "bids": [], "asks": []}, ON, "btcusdt@depth20@100ms"),
    ({"lastUpdateId": 1, "bids": [], "asks": []}, [*ON, "ethusdt@depth5"], None),
    ([{"e": "24hrMiniTicker", "s": "BTCUSDT"}], ["!miniTicker@arr"], "!miniTicker@arr"),
    ([{"e": "24hrMiniTicker", "s": "BTCUSDT"}], ["btcusdt@miniTicker"], None),
    ({"x": 1}, ["a@referencePrice"], "a@referencePrice"),
    ({"x": 1}, ON, None),
]


@pytest.mark.parametrize(("payload", "on", "stream"), UNWRAPPED)
def test_unwrapped_payloads(payload: Any, on: list[str], stream: str | None) -> None:
    assert stream_of(payload, on) == stream


DEPTH = {"e": "depthUpdate", "E": 1633998512068123, "s": "BTCUSDT", "U": 157, "u": 160, "pu": 149}
BOOK = {"lastUpdateId": 160, "bids": [], "asks": []}
TRADE = {"e": "trade", "E": 1790000000123, "s": "BTCUSDT", "t": 2**63, "p": "64000.10", "T": 1790000000121}

PAYLOADS: list[tuple[str, Any, str, int | None, float | None, str, Link, Quote]] = [
    ("a@depth", DEPTH, "depthUpdate", 160, 1633998512.068123, "range", Link(157, 149), Quote("BTCUSDT")),
    ("a@depth5@100ms", BOOK, "depth", 160, None, "monotonic", Link(), Quote()),
    ("a@trade", TRADE, "trade", 2**63, 1790000000.123, "monotonic", Link(), Quote("BTCUSDT", "64000.10")),
    ("a@bookTicker", {"u": 5, "s": "A"}, "bookTicker", 5, None, "monotonic", Link(), Quote("A")),
    ("!bookTicker", {"u": 5, "s": "A"}, "bookTicker", None, None, "none", Link(), Quote("A")),
    ("!miniTicker@arr", [{"e": "24hrMiniTicker", "E": 1790000000123}], "24hrMiniTicker", None, 1790000000.123, "none",
     Link(), Quote()),
    ("a@ticker", {"e": "24hrTicker", "s": "A", "c": "1.0"}, "24hrTicker", None, None, "none",
     Link(), Quote("A", "1.0")),
]  # fmt: skip


@pytest.mark.parametrize(("stream", "payload", "name", "seq", "sent_at", "scheme", "link", "quote"), PAYLOADS)
def test_payloads(
    stream: str, payload: Any, name: str, seq: int | None, sent_at: float | None, scheme: str, link: Link, quote: Quote
) -> None:
    frame = json.dumps({"stream": stream, "data": payload})
    assert binance.client("/stream").receive(frame) == [
        Event(name=name, channel=stream, seq=seq, sent_at=sent_at, data=payload)
    ]
    assert binance.scheme(stream) == scheme
    assert binance.link(stream, payload) == link
    assert binance.quote(stream, payload) == quote


@pytest.mark.parametrize(
    "frame",
    ['{"e":"serverShutdown","E":1}', '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}'],
)
def test_a_shutdown_is_about_the_connection(frame: str) -> None:
    assert binance.client("/ws/a@trade").receive(frame) == [Notice("serverShutdown", {"e": "serverShutdown", "E": 1})]

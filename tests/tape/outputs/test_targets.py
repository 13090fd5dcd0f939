"""Tapes played into what others run: a Socket.IO server, a WebSocket, Redis. Values, order, and what becomes of it
when the target is not there, or goes."""

import asyncio
import json
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.peers.redis_server import RedisServer, redis_server
from tests.peers.taker import socketio_taker, websocket_taker
from tests.server.served import run, until
from tests.tape.outputs.playing import plays, price, prices, said
from wsctl.client.target import Target, Transport
from wsctl.errors import Gone, Refused, TargetError, Unreachable, UsageError
from wsctl.model.event import Event
from wsctl.tape.format import TapeFrame
from wsctl.tape.outputs.redis_target import RedisTarget
from wsctl.tape.outputs.socketio_target import SocketIOTarget
from wsctl.tape.outputs.target import TargetOutput
from wsctl.tape.outputs.websocket_target import WebSocketTarget
from wsctl.tape.player import Played
from wsctl.wire.binance import Binance

TRADE = '{"e":"trade","E":1763870000123,"s":"BNBBTC","t":12345,"p":"0.00100000","q":"100","T":1763870000120,"m":true}'
RAW = [
    TapeFrame(0, "c1", "open", url="wss://stream.binance.com:9443/stream?streams=bnbbtc@trade"),
    TapeFrame(1, "c1", "out", '{"method":"SUBSCRIBE","params":["bnbbtc@trade"],"id":1}'),
    TapeFrame(2, "c1", "in", '{"result":null,"id":1}'),
    TapeFrame(3, "c1", "in", '{"stream":"bnbbtc@trade","data":' + TRADE + "}"),
    TapeFrame(4, "c1", "close", code=1000),
]


def raw_plays(*, restamped: bool = False) -> list[Played]:
    """A raw tape's records as a player puts them."""
    dialect, made = Binance(), []
    session = dialect.client(RAW[0].url or "")
    for frame in RAW:
        found = session.receive(frame.frame) if frame.direction == "in" and frame.frame is not None else []
        events = [one for one in found if isinstance(one, Event)]
        if restamped:
            events = [
                Event(name=one.name, channel=one.channel, data=dialect.restamped(one.channel or "", one.data, 1.8e9))
                for one in events
            ]
        made.append(Played(frame, tuple(events), 0.0, 1, restamped))
    return made


async def play(output: TargetOutput, records: Sequence[Played]) -> None:
    """As a player does, once."""
    try:
        await output.ready()
        for record in records:
            await output.put(record)
    finally:
        await output.close()


@pytest.mark.parametrize("transport", ["websocket", "polling", "auto"])
def test_into_a_socketio_server(transport: Transport) -> None:
    """A stock server receives every event that servers sent, in order, argument for argument."""
    frames = [
        TapeFrame(0, "c1", "in", '40{"sid":"x"}'),
        *prices(1, 50),
        TapeFrame(0, "c1", "out", '42["price:subscribe",["BTC/USDT"]]'),
        TapeFrame(0, "c1", "in", '430[{"ok":true}]'),
        said("error", {"message": "Access denied"}),
        said("several", 1, ["two"], None),
        said("a list", [1, 2]),
        said("nothing"),
        TapeFrame(0, "c1", "in", '451-["picture",{"_placeholder":true,"num":0}]'),
        TapeFrame(0, "c1", "in", b"\x00\xff"),
    ]

    async def test() -> None:
        with socketio_taker() as taken:
            target = Target(url=f"http://{taken.address}", token="secret", transport=transport)
            output = SocketIOTarget(target, None)
            await play(output, plays(frames))
            expected = [("price:update", price(seq)) for seq in range(1, 51)]
            expected += [("several", 1, ["two"], None), ("a list", [1, 2]), ("nothing",), ("picture", b"\x00\xff")]
            await until(lambda: len(taken.events) == len(expected))
            assert taken.events == expected
            assert [auth["token"] for auth in taken.auth] == ["secret"]
            assert output.summary == f"54 events sent to http://{taken.address}; 1 left out"

    run(test)


def test_a_raw_tape_into_a_socketio_server() -> None:
    """What an exchange said becomes an event by the name that its dialect gives it."""

    async def test() -> None:
        with socketio_taker() as taken:
            await play(SocketIOTarget(Target(url=f"http://{taken.address}"), Binance()), raw_plays())
            await until(lambda: taken.events)
            assert taken.events == [("trade", json.loads(TRADE))]

    run(test)


def test_restamped_events_are_emitted_as_told() -> None:
    """A second round's events carry its epoch."""

    async def test() -> None:
        with socketio_taker() as taken:
            await play(SocketIOTarget(Target(url=f"http://{taken.address}"), None), plays(prices(1, 1), lap=2))
            await until(lambda: taken.events)
            assert taken.events == [("price:update", price(1, epoch="e1+2"))]

    run(test)


def test_into_a_websocket() -> None:
    """Every frame of a server arrives as it was, text as text and bytes as bytes; what comes back is no matter."""
    frames = [*RAW, TapeFrame(5, "c1", "in", b"\x00\xff")]

    async def test() -> None:
        async with websocket_taker() as taken:
            output = WebSocketTarget(Target(url=f"ws://{taken.address}/in?key=1"), Binance())
            await play(output, [Played(frame, (), 0.0, 1, False) for frame in frames])
            await until(lambda: len(taken.events) == 3)
            assert taken.events == [(RAW[2].frame,), (RAW[3].frame,), (b"\x00\xff",)]
            assert output.summary == f"3 messages sent to ws://{taken.address}/in"

    run(test)


def test_restamped_frames_into_a_websocket() -> None:
    """Told anew, frames are wrapped as the recorded connection's were."""

    async def test() -> None:
        async with websocket_taker() as taken:
            await play(WebSocketTarget(Target(url=f"ws://{taken.address}"), Binance()), raw_plays(restamped=True))
            await until(lambda: len(taken.events) == 2)
        acknowledgement, wrapped = (one for (one,) in taken.events)
        assert acknowledgement == RAW[2].frame
        assert json.loads(wrapped) == {
            "stream": "bnbbtc@trade",
            "data": {**json.loads(TRADE), "E": 1_800_000_000_000},
        }

    run(test)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A real Redis."""
    with redis_server() as server:
        yield server


def test_into_redis(redis: RedisServer) -> None:
    """Each ticker's price is published under its symbol with all that was said; what is no price is counted."""
    compact = {"s": "ETH/USDT", "p": 2000.01, "v": 3, "t": 1763870000000, "q": 1, "e": "e1"}
    public = {**price(1), "channel": "price:public"}
    frames = [
        TapeFrame(0, "c1", "in", '430[{"ok":true}]'),
        *prices(1, 3),
        said("price:update", public),
        said("price:update", compact),
        said("orderbook:update", {"symbol": "BTC/USDT", "bids": [], "channel": "symbol:BTC/USDT:orderbook"}),
    ]

    async def test() -> None:
        async with redis.listening("price:*") as heard:
            output = RedisTarget(redis.url, None)
            await play(output, plays(frames))
            await until(lambda: len(heard) == 4)
            said_of_btc = [("price:BTC/USDT", price(seq)) for seq in (1, 2, 3)]
            said_of_eth = ("price:ETH/USDT", {"symbol": "ETH/USDT", "price": 2000.01, **compact})
            assert [(name, json.loads(data)) for name, data in heard] == [*said_of_btc, said_of_eth]
            assert output.summary == f"4 prices sent to {redis.url}; 3 left out"

    run(test)


def test_a_raw_tape_into_redis(redis: RedisServer) -> None:
    """An exchange's price keeps its spelling: the symbol's, and the digits of the price."""

    async def test() -> None:
        async with redis.listening("price:*") as heard:
            await play(RedisTarget(f"{redis.url}/0", Binance()), raw_plays())
            await until(lambda: heard)
            payload = b'{"symbol":"BNBBTC","price":"0.00100000","timestamp":1763870000123.0}'
            assert heard == [("price:BNBBTC", payload)]

    run(test)


def test_a_redis_with_a_password() -> None:
    """The password of the URL lets in; without it the refusal says what would, and no message shows it."""

    async def test() -> None:
        with redis_server("hush") as server:
            secured = server.url.replace("//", "//:hush@")
            output = RedisTarget(secured, None)
            await play(output, plays(prices(1, 1)))
            assert output.summary == f"1 prices sent to {server.url}"
            for url in (server.url, server.url.replace("//", "//:wrong@")):
                with pytest.raises(Refused) as refused:
                    await play(RedisTarget(url, None), [])
                assert refused.value.message.startswith(f"{server.url} refused the connection: ")
                assert "wrong" not in str(refused.value).replace("WRONGPASS", "").replace("wrong number", "")

    run(test)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hush@h:bad",
        "redis://h/x",
        "redis://h:1/0?password=hush",
        "http://h",
        "redis://:hush@",
        "redis://[:hush",
    ],
)
def test_bad_redis_urls(url: str) -> None:
    """A URL that makes no sense is a usage error, and nothing of a password is shown."""
    with pytest.raises(UsageError) as error:
        RedisTarget(url, None)
    assert "hush" not in str(error.value)


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.mark.parametrize("kind", ["socketio", "websocket", "redis"])
def test_nobody_there(kind: str) -> None:
    """A target that does not answer is unreachable, by its URL."""
    port = _closed_port()

    async def test() -> None:
        output = _output(kind, f"127.0.0.1:{port}")
        with pytest.raises(Unreachable, match=f"127.0.0.1:{port}: connection refused"):
            await play(output, [])

    run(test)


def test_something_that_is_not_redis() -> None:
    """An HTTP server at the port is no Redis."""

    async def test() -> None:
        async with websocket_taker() as taken:
            with pytest.raises(TargetError) as error:
                await play(RedisTarget(f"redis://{taken.address}", None), [])
            assert error.value.message.startswith(f"redis://{taken.address}")

    run(test)


@pytest.mark.parametrize("kind", ["socketio", "websocket", "redis"])
def test_a_target_that_goes_away(kind: str) -> None:
    """Gone says how far the tape got; nothing hangs."""

    async def test() -> None:
        with redis_server() as server, socketio_taker() as events:
            async with websocket_taker() as messages:
                where = {"socketio": events.address, "websocket": messages.address, "redis": f"127.0.0.1:{server.port}"}
                output = _output(kind, where[kind])
                await output.ready()
                [record] = plays(prices(1, 1))
                for _ in range(5):
                    await output.put(record)
                if kind == "redis":
                    server.process.kill()
                    server.process.wait()
                else:
                    taken = events if kind == "socketio" else messages
                    await until(lambda: len(taken.events) == 5)
                    await taken.cut()
                with pytest.raises(Gone) as gone:
                    await _for_ever(output, record)
                assert f"{where[kind]} went away after {output.sent} {output.unit}: " in gone.value.message
                assert output.sent >= 5
                await output.close()

    run(test)


async def _for_ever(output: TargetOutput, record: Played) -> None:
    while True:
        await output.put(record)
        await asyncio.sleep(0)


def _output(kind: str, where: str) -> Any:
    if kind == "redis":
        return RedisTarget(f"redis://{where}", None)
    target = Target(url=f"{'ws' if kind == 'websocket' else 'http'}://{where}", direct=True)
    return WebSocketTarget(target, Binance()) if kind == "websocket" else SocketIOTarget(target, None)

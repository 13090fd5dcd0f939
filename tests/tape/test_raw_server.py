"""A tape as a server: real clients get what they asked for, to the byte, however late they come."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from tests.server.served import until
from tests.tape.tapes import CAPTURES, source
from wsctl.clock import SystemClock
from wsctl.tape.contents import contents_of
from wsctl.tape.format import Direction, Header, TapeFrame, encode_frame, encode_header
from wsctl.tape.outputs import whole_states
from wsctl.tape.outputs.patience import BEHIND_LIMIT, SETTLING
from wsctl.tape.outputs.raw_server import RawServer
from wsctl.tape.outputs.whole_states import KEPT
from wsctl.tape.player import Played
from wsctl.tape.reader import TapeReader
from wsctl.tape.reading import Reading
from wsctl.tape.recording import Recording, read_frames
from wsctl.tape.source import open_source
from wsctl.wire.dialects import dialect_named, dialect_of

HEADER = Header(started_ns=0)
SPOT = "https://api.binance.com/api/v3/"


class Stage:
    """A tape, and the server that it is put to, record by record."""

    def __init__(self, dialect: str, frames: Sequence[TapeFrame], *, hold: bool = False) -> None:
        self.dialect = dialect_named(dialect)
        self.frames = list(frames)
        self.told: list[str] = []
        self._reading = Reading(self.dialect, HEADER)
        self._hold = hold
        self.server: RawServer

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Serve; the URL."""
        self.server = RawServer(
            self.dialect,
            contents_of(recording(self.frames), self.dialect),
            host=None,
            port=0,
            hold=self._hold,
            clock=SystemClock(),
            tell=self.told.append,
        )
        async with self.server as server:
            yield server.url

    def played(self, frame: TapeFrame, *, restamped: bool = False) -> Played:
        return Played(frame, tuple(self._reading.events(frame, "t:1")), 0.0, 1, restamped)

    async def play(self, count: int | None = None) -> None:
        """Put the next frames, or all."""
        count = len(self.frames) if count is None else count
        for frame in self.frames[:count]:
            await self.server.put(self.played(frame))
            await asyncio.sleep(0)
        del self.frames[:count]


def recording(frames: Sequence[TapeFrame]) -> Recording:
    return TapeReader(source(b"".join([encode_header(HEADER), *map(encode_frame, frames)])))


def came(payload: Any, at_ns: int = 0) -> TapeFrame:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return TapeFrame(at_ns, "c1", "in", text)


def answered(url: str, body: Any) -> TapeFrame:
    return TapeFrame(0, "", "http", json.dumps(body), url=url)


async def ask(client: ClientConnection, *channels: str) -> Any:
    """Ask Binance's way for streams; the answer."""
    await client.send(json.dumps({"method": "SUBSCRIBE", "params": channels, "id": 1}))
    return json.loads(await client.recv())


async def request(url: str, target: str, method: str = "GET", body: str = "") -> tuple[str, bytes]:
    """Head and body of an HTTP answer."""
    host, _, port = url.removeprefix("ws://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for piece in (method[:2], f"{method[2:]} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n", body):
        writer.write(piece.encode())
        await writer.drain()
    head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return head.decode(), answer


async def get(url: str, target: str) -> tuple[int, Any]:
    """Status and JSON of an HTTP answer."""
    head, body = await request(url, target)
    return int(head.split()[1]), json.loads(body)


def test_methods() -> None:
    """A GET is answered as a GET was, and HEAD by its head; nothing else was recorded for them, and is not allowed."""
    status = f"{SPOT}status"
    frames = [
        came(trade(1)),
        *(msgspec.structs.replace(answered(status, method), method=method) for method in ("OPTIONS", "POST", "HEAD")),
        answered(status, "GET"),
        msgspec.structs.replace(answered(f"{SPOT}order", 1), method="POST"),
    ]

    async def scene() -> None:
        stage = Stage("binance", frames)
        async with stage.open() as url:
            for _ in range(2):
                assert await get(url, "/api/v3/status") == (200, "GET")
                head, body = await request(url, "/api/v3/status", "HEAD")
                assert head.startswith("HTTP/1.1 200 ")
                assert "Content-Length: 5" in head
                assert body == b""
                assert (await get(url, "/api/v3/order"))[0] == 404
                for method in ("POST", "OPTIONS", "DELETE", "X"):
                    head, body = await request(url, "/api/v3/status", method, "x" * 100_000)
                    assert head.startswith("HTTP/1.1 405 ")
                    assert "Allow: GET, HEAD" in head.splitlines()
                    assert json.loads(body) == {"msg": f"wsctl: {method} is not allowed; GET and HEAD are answered"}
                await stage.play()

    run(scene())


def test_an_upgrade_that_is_asked_for_twice_is_no_fault_of_ours() -> None:
    async def scene() -> None:
        async with Stage("binance", [came(trade(1))]).open() as url:
            for names, status in ((("h2c", "h2c"), 404), (("websocket", "websocket"), 426)):
                asked = "".join(f"Upgrade: {name}\r\n" for name in names)
                head, _ = await request(url, f"/ws HTTP/1.1\r\nConnection: Upgrade\r\n{asked}X: x")
                assert int(head.split()[1]) == status

    run(scene())


def run(work: Any) -> Any:
    return asyncio.run(work)


def trade(number: int, symbol: str = "BTCUSDT") -> str:
    return f'{{"e":"trade","s":"{symbol}","t":{number},"p":"0.10"}}'


def test_each_gets_what_it_asked_for() -> None:
    """In the order of the tape, wrapped as each connection has it, until it asks no more."""
    frames = [came(trade(number, symbol)) for number in range(1, 4) for symbol in ("A", "B")]

    async def scene() -> None:
        stage = Stage("binance", frames)
        async with (
            stage.open() as url,
            connect(f"{url}/ws") as bare,
            connect(f"{url}/stream?streams=b@trade") as wrapped,
        ):
            assert await ask(bare, "a@trade", "b@trade", "c@trade") == {"result": None, "id": 1}
            await stage.play(4)
            assert [await bare.recv() for _ in range(4)] == [frame.frame for frame in frames[:4]]
            assert await wrapped.recv() == '{"stream":"b@trade","data":' + trade(1, "B") + "}"
            await bare.send('{"method":"UNSUBSCRIBE","params":["b@trade"],"id":2}')
            assert await bare.recv() == '{"result":null,"id":2}'
            await stage.play()
            assert await bare.recv() == trade(3, "A")
            assert [json.loads(await wrapped.recv())["data"]["t"] for _ in range(2)] == [2, 3]

    run(scene())


def test_a_channel_that_several_clients_heard_is_played_once() -> None:
    """By the one who heard it first, until that one leaves."""
    heard = [("c1", 1), ("c2", 1), ("c1", 2), ("c2", 2), ("c2", 3), ("c2", 4)]
    frames = [TapeFrame(0, conn, "in", trade(number, "A")) for conn, number in heard]
    frames.insert(4, TapeFrame(0, "c1", "close"))

    async def scene() -> None:
        stage = Stage("binance", frames)
        async with stage.open() as url, connect(f"{url}/ws") as client:
            await ask(client, "a@trade")
            await stage.play()
            assert [json.loads(await client.recv())["t"] for _ in range(4)] == [1, 2, 3, 4]

    run(scene())


def test_another_recorded_client_goes_on() -> None:
    """When the first unsubscribed, though it stays and listens to something else."""

    def say(at: int, conn: str, text: str, direction: Direction = "in") -> TapeFrame:
        return TapeFrame(at * 1_000_000, conn, direction, text)

    request = '{"method":"%s","params":["a@trade"],"id":1}'
    frames = [say(0, conn, request % "SUBSCRIBE", "out") for conn in ("c1", "c2")]
    frames += [say(number, conn, trade(number, "A")) for number in range(1, 6) for conn in ("c1", "c2")]
    frames += [say(5, "c1", request % "UNSUBSCRIBE", "out"), say(5, "c1", '{"result":null,"id":1}')]
    frames += [say(number, "c2", trade(number, "A")) for number in range(6, 20)]
    frames += [say(20, "c1", request % "SUBSCRIBE", "out")]
    frames += [say(number, conn, trade(number, "A")) for number in range(20, 31) for conn in ("c1", "c2")]

    async def scene() -> None:
        stage = Stage("binance", frames)
        async with stage.open() as url, connect(f"{url}/ws") as client:
            await ask(client, "a@trade")
            await stage.play()
            assert [json.loads(await client.recv())["t"] for _ in range(30)] == list(range(1, 31))

    run(scene())


def test_it_begins_with_the_first_subscription() -> None:
    """Not with a connection; and who asks in several frames misses nothing."""

    async def scene() -> None:
        stage = Stage("binance", [came(trade(1))])
        async with stage.open() as url, connect(f"{url}/ws") as client:
            ready = asyncio.ensure_future(stage.server.ready())
            await client.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
            assert await client.recv() == '{"result":[],"id":1}'
            assert not ready.done()
            assert await ask(client, "nothing@trade") == {"result": None, "id": 1}
            async with connect(f"{url}/ws/btcusdt@trade") as gone:
                await gone.ping()
            await gone.wait_closed()
            await asyncio.sleep(2 * SETTLING)
            assert not ready.done()
            await ask(client, "btcusdt@trade")
            await ready
            await stage.play()
            assert await client.recv() == trade(1)

    run(scene())


KRAKEN_BOOK = {"event": "subscribe", "pair": ["XMR/USD"], "subscription": {"name": "book", "depth": 1000}}
REQUESTS: list[tuple[str, str, Any, set[str], int]] = [
    (
        "BINANCE.ws.1.0",
        "/stream",
        {"method": "SUBSCRIBE", "params": ["nknusdt@depth@100ms"], "id": 1},
        {"nknusdt@depth@100ms"},
        1,
    ),
    (
        "COINBASE.ws.28.0",
        "/",
        {"type": "subscribe", "product_ids": ["YFI-BTC"], "channels": ["level2", "ticker"]},
        {"level2:YFI-BTC", "ticker:YFI-BTC"},
        1,
    ),
    (
        "OKX.ws.1.0",
        "/ws/v5/public",
        {"op": "subscribe", "args": [{"channel": "trades", "instId": "BTC-USDT"}]},
        {"trades:BTC-USDT"},
        1,
    ),
    ("BYBIT.ws.26.0", "/realtime", {"op": "subscribe", "args": ["trade.BTCUSD"]}, {"trade.BTCUSD"}, 1),
    ("KRAKEN.ws.50.0", "/", KRAKEN_BOOK, {"book-1000:XMR/USD"}, 2),
]
"""capture, path, what a client sends, the channels that it gets, answers before them (Kraken greets)"""


@pytest.mark.skipif(not CAPTURES.exists(), reason="the captures are not on this machine")
@pytest.mark.parametrize(("capture", "path", "asking", "channels", "answers"), REQUESTS)
def test_captures_to_the_byte(capture: str, path: str, asking: Any, channels: set[str], answers: int) -> None:
    """A client of each exchange is sent what the exchange sent: every frame of its channels, and no other."""
    with open_source(CAPTURES / capture) as lines:
        tape = read_frames(lines)
        frames = list(tape)
    dialect = dialect_of(tape.header.url or "")
    assert dialect is not None
    recorded: list[str | bytes | None] = []

    async def scene() -> list[str | bytes]:
        stage = Stage(dialect.name, frames, hold=True)
        async with stage.open() as url, connect(f"{url}{path}", max_size=None) as client:
            await client.send(json.dumps(asking))
            receiving = asyncio.ensure_future(all_of(client))
            await stage.server.ready()
            for frame in frames:
                played = stage.played(frame)
                await stage.server.put(played)
                recorded.extend(frame.frame for event in played.events if event.channel in channels)
            await stage.server.lap_over(1)
            return await receiving

    got = run(scene())
    assert len(recorded) > 10
    assert got[answers:] == recorded


async def all_of(client: ClientConnection) -> list[str | bytes]:
    """What comes until the server has had enough."""
    got = []
    with suppress(ConnectionClosed):
        while True:
            got.append(await client.recv())
    return got


def book(kind: str, number: int) -> str:
    return json.dumps({"type": kind, "product_id": "BTC-USD", "number": number})


BOOK = [came(book("snapshot" if number in (2, 5) else "l2update", number)) for number in range(1, 10)]
SUBSCRIBE = '{"type":"subscribe","product_ids":["BTC-USD"],"channels":["level2"]}'


async def numbers(client: ClientConnection, count: int) -> list[int]:
    return [json.loads(await client.recv())["number"] for _ in range(count)]


def test_who_comes_late_gets_a_whole_book() -> None:
    """What was played since the latest snapshot, then the rest; before the first snapshot there is nothing to get."""

    async def scene() -> None:
        stage = Stage("coinbase", BOOK)
        async with stage.open() as url, connect(url) as first, connect(url) as second, connect(url) as third:
            for client, played, wanted in ((first, 1, []), (second, 6, [5, 6, 7]), (third, 1, [5, 6, 7, 8])):
                await stage.play(played)
                await client.send(SUBSCRIBE)
                assert json.loads(await client.recv())["type"] == "subscriptions"
                assert await numbers(client, len(wanted)) == wanted
            await stage.play()
            assert await numbers(first, 8) == [2, 3, 4, 5, 6, 7, 8, 9]
            assert await numbers(second, 2) == [8, 9]
            assert await numbers(third, 1) == [9]
            assert stage.told == []

    run(scene())


def test_what_lies_before_the_beginning_is_state() -> None:
    """With --from in the middle of a book, the first client gets the book as of there."""

    async def scene() -> None:
        stage = Stage("coinbase", BOOK)
        async with stage.open() as url, connect(url) as client:
            for frame in BOOK[:7]:
                stage.server.skip(stage.played(frame))
            await client.send(SUBSCRIBE)
            await client.recv()
            assert await numbers(client, 3) == [5, 6, 7]

    run(scene())


def test_too_late_for_a_book() -> None:
    """So many messages after the snapshot, a client only gets what follows, and it is said."""
    frames = [BOOK[4]] + [came(book("l2update", number)) for number in range(KEPT + 2)]

    async def scene() -> None:
        stage = Stage("coinbase", frames)
        async with stage.open() as url, connect(url, max_queue=None) as client, connect(url) as late:
            await stage.play(KEPT + 1)
            await client.send(SUBSCRIBE)
            await client.recv()
            assert await numbers(client, KEPT + 1) == [5, *range(KEPT)]
            assert stage.told == []
            await stage.play(1)
            await late.send(SUBSCRIBE)
            await late.recv()
            await stage.play(1)
            assert await numbers(late, 1) == [KEPT + 1]
            (told,) = stage.told
            assert "asked for level2:BTC-USD more than 5,000 messages after its latest snapshot" in told

    run(scene())


def test_who_cannot_catch_up_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """More came since the snapshot than is remembered, before a late client had read what was: it must not go on with a
    hole in its book."""
    monkeypatch.setattr(whole_states, "KEPT", 50)
    wide = "x" * 200_000
    frames = [BOOK[4], *(came({**json.loads(book("l2update", number)), "wide": wide}) for number in range(60))]

    async def scene() -> None:
        stage = Stage("coinbase", frames)
        async with stage.open() as url, connect(url, max_queue=1) as late:
            await stage.play(40)
            await late.send(SUBSCRIBE)
            await late.recv()
            (client,) = stage.server._clients
            await until(lambda: client.connection.transport.get_write_buffer_size())
            await stage.play()
            got = await all_of(late)
            assert late.close_code == 1008
            numbers = [json.loads(one)["number"] for one in got]
            assert numbers == [5, *range(len(numbers) - 1)]
            (told,) = stage.told
            assert told.endswith(
                "fell more than 5,000 messages behind while it caught up on level2:BTC-USD; closed with 1008"
            )

    run(scene())


def test_what_the_tape_does_not_have() -> None:
    """Is refused as the exchange refuses what it does not have."""

    async def scene() -> None:
        async with Stage("coinbase", BOOK).open() as url, connect(url) as client:
            await client.send(SUBSCRIBE.replace("BTC", "NOPE"))
            answer = json.loads(await client.recv())
            assert (answer["type"], answer["reason"]) == ("error", "NOPE-USD is not a valid product")
            await client.send("no JSON")
            with pytest.raises(ConnectionClosedError) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1007
            assert closed.value.rcvd.reason.startswith("a frame that is not JSON")

    run(scene())


def test_restamped_payloads() -> None:
    """Where the events tell another time than the frame, they are sent."""

    async def scene() -> None:
        stage = Stage("binance", [came('{"stream":"a@trade","data":{"e":"trade","E":1,"s":"A","t":1}}')])
        async with stage.open() as url, connect(f"{url}/ws/a@trade") as client:
            await stage.server.ready()
            played = stage.played(stage.frames[0])
            (event,) = played.events
            event = msgspec.structs.replace(event, data={**event.data, "E": 2})
            await stage.server.put(msgspec.structs.replace(played, events=(event,), restamped=True))
            assert json.loads(await client.recv()) == {"e": "trade", "E": 2, "s": "A", "t": 1}

    run(scene())


BIG = came(json.dumps({"type": "l2update", "product_id": "BTC-USD", "changes": "x" * 1_000_000}))


def test_who_cannot_keep_up_is_closed() -> None:
    """With 1008, and it is said; the others go on."""

    async def scene() -> None:
        stage = Stage("coinbase", [BIG])
        async with (
            stage.open() as url,
            connect(url, max_queue=1) as slow,
            connect(url, max_queue=None) as quick,
        ):
            for client in (slow, quick):
                await client.send(SUBSCRIBE)
                await client.recv()
            put = 0
            while not stage.told:
                await stage.server.put(stage.played(BIG))
                assert await quick.recv() == BIG.frame
                put += 1
            assert put * 1_000_000 > BEHIND_LIMIT
            (told,) = stage.told
            assert "MiB behind; closed with 1008" in told
            await all_of(slow)
            assert slow.close_code == 1008
            await stage.server.put(stage.played(BIG))
            assert await quick.recv() == BIG.frame

    run(scene())


def test_at_full_speed_the_player_waits() -> None:
    """A client that reads nothing for a while holds it, and misses nothing."""
    count = 2 * BEHIND_LIMIT // 1_000_000

    async def scene() -> None:
        stage = Stage("coinbase", [BIG] * count, hold=True)
        async with stage.open() as url, connect(url, max_queue=1) as slow:
            await slow.send(SUBSCRIBE)
            await slow.recv()
            playing = asyncio.ensure_future(stage.play())
            for _ in range(count):
                assert await slow.recv() == BIG.frame
            await playing
            assert stage.told == []

    run(scene())


def test_a_client_that_left_holds_nobody() -> None:
    """At full speed, too."""

    async def scene() -> None:
        stage = Stage("coinbase", [BIG] * 40, hold=True)
        async with stage.open() as url:
            async with connect(url, max_queue=1) as gone:
                await gone.send(SUBSCRIBE)
                await gone.recv()
                await stage.play(1)
                gone.transport.abort()
            await stage.play()

    run(scene())


def test_a_round_ends_with_1012() -> None:
    """Clients come back, and the next round begins with their subscription: what was played before is forgotten."""

    async def scene() -> None:
        stage = Stage("coinbase", BOOK)
        async with stage.open() as url:
            async with connect(url) as client:
                await client.send(SUBSCRIBE)
                await client.recv()
                await stage.server.ready()
                await stage.play(5)
                await stage.server.lap_over(1)
                assert await numbers(client, 5) == [1, 2, 3, 4, 5]
                with pytest.raises(ConnectionClosed):
                    await client.recv()
                assert (client.close_code, client.close_reason) == (1012, "the tape begins anew")
            ready = asyncio.ensure_future(stage.server.ready())
            async with connect(url) as client:
                assert not ready.done()
                await client.send(SUBSCRIBE)
                await client.recv()
                await ready
                await stage.play(1)
                assert await numbers(client, 1) == [6]

    run(scene())


def diff(first: int, last: int, bid: str) -> TapeFrame:
    data = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": first, "u": last, "b": [["1.10", bid]], "a": []}
    return came({"stream": "btcusdt@depth", "data": data})


def test_answers_over_http() -> None:
    """The recorded ones by path and query; books as of now; and nothing that nobody knows."""
    snapshot = {"lastUpdateId": 5, "bids": [["1.10", "7.0"], ["1.00", "1.0"]], "asks": [["1.20", "2.0"]]}
    frames = [
        diff(1, 4, "6.0"),
        answered(f"{SPOT}depth?symbol=BTCUSDT&limit=1000", snapshot),
        answered(f"{SPOT}exchangeInfo?b=2&a=1", {"symbols": []}),
        TapeFrame(0, "", "http", '{"code":-1}', url=f"{SPOT}klines", status=418),
        diff(5, 8, "0.00"),
    ]

    async def scene() -> None:
        stage = Stage("binance", frames)
        async with stage.open() as url:
            depth = "/api/v3/depth?symbol=BTCUSDT"
            assert await get(url, depth) == (200, snapshot), "before the tape has come to it"
            await stage.play(4)
            assert await get(url, depth) == (200, snapshot)
            await stage.play()
            changed = {"lastUpdateId": 8, "bids": [["1.00", "1.0"]], "asks": [["1.20", "2.0"]]}
            assert await get(url, depth) == (200, changed)
            assert await get(url, "/api/v3/exchangeInfo?a=1&b=2") == (200, {"symbols": []})
            assert await get(url, "/api/v3/klines") == (418, {"code": -1})
            assert await get(url, "/api/v3/ping") == (200, {})
            status, answer = await get(url, "/api/v3/aggTrades?symbol=BTCUSDT")
            assert (status, answer["msg"]) == (
                404,
                "wsctl: the tape holds no answer to /api/v3/aggTrades?symbol=BTCUSDT",
            )

    run(scene())


def test_what_fails_in_serving_a_client_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the serving: wsctl's own faults are not the library's to log."""

    def fail(self: Any, url: str, exists: Any) -> Any:
        raise ZeroDivisionError("ours")

    async def scene() -> None:
        stage = Stage("coinbase", BOOK)
        monkeypatch.setattr(type(stage.dialect), "server", fail)
        async with stage.open() as url, connect(url):
            with pytest.raises(ZeroDivisionError):
                await stage.server.stay()
            with pytest.raises(ZeroDivisionError):
                await stage.play()

    run(scene())

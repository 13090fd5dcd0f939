"""The pass-through between real clients and servers: what passes, what ends, and what is on tape."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from yarl import URL

from tests.tape.tapes import read
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.errors import UsageError
from wsctl.tape.deck import Deck, DeckOptions
from wsctl.tape.format import TapeFrame
from wsctl.tape.passthrough import PassThrough

WAIT = 15.0

Handler = Callable[[ServerConnection], Awaitable[None]]


class Passing:
    """A pass-through to an upstream, and what it said."""

    def __init__(self, path: Path, upstream: str) -> None:
        self.path = path
        self.said: list[str] = []
        self.deck = Deck(DeckOptions(path=path), SystemClock(), dialect=None, url=upstream)
        self.proxy = PassThrough(Target(url=upstream, direct=True), self.deck, None, 0, self.said.append)

    @property
    def url(self) -> str:
        return self.proxy.url

    @property
    def ws(self) -> str:
        return self.proxy.url.replace("http", "ws", 1)

    @property
    def tape(self) -> list[TapeFrame]:
        """What is on it; once the pass-through has ended."""
        frames, cut = read(self.path)
        assert cut is None
        return frames


@asynccontextmanager
async def passing(path: Path, upstream: str) -> AsyncIterator[Passing]:
    """A pass-through for as long as the block lasts."""
    it = Passing(path, upstream)
    async with it.deck, it.proxy:
        yield it


@asynccontextmanager
async def feed(handler: Handler, **options: object) -> AsyncIterator[str]:
    """A WebSocket server, and its URL."""
    async with serve(handler, "127.0.0.1", 0, **options) as server:  # type: ignore[arg-type]
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def echo(socket: ServerConnection) -> None:
    async for message in socket:
        await socket.send(message)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nobody tells about."""
    async with asyncio.timeout(WAIT):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def test_messages_pass_both_ways_in_order(tmp_path: Path) -> None:
    """Texts and bytes, empty and large ones, with path, query and headers to the byte; the tape holds the same."""
    asked: list[tuple[str, dict[str, str]]] = []
    messages: list[str | bytes] = ["one", b"\x00\xff", "", "zwei – три", b"", "x" * 300_000]

    async def handler(socket: ServerConnection) -> None:
        assert socket.request is not None
        asked.append((socket.request.path, dict(socket.request.headers.raw_items())))
        await echo(socket)

    async def scenario() -> Passing:
        async with feed(handler, subprotocols=["feed.v2", "feed.v1"]) as upstream, passing(path, upstream) as it:
            url = f"{it.ws}/ws/btc%2Fusdt@trade/a?x=%20y&z"
            headers = {"X-Mine": "yes", "Cookie": "a=b"}
            async with connect(url, additional_headers=headers, subprotocols=["feed.v1"], max_size=None) as client:  # type: ignore[list-item]
                assert client.subprotocol == "feed.v1"
                for message in messages:
                    await client.send(message)
                    assert await client.recv() == message
        assert asked[0][0] == "/ws/btc%2Fusdt@trade/a?x=%20y&z"
        assert (asked[0][1]["X-Mine"], asked[0][1]["Cookie"]) == ("yes", "a=b")
        assert asked[0][1]["Host"] == upstream.removeprefix("ws://")
        return it

    path = tmp_path / "t.jsonl"
    it = asyncio.run(scenario())
    opened, *frames, closed = it.tape
    assert (opened.direction, opened.conn) == ("open", "c1")
    assert str(opened.url).endswith("/ws/btc%2Fusdt@trade/a?x=%20y&z")
    assert ("X-Mine", "yes") in opened.headers
    assert ("Cookie", "redacted") in opened.headers
    assert not [
        name for name, _ in opened.headers if name.lower().startswith(("sec-", "host", "connection", "upgrade"))
    ]
    assert [(frame.direction, frame.frame) for frame in frames] == [
        (direction, message) for message in messages for direction in ("out", "in")
    ]
    assert [frame.at_ns for frame in it.tape] == sorted(frame.at_ns for frame in it.tape)
    assert (closed.direction, closed.code) == ("close", 1000)
    assert it.said == ["c1 opened: /ws/btc/usdt@trade/a (127.0.0.1)", "c1 closed with code 1000"]


CODES = [(1000, ""), (1012, "restart – später"), (4001, "go"), (1005, ""), (1006, "")]


async def leave(socket: ClientConnection | ServerConnection, code: int, reason: str) -> None:
    """End a connection with a code; 1005: a close frame without any; 1006: none at all."""
    if code == 1006:
        socket.transport.abort()
    elif code == 1005:
        socket.protocol.send_close()
        socket.send_data()
        await socket.wait_closed()
    else:
        await socket.close(code, reason)


@pytest.mark.parametrize(("code", "reason"), CODES)
def test_the_server_leaves(tmp_path: Path, code: int, reason: str) -> None:
    """The client sees its code, after everything it sent; so does the tape."""

    async def handler(socket: ServerConnection) -> None:
        await socket.send("last")
        await socket.recv()
        await leave(socket, code, reason)

    async def scenario() -> Passing:
        async with feed(handler) as upstream, passing(tmp_path / "t.jsonl", upstream) as it, connect(it.ws) as client:
            assert await client.recv() == "last"
            await client.send("seen")
            await asyncio.wait_for(client.wait_closed(), WAIT)
            assert (client.close_code, client.close_reason) == (code, reason)
            await until(lambda: it.deck.closes == 1)
            return it

    closed = asyncio.run(scenario()).tape[-1]
    assert (closed.direction, closed.code, closed.reason or "") == ("close", code, reason)


@pytest.mark.parametrize(("code", "reason"), CODES)
def test_the_client_leaves(tmp_path: Path, code: int, reason: str) -> None:
    """The server sees its code, after everything it sent; so does the tape."""
    seen: list[tuple[list[str | bytes], int | None, str | None]] = []

    async def handler(socket: ServerConnection) -> None:
        got = []
        with suppress(ConnectionClosed):
            while True:
                got.append(await socket.recv())
        seen.append((got, socket.close_code, socket.close_reason))

    async def scenario() -> Passing:
        async with feed(handler) as upstream, passing(tmp_path / "t.jsonl", upstream) as it:
            async with connect(it.ws) as client:
                await client.send("last")
                await until(lambda: it.deck.sent == 1)
                await leave(client, code, reason)
            await until(lambda: bool(seen) and it.deck.closes == 1)
            return it

    closed = asyncio.run(scenario()).tape[-1]
    assert seen == [(["last"], code, reason)]
    assert (closed.direction, closed.code, closed.reason or "") == ("close", code, reason)


def test_recording_ends(tmp_path: Path) -> None:
    """Both ends are told that somebody goes away; the tape is whole."""
    codes = []

    async def handler(socket: ServerConnection) -> None:
        await socket.wait_closed()
        codes.append(socket.close_code)

    async def scenario() -> Passing:
        async with feed(handler) as upstream:
            async with passing(tmp_path / "t.jsonl", upstream) as it:
                clients = [await connect(it.ws) for _ in range(3)]
            for client in clients:
                await asyncio.wait_for(client.wait_closed(), WAIT)
                codes.append(client.close_code)
            await until(lambda: len(codes) == 6)
        return it

    tape = asyncio.run(scenario()).tape
    assert codes == [1001] * 6
    assert [(frame.conn, frame.code) for frame in tape if frame.direction == "close"] == [
        (conn, 1001) for conn in ("c1", "c2", "c3")
    ]


def test_several_clients(tmp_path: Path) -> None:
    """Each is a connection of its own, numbered as they come; what they say is not mixed up."""

    async def scenario() -> Passing:
        async with feed(echo) as upstream, passing(tmp_path / "t.jsonl", upstream) as it:
            async with connect(f"{it.ws}/a") as a, connect(f"{it.ws}/b") as b:
                for number in range(100):
                    await a.send(f"a{number}")
                    await b.send(f"b{number}")
                for number in range(100):
                    assert (await a.recv(), await b.recv()) == (f"a{number}", f"b{number}")
            await until(lambda: it.deck.closes == 2)
        return it

    tape = asyncio.run(scenario()).tape
    for conn, letter in (("c1", "a"), ("c2", "b")):
        for direction in ("out", "in"):
            frames = [frame.frame for frame in tape if (frame.conn, frame.direction) == (conn, direction)]
            assert frames == [f"{letter}{number}" for number in range(100)]


def test_pings_pass(tmp_path: Path) -> None:
    """A client measures its server, not us: the pong is the server's own."""

    async def scenario() -> Passing:
        async with (
            feed(echo, ping_interval=None) as upstream,
            passing(tmp_path / "t.jsonl", upstream) as it,
            connect(it.ws, ping_interval=None) as client,
        ):
            await asyncio.wait_for(await client.ping(b"are you there"), WAIT)
        return it

    assert [frame.direction for frame in asyncio.run(scenario()).tape] == ["open", "close"]


@pytest.mark.parametrize("above", [None, "deflate"])
@pytest.mark.parametrize("below", [None, "deflate"])
def test_each_side_agrees_on_compression_by_itself(tmp_path: Path, above: str | None, below: str | None) -> None:
    """A server is offered what its client offers; whether it takes it is no matter to the client."""
    extensions = []

    async def handler(socket: ServerConnection) -> None:
        extensions.append(bool(socket.protocol.extensions))
        await echo(socket)

    async def scenario() -> Passing:
        async with (
            feed(handler, compression=above) as upstream,
            passing(tmp_path / "t.jsonl", upstream) as it,
            connect(it.ws, compression=below) as client,
        ):
            assert bool(client.protocol.extensions) is (below is not None)
            await client.send("again and again " * 1000)
            assert await client.recv() == "again and again " * 1000
        return it

    tape = asyncio.run(scenario()).tape
    assert extensions == [above is not None and below is not None]
    assert [frame.frame for frame in tape if frame.frame is not None] == ["again and again " * 1000] * 2


def test_a_slow_client_slows_its_own_server_connection(tmp_path: Path) -> None:
    """What it does not read is not taken from the server either; once it reads, everything comes, in order."""
    piece, count = "x" * 100_000, 1000
    sent = 0

    async def handler(socket: ServerConnection) -> None:
        nonlocal sent
        for number in range(count):
            await socket.send(f"{number} {piece}")
            sent += 1

    async def stalled() -> None:
        levels = [-1]
        while len(levels) < 20 or len(set(levels[-20:])) > 1:
            levels.append(sent)
            await asyncio.sleep(0.02)

    async def scenario() -> Passing:
        async with (
            feed(handler, ping_interval=None, compression=None) as upstream,
            passing(tmp_path / "t.jsonl", upstream) as it,
            connect(it.ws, max_queue=1, ping_interval=None, compression=None) as slow,
        ):
            await stalled()
            assert sent < count / 2
            assert it.deck.received <= sent
            async with connect(it.ws, max_queue=None, ping_interval=None, compression=None) as quick:
                assert str(await quick.recv()).startswith("0 ")
            for number in range(count):
                assert str(await asyncio.wait_for(slow.recv(), WAIT)).startswith(f"{number} ")
        return it

    tape = asyncio.run(scenario()).tape
    numbers = [int(str(frame.frame).split()[0]) for frame in tape if (frame.conn, frame.direction) == ("c1", "in")]
    assert numbers == list(range(count))


def test_unreachable_upstream(tmp_path: Path) -> None:
    """The client gets 502 and the cause, which is said here, too; nothing is on tape, and no file is left."""

    async def scenario() -> Passing:
        async with passing(tmp_path / "t.jsonl", "http://127.0.0.1:1") as it, aiohttp.ClientSession() as client:
            async with client.get(f"{it.url}/x?token=s3cret") as answer:
                assert answer.status == 502
                assert await answer.text() == "http://127.0.0.1:1: connection refused\n"
            with pytest.raises(InvalidStatus) as caught:
                async with connect(it.ws):
                    pass
            assert caught.value.response.status_code == 502
        return it

    it = asyncio.run(scenario())
    assert it.said == ["/x: http://127.0.0.1:1: connection refused", "/: http://127.0.0.1:1: connection refused"]
    assert not it.path.exists()


def test_refused_upgrade(tmp_path: Path) -> None:
    """The server's own no reaches the client, with what it says; it is said, and on tape."""

    async def scenario() -> Passing:
        refuse = lambda socket, request: socket.respond(401, "who are you\n")  # noqa: E731
        async with feed(echo, process_request=refuse) as upstream, passing(tmp_path / "t.jsonl", upstream) as it:
            with pytest.raises(InvalidStatus) as caught:
                async with connect(f"{it.ws}/feed?token=s3cret"):
                    pass
            response = caught.value.response
            assert (response.status_code, response.body) == (401, b"who are you\n")
            assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        return it

    it = asyncio.run(scenario())
    assert it.said[0].endswith("answers 401 Invalid response status")
    (answer,) = it.tape
    assert (answer.direction, answer.status, answer.method, answer.frame) == ("http", 401, "GET", "who are you\n")
    assert str(answer.url).endswith("/feed?token=redacted")


@pytest.mark.parametrize("cut", [False, True])
def test_refused_upgrade_of_any_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: bool) -> None:
    """A no that is too long for a tape, or cut short, is still the server's own."""
    monkeypatch.setattr("wsctl.tape.passthrough.MAX_BODY", 1000)

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(status=503, headers={"Content-Length": "2000"})
        await response.prepare(request)
        await response.write(b"x" * (500 if cut else 2000))
        if cut and request.transport is not None:
            request.transport.close()
        return response

    async def scenario() -> Passing:
        async with site(handler) as upstream, passing(tmp_path / "t.jsonl", upstream) as it:
            with pytest.raises(InvalidStatus) as caught:
                async with connect(it.ws):
                    pass
            response = caught.value.response
            assert (response.status_code, response.body) == (503, b"x" * 500 if cut else b"")
        return it

    it = asyncio.run(scenario())
    assert it.path.exists() is cut
    assert [line.endswith("is not on tape") for line in it.said] == ([False] if cut else [False, True])


def test_a_fault_of_our_own_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client gets a 500; nobody else would say why."""

    async def scenario() -> Passing:
        async with (
            passing(tmp_path / "t.jsonl", "http://127.0.0.1:1") as it,
            aiohttp.ClientSession() as http,
        ):
            monkeypatch.setattr(it.proxy._requests, "run", None)
            async with http.get(f"{it.url}/x") as answer:
                assert answer.status == 500
        return it

    assert asyncio.run(scenario()).said == ["/x: TypeError: 'NoneType' object is not callable"]


def test_secrets_are_not_on_tape(tmp_path: Path) -> None:
    """Not from URLs, headers or frames; what passes has them."""
    got: list[str | bytes] = []

    async def handler(socket: ServerConnection) -> None:
        assert socket.request is not None
        got.append(socket.request.path)
        got.append(socket.request.headers["Authorization"])
        got.append(await socket.recv())

    async def scenario() -> Passing:
        async with feed(handler) as upstream, passing(tmp_path / "t.jsonl", upstream) as it:
            headers = {"Authorization": "Bearer s3cret"}
            async with connect(f"{it.ws}/?token=s3cret", additional_headers=headers) as client:
                await client.send('{"op":"login","args":[{"apiKey":"s3cret","sign":"s3cret"}]}')
                await asyncio.wait_for(client.wait_closed(), WAIT)
        return it

    it = asyncio.run(scenario())
    assert got == [
        "/?token=s3cret",
        "Bearer s3cret",
        '{"op":"login","args":[{"apiKey":"s3cret","sign":"s3cret"}]}',
    ]
    assert b"s3cret" not in it.path.read_bytes()
    assert b"s3cret" not in "".join(it.said).encode()


@asynccontextmanager
async def site(handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """An HTTP server, and its URL."""
    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def test_http(tmp_path: Path) -> None:
    """Requests and answers pass as they are, hop-by-hop headers apart; the answer is on tape, readable."""
    asked = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        asked.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        if request.path == "/away":
            return web.Response(status=302, headers={"Location": "/elsewhere"})
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=gzip.compress(b"packed"), headers={"Content-Encoding": "gzip"})
        answer = web.Response(status=201, body=b'{"lastUpdateId":7}', headers={"X-Theirs": "1", "Set-Cookie": "s=3"})
        answer.headers["Connection"] = "x-between"
        answer.headers["X-Between"] = "us"
        return answer

    async def scenario() -> tuple[Passing, str]:
        async with (
            site(handler) as upstream,
            passing(tmp_path / "t.jsonl", upstream) as it,
            aiohttp.ClientSession(auto_decompress=False) as client,
        ):
            url = URL(f"{it.url}/api/v3/depth?symbol=BNB%2FBTC", encoded=True)
            headers = {"X-Mine": "yes", "Origin": it.url, "Connection": "keep-alive, x-hop", "X-Hop": "1"}
            async with client.post(url, data=b"body", headers=headers) as answer:
                assert (answer.status, await answer.read()) == (201, b'{"lastUpdateId":7}')
                assert answer.headers["X-Theirs"] == "1"
                assert answer.headers["Set-Cookie"] == "s=3"
                assert "X-Between" not in answer.headers
            async with client.get(f"{it.url}/away", allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (302, "/elsewhere")
            async with client.head(f"{it.url}/head", headers={"Origin": "https://page.example"}) as answer:
                assert (answer.status, answer.headers["Content-Length"]) == (201, "18")
        return it, upstream

    it, upstream = asyncio.run(scenario())
    method, path, headers, body = asked[0]
    assert (method, path, body) == ("POST", "/api/v3/depth?symbol=BNB%2FBTC", b"body")
    assert headers["X-Mine"] == "yes"
    assert headers["Content-Length"] == "4"
    assert headers["Host"] == upstream.removeprefix("http://")
    assert headers["Origin"] == upstream
    assert headers["Accept-Encoding"] == "identity"
    assert "X-Hop" not in headers
    assert asked[2][2]["Origin"] == "https://page.example"
    first, away, head = it.tape
    assert [frame.method for frame in (first, away, head)] == ["POST", "GET", "HEAD"]
    assert (first.direction, first.conn, first.status, first.frame) == ("http", "", 201, '{"lastUpdateId":7}')
    assert first.url == f"{upstream}/api/v3/depth?symbol=BNB%2FBTC"
    assert ("Set-Cookie", "redacted") in first.headers
    assert (away.status, away.frame) == (302, "")


def test_answers_pass_as_they_come(tmp_path: Path) -> None:
    """A stream of events is no answer to be waited for."""
    heard = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await asyncio.wait_for(heard.wait(), WAIT)
        return response

    async def scenario() -> Passing:
        async with (
            site(handler) as upstream,
            passing(tmp_path / "t.jsonl", upstream) as it,
            aiohttp.ClientSession() as client,
            client.get(it.url) as answer,
        ):
            assert await asyncio.wait_for(answer.content.readline(), WAIT) == b"data: 1\n"
            heard.set()
            await answer.read()
        return it

    assert [frame.frame for frame in asyncio.run(scenario()).tape] == ["data: 1\n\n"]


def test_upstream_that_dies_in_the_middle_of_an_answer(tmp_path: Path) -> None:
    """The client sees an answer that is cut, not a whole one; it is said, and no half answer is on tape."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async def scenario() -> Passing:
        async with (
            site(handler) as upstream,
            passing(tmp_path / "t.jsonl", upstream) as it,
            aiohttp.ClientSession() as client,
        ):
            with pytest.raises(aiohttp.ClientPayloadError):
                async with client.get(it.url) as answer:
                    await answer.read()
        return it

    it = asyncio.run(scenario())
    assert len(it.said) == 1
    assert it.said[0].startswith("/: an answer was cut short: ")
    assert not it.path.exists()


def test_large_bodies_pass_and_are_not_on_tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tape takes so much of one answer; that one is not there is said."""
    monkeypatch.setattr("wsctl.tape.relay_http.MAX_BODY", 1 << 20)
    body = bytes(range(256)) * 5000

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=body)

    async def scenario() -> Passing:
        async with (
            site(handler) as upstream,
            passing(tmp_path / "t.jsonl", upstream) as it,
            aiohttp.ClientSession() as client,
            client.get(it.url) as answer,
        ):
            assert await answer.read() == body
        return it

    it = asyncio.run(scenario())
    assert it.said == ["/: an answer of more than 1 MiB was passed on, and is not on tape"]
    assert not it.path.exists()


def test_bad_upstream(tmp_path: Path) -> None:
    """A query there would be lost among those of the clients."""

    async def scenario() -> None:
        with pytest.raises(UsageError, match="the upstream's URL has a query; expected none"):
            Passing(tmp_path / "t.jsonl", "ws://127.0.0.1:1/?key=1")

    asyncio.run(scenario())

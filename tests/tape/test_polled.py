"""What is on tape of clients that long-poll through the pass-through: frames, and whose connection they are."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.tape.test_passthrough import WAIT, Passing, passing, site, until

POLL = "/socket.io/?EIO=4&transport=polling"
HELLO = '0{"sid":"s1","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
HASTY = HELLO.replace("25000", "40").replace("20000", "40")


class Script:
    """An Engine.IO server that answers what a test says; each poll waits for its words."""

    def __init__(self, hello: str = HELLO) -> None:
        self.hello = hello
        self.answers: asyncio.Queue[web.Response] = asyncio.Queue()
        self.posted: list[bytes] = []
        self.polled = 0

    def say(self, body: str | bytes, status: int = 200) -> None:
        """The answer to the next poll."""
        self.answers.put_nowait(web.Response(status=status, body=body))

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.query.get("transport") == "websocket":
            return await self._websocket(request)
        if request.method == "POST":
            self.posted.append(await request.read())
            return web.Response(text="ok")
        if request.method != "GET":
            return web.Response(status=204)
        if "sid" not in request.query:
            return web.Response(text=self.hello)
        self.polled += 1
        return await self.answers.get()

    async def _websocket(self, request: web.BaseRequest) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.data == "2probe":
                await socket.send_str("3probe")
            elif message.data == "5":
                await socket.send_str("42[1]")
        return socket


class Client:
    """Somebody's polling client."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self.poll = POLL

    async def ask(
        self, method: str, more: str = "", body: str | bytes | AsyncIterator[bytes] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of the answer to a request."""
        async with self._http.request(method, self._url + self.poll + more, data=body) as answer:
            return answer.status, await answer.read()


@asynccontextmanager
async def polling(
    path: Path, script: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
) -> AsyncIterator[tuple[Passing, Client]]:
    """A pass-through to a scripted server, and a client."""
    async with site(script) as upstream, aiohttp.ClientSession() as http, passing(path, upstream) as it:
        yield it, Client(http, it.url)


def facts(it: Passing) -> list[tuple[Any, ...]]:
    """Connection, direction, and what there is."""
    return [(frame.conn, frame.direction, frame.frame if frame.code is None else frame.code) for frame in it.tape]


def test_polls_are_frames(tmp_path: Path) -> None:
    """Text and binary packets, several at once, in both directions; what the client is answered is nothing more."""
    many = "\x1e".join(f"42[{number}]" for number in range(2000))

    async def scenario() -> Passing:
        script = Script()
        async with polling(tmp_path / "t.jsonl", script) as (it, client):
            assert await client.ask("GET") == (200, HELLO.encode())
            said = (
                '40{"token":"s3cret"}\x1e451-["x",{"_placeholder":true,"num":0}]\x1eb'
                + base64.b64encode(b"\0\xff").decode()
            )
            assert await client.ask("POST", "&sid=s1", said) == (200, b"ok")
            assert script.posted == [said.encode()]
            for words in ('40{"sid":"x"}\x1e2', "bAQID", '42["price – später"]\x1e6', many):
                script.say(words)
                assert await client.ask("GET", "&sid=s1") == (200, words.encode())
            await client.ask("OPTIONS", "&sid=s1")
            waiting = asyncio.create_task(client.ask("GET", "&sid=s1"))
            await until(lambda: script.polled == 5)
            await client.ask("POST", "&sid=s1", "41\x1e1")
            assert it.deck.closes == 0  # a poll is not answered yet
            script.say("6")
            await waiting
            await until(lambda: it.deck.closes == 1)
        return it

    it = asyncio.run(scenario())
    assert facts(it) == [
        ("c1", "open", None),
        ("c1", "in", HELLO),
        ("c1", "out", '40{"token":"redacted"}'),
        ("c1", "out", '451-["x",{"_placeholder":true,"num":0}]'),
        ("c1", "out", b"\0\xff"),
        ("c1", "in", '40{"sid":"x"}'),
        ("c1", "in", "2"),
        ("c1", "in", b"\1\2\3"),
        ("c1", "in", '42["price – später"]'),
        ("c1", "in", "6"),
        *(("c1", "in", f"42[{number}]") for number in range(2000)),
        ("", "http", ""),
        ("c1", "out", "41"),
        ("c1", "out", "1"),
        ("c1", "in", "6"),
        ("c1", "close", None),
    ]
    assert str(it.tape[0].url).endswith(POLL)
    assert it.said == ["c1 opened: /socket.io/ (127.0.0.1)", "c1 closed"]


def test_a_question_is_on_tape_before_its_answer(tmp_path: Path) -> None:
    """However its pieces come: a server has not got all of it before the tape has."""
    order: list[int] = []

    async def scenario() -> Passing:
        async def script(request: web.BaseRequest) -> web.StreamResponse:
            if request.method == "GET":
                return web.Response(text=HELLO)
            assert await request.read() == b"42[1]\x1e42[2]"
            order.append(it.deck.sent)
            return web.Response(text="ok")

        async def pieces() -> AsyncIterator[bytes]:
            for piece in (b"42[1]", b"\x1e42", b"[2]"):
                yield piece
                await asyncio.sleep(0.01)

        async with polling(tmp_path / "t.jsonl", script) as (it, client):
            await client.ask("GET")
            assert await client.ask("POST", "&sid=s1", pieces()) == (200, b"ok")
        return it

    asyncio.run(scenario())
    assert order == [2]


def test_upgrade(tmp_path: Path) -> None:
    """A probe that fails leaves the session with polling; one that succeeds goes on over the WebSocket, to its end."""

    async def scenario() -> Passing:
        script = Script()
        path = tmp_path / "t.jsonl"
        async with site(script) as upstream, aiohttp.ClientSession() as http, passing(path, upstream) as it:
            client = Client(http, it.url)
            await client.ask("GET")
            for words in (["2probe"], ["2probe", "5"]):
                url = it.ws + "/socket.io/?EIO=4&transport=websocket&sid=s1"
                async with http.ws_connect(url) as socket:
                    for word, answer in zip(words, ("3probe", "42[1]"), strict=False):
                        await socket.send_str(word)
                        assert await socket.receive_str(timeout=WAIT) == answer
                    await socket.close(code=4001 if len(words) == 2 else 4000)
                if len(words) == 1:
                    script.say("2")
                    await client.ask("GET", "&sid=s1")
            await until(lambda: it.deck.closes == 1)
        return it

    it = asyncio.run(scenario())
    assert facts(it) == [
        ("c1", "open", None),
        ("c1", "in", HELLO),
        ("c1", "out", "2probe"),
        ("c1", "in", "3probe"),
        ("c1", "in", "2"),
        ("c1", "out", "2probe"),
        ("c1", "in", "3probe"),
        ("c1", "out", "5"),
        ("c1", "in", "42[1]"),
        ("c1", "close", 4001),
    ]
    assert it.said == ["c1 opened: /socket.io/ (127.0.0.1)", "c1 closed with code 4001"]


async def server_closes(script: Script, client: Client) -> None:
    script.say("1")
    await client.ask("GET", "&sid=s1")


async def server_refuses(script: Script, client: Client) -> None:
    script.say('{"code":1,"message":"Session ID unknown"}', 400)
    await client.ask("GET", "&sid=s1")


async def client_deletes(script: Script, client: Client) -> None:
    await client.ask("DELETE", "&sid=s1")


async def client_leaves(script: Script, client: Client) -> None:
    pass  # without a word


End = Callable[[Script, Client], Awaitable[None]]
ENDS: dict[End, list[tuple[Any, ...]]] = {
    server_closes: [("c1", "in", "1")],
    server_refuses: [("", "http", '{"code":1,"message":"Session ID unknown"}')],
    client_deletes: [("", "http", "")],
    client_leaves: [],
}


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_ends(tmp_path: Path, end: End) -> None:
    """Whoever ends a session, and however: its connection is closed on tape, and another session is another one."""

    async def scenario() -> Passing:
        script = Script(HASTY if end is client_leaves else HELLO)
        async with polling(tmp_path / "t.jsonl", script) as (it, client):
            await client.ask("GET")
            await end(script, client)
            await until(lambda: it.deck.closes == 1)
            script.hello = HELLO
            await client.ask("GET")
        return it

    it = asyncio.run(scenario())
    hello = HASTY if end is client_leaves else HELLO
    assert facts(it) == [
        ("c1", "open", None),
        ("c1", "in", hello),
        *ENDS[end],
        ("c1", "close", None),
        ("c2", "open", None),
        ("c2", "in", HELLO),
        ("c2", "close", None),
    ]
    assert [frame.reason for frame in it.tape if frame.direction == "close"] == [None, "recording ends"]


def test_an_upstream_that_goes(tmp_path: Path) -> None:
    """A poll that nobody answers is a session's end: its client begins anew."""

    async def scenario() -> Passing:
        script = Script()
        async with aiohttp.ClientSession() as http:
            async with site(script) as upstream:
                it = Passing(tmp_path / "t.jsonl", upstream)
                await it.deck.__aenter__()
                await it.proxy.__aenter__()
                client = Client(http, it.url)
                await client.ask("GET")
            assert (await client.ask("GET", "&sid=s1"))[0] == 502
            assert it.deck.closes == 1
            await it.proxy.__aexit__(None, None, None)
            await it.deck.close()
        return it

    assert facts(asyncio.run(scenario()))[-1] == ("c1", "close", None)


UNREADABLE: dict[str, tuple[str, str | bytes]] = {
    "GET 3": ("Engine.IO 3; expected 4", '96:0{"sid":"x"}'),
    "GET j": ("unknown Engine.IO packet type '_'; expected 0 to 6", '___eio[0]("0{}")'),
    "GET sid": ("unexpected Engine.IO packet MESSAGE; OPEN comes first, and once", "42[1]"),
    "GET bytes": ("a body is not UTF-8", b"\xff"),
    "GET base64": ("a binary packet is not base64", "b*"),
    "GET hello": ("the OPEN packet cannot be read", "0{}"),
    "GET long": ("a body is too long for a tape", "4" * 2000),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """Passes, is on tape as an answer, and is said at once, and once."""
    monkeypatch.setattr("wsctl.tape.relay_http.MAX_BODY", 1000)
    why, body = UNREADABLE[case]
    data = body if isinstance(body, bytes) else body.encode()

    async def script(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=data)

    async def scenario() -> Passing:
        async with polling(tmp_path / "t.jsonl", script) as (it, client):
            client.poll = POLL.replace("4", "3") if case == "GET 3" else POLL
            for _ in range(2):
                assert await client.ask("GET", "&sid=x" if case == "GET sid" else "") == (200, data)
                assert any("cannot be judged" in line for line in it.said)
        return it

    it = asyncio.run(scenario())
    told = [line for line in it.said if "not on tape" not in line]
    assert len(told) == 1
    assert told[0].startswith(f"long-polling that cannot be read is passed on, and cannot be judged: {why}")
    if case == "GET long":
        assert len(it.said) == 3
    else:
        assert facts(it) == [("", "http", body)] * 2


def test_a_request_that_cannot_be_read(tmp_path: Path) -> None:
    """Passes, and is said."""

    async def scenario() -> Passing:
        script = Script()
        async with polling(tmp_path / "t.jsonl", script) as (it, client):
            await client.ask("GET")
            assert await client.ask("POST", "&sid=s1", "d=40") == (200, b"ok")
            assert script.posted == [b"d=40"]
            assert it.said[-1].endswith("cannot be judged: unknown Engine.IO packet type 'd'; expected 0 to 6")
        return it

    assert facts(asyncio.run(scenario()))[2:] == [("c1", "close", None)]

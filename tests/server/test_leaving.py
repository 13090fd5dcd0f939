"""Whoever is gone is gone at once: no ring waits for the garbage collector, which `serve` seldom lets come."""

import asyncio
import contextlib
import gc
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from served import HANDSHAKE, POLLING, WEBSOCKET, Raw, feed, frame, raw_websocket, run, tcp, until
from websockets.frames import Opcode

from wsctl.server import defaults
from wsctl.server.app import MockFeed
from wsctl.server.auth import mint
from wsctl.server.endpoint import ConnectionLog
from wsctl.server.sockets import linger

TIMES = 3
OF_CONNECTIONS = ("wsctl.", "uvicorn.", "httptools.", "websockets.", "starlette.")
"""modules whose objects a connection is made of"""


@asynccontextmanager
async def member(running: MockFeed, user: str | None = None, more: str = "") -> AsyncIterator[Raw]:
    """A client that joined and subscribed, by hand: it leaves no objects of a client's library."""
    async with raw_websocket(running, more=more) as raw:
        await raw.read_frame()
        before = len(running.platform.clients)
        await raw.text("40" + as_user(user), '42["price:subscribe",["BTC/USDT"]]')
        await until(lambda: len(running.platform.clients) > before and newest(running).channels)
        yield raw


def as_user(user: str | None) -> str:
    """The auth of a CONNECT."""
    return "" if user is None else json.dumps({"token": mint(user, defaults.JWT_SECRET)})


class Poller(NamedTuple):
    """A polling client by hand."""

    raw: Raw
    target: str

    async def request(self, method: str, body: str = "") -> str:
        """Its body."""
        return await request(self.raw, method, self.target, body)


async def request(raw: Raw, method: str, target: str, body: str = "") -> str:
    """The body of the answer to one request."""
    await raw.send(f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    length = int((await raw.read_head()).lower().partition("content-length: ")[2].split()[0])
    return (await raw.reader.readexactly(length)).decode()


@asynccontextmanager
async def poller(running: MockFeed) -> AsyncIterator[Poller]:
    """A polling client that joined."""
    async with tcp(running) as raw:
        sid = json.loads((await request(raw, "GET", POLLING))[1:])["sid"]
        one = Poller(raw, f"{POLLING}&sid={sid}")
        await one.request("POST", "40")
        await one.request("GET")
        yield one


@asynccontextmanager
async def candidate(running: MockFeed, one: Poller) -> AsyncIterator[Raw]:
    """A WebSocket that wants to take over, its probe answered."""
    async with raw_websocket(running, one.target.replace("polling", "websocket")) as raw:
        await raw.text("2probe")
        await raw.read_frame()
        yield raw


def newest(running: MockFeed) -> Any:
    """The client that joined last."""
    return next(reversed(running.platform.clients.values()))


# Ways to leave


async def politely(running: MockFeed) -> None:
    async with member(running) as raw:
        await raw.send(frame((1000).to_bytes(2), opcode=Opcode.CLOSE))
        await raw.ended()


async def leaving_the_namespace(running: MockFeed) -> None:
    async with member(running) as raw:
        await raw.text("41")
        await raw.close_code()


async def without_a_word(running: MockFeed) -> None:
    async with member(running):
        pass


async def compressed(running: MockFeed) -> None:
    async with member(running, more="Sec-WebSocket-Extensions: permessage-deflate\r\n"):
        pass


async def by_reset(running: MockFeed) -> None:
    async with member(running) as raw:
        linger(raw.writer.transport)


async def cut(running: MockFeed) -> None:
    async with member(running) as raw:
        newest(running).cut()
        await raw.ended()


async def evicted(running: MockFeed) -> None:
    async with contextlib.AsyncExitStack() as stack:
        first, *_ = [await stack.enter_async_context(member(running, "alice")) for _ in range(defaults.MAX_PER_USER)]
        async with raw_websocket(running) as raw:
            await raw.text("40" + as_user("alice"))
            assert await first.close_code() == 1000


async def turned_down(running: MockFeed) -> None:
    async with raw_websocket(running) as raw:
        await raw.text('40{"token":"x"}')
        while not (await raw.read_frame())[1].startswith(b"44"):
            pass


async def refused(running: MockFeed) -> None:
    for target, more in (("/nothing", ""), (WEBSOCKET, "Origin: http://evil.example\r\n")):
        async with raw_websocket(running, target, more=more) as raw:
            await raw.ended()


async def with_a_wrong_handshake(running: MockFeed) -> None:
    async with tcp(running) as raw:
        await raw.send(HANDSHAKE.format(target=WEBSOCKET, more="").replace("Version: 13", "Version: 8").encode())
        await raw.ended()


async def with_a_malformed_packet(running: MockFeed) -> None:
    async with member(running) as raw:
        await raw.text("9")
        assert await raw.close_code() == 1002


async def with_a_broken_frame(running: MockFeed) -> None:
    async with member(running) as raw:
        await raw.send(frame("unmasked", mask=False))
        assert await raw.close_code() == 1002


async def silent(running: MockFeed) -> None:
    async with raw_websocket(running) as raw, tcp(running) as other:
        await request(other, "GET", POLLING)
        assert await raw.close_code() == 1000
        await until(lambda: not running.platform.connections)


async def deaf(running: MockFeed) -> None:
    async with member(running):
        newest(running).fell_behind()
        await until(lambda: not running.platform.connections)


async def by_http(running: MockFeed) -> None:
    for sent in (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"x" * 70_000, b"x\r\n\r\n"):
        async with tcp(running) as raw:
            await raw.send(sent)
            await raw.read_head()


async def polling(running: MockFeed) -> None:
    async with poller(running) as one:
        await one.request("POST", "1")


async def polling_with_a_malformed_packet(running: MockFeed) -> None:
    async with poller(running) as one:
        await one.request("POST", "9")


async def polling_dismissed(running: MockFeed) -> None:
    async with poller(running) as one:
        newest(running).dismiss("requested", retry=False)
        await one.request("GET")


async def polling_and_vanishing(running: MockFeed) -> None:
    async with poller(running) as one:
        await one.raw.send(f"GET {one.target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        connection = newest(running)._connection
        await until(lambda: connection.carrier.polled)
        one.raw.writer.transport.abort()
        await until(lambda: not connection.carrier.polled)
        connection.end("vanished", farewell=False)


async def upgraded(running: MockFeed) -> None:
    async with poller(running) as one, candidate(running, one) as raw:
        await raw.text("5", '42["price:subscribe",["BTC/USDT"]]')
        await until(lambda: newest(running).channels)


async def upgrading_in_vain(running: MockFeed) -> None:
    async with poller(running) as one:
        async with candidate(running, one):
            pass
        await until(lambda: newest(running)._connection.upgradable)
        async with candidate(running, one) as raw:
            await raw.text("nonsense")
            assert await raw.close_code() == 1002
        await one.request("POST", "1")


async def turned_away(running: MockFeed) -> None:
    async with poller(running) as one, candidate(running, one):
        async with raw_websocket(running, one.target.replace("polling", "websocket")) as raw:
            assert await raw.close_code() == 1000
        await one.request("POST", "1")


WAYS: list[Callable[[MockFeed], Awaitable[None]]] = [
    *(politely, leaving_the_namespace, without_a_word, compressed, by_reset, cut, evicted, turned_down, refused),
    *(with_a_wrong_handshake, with_a_malformed_packet, with_a_broken_frame, silent, deaf, by_http),
    *(polling, polling_with_a_malformed_packet, polling_dismissed, polling_and_vanishing),
    *(upgraded, upgrading_in_vain, turned_away),
]


@pytest.fixture
def without_collector() -> Iterator[None]:
    """No garbage is collected meanwhile."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def held() -> Counter[str]:
    """Live objects of what connections are made of, by type."""
    kinds = (type(one) for one in gc.get_objects() if not isinstance(one, ConnectionLog))
    return Counter(kind.__qualname__ for kind in kinds if f"{kind.__module__}.".startswith(OF_CONNECTIONS))


def empty(running: MockFeed) -> bool:
    """Whether the server has seen everybody off."""
    platform, state = running.platform, running._listening._server.server_state
    return not (platform.connections or platform.sockets or platform.departing or state.connections or state.tasks)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.usefixtures("without_collector")
def test_nothing_is_left_for_the_collector(
    way: Callable[[MockFeed], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However one leaves: reference counts free all that the server had of it."""
    for patience in ("client.PATIENCE", "endpoint.FAREWELL", "limits.STALL_LIMIT", "websocket.CLOSE_TIMEOUT"):
        monkeypatch.setattr(f"wsctl.server.{patience}", 0.05)

    async def test() -> None:
        async with feed(rate=0.01, connect_timeout=0.2 if way is silent else 45.0, compress=True) as running:
            await way(running)  # what is made once, and kept
            await until(lambda: empty(running))
            before = held()
            for _ in range(TIMES):
                await way(running)
            await until(lambda: empty(running))
            await asyncio.sleep(0)
            assert held() - before == Counter()

    run(test)

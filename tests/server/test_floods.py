"""Clients that take up room and never read: control frames and refusals without end, and a close without an end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvloop
from served import Raw, feed, frame, joined, polling, raw_websocket, reasons, run, until
from websockets.frames import Opcode

from wsctl.server import websocket as websocket_module
from wsctl.server.app import MockFeed

LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
MEGABYTE = 1024 * 1024
PINGS = frame(b"x" * 125, opcode=Opcode.PING) * 1000
CLOSE = frame((1000).to_bytes(2), opcode=Opcode.CLOSE)


@LOOPS
@pytest.mark.parametrize("who", ["joined", "silent"])
def test_a_flood_of_pings(loop: asyncio.AbstractEventLoop, who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pongs that nobody reads are bounded: past the limit the client is heard no more, and then its socket goes."""
    monkeypatch.setattr(websocket_module, "CLOSE_TIMEOUT", 0.1)

    async def test() -> None:
        async with feed(rate=0.01) as running, joined(running) as other:
            async with raw_websocket(running, receive_buffer=4096) as raw:
                if who == "joined":
                    await raw.text("40")
                    await until(lambda: running.platform.clients)
                flooded = list(running.platform.sockets)[1]
                async with flooding(raw):
                    while flooded in running.platform.sockets:
                        assert flooded.waiting < 2 * MEGABYTE
                        await asyncio.sleep(0.001)
            assert len(running.platform.connections) == 1
            assert reasons(running) == (["slow"] if who == "joined" else [])
            assert (await other.emit("time:sync"))["ok"]

    run(test, loop_factory=loop)


@asynccontextmanager
async def flooding(raw: Raw) -> AsyncIterator[None]:
    """Pings without end meanwhile, and nothing is read."""

    async def flood() -> None:
        raw.writer.transport.pause_reading()
        while True:
            await raw.send(PINGS)

    task = asyncio.create_task(flood())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_pings_that_are_read_are_no_flood() -> None:
    """However many pings come: who takes the pongs stays."""

    async def test() -> None:
        async with feed(rate=0.01) as running, raw_websocket(running) as raw:
            await raw.text("40")
            for _ in range(20):
                sending = asyncio.create_task(raw.send(PINGS))
                pongs = 0
                while pongs < 1000:
                    pongs += (await raw.read_frame())[0] == Opcode.PONG
                await sending
            await raw.text('420["time:sync"]')
            assert (await raw.read_frame())[1].startswith(b'430[{"ok":true')

    run(test)


REFUSED = f"40/{'x' * 900_000},"
"""a CONNECT whose refusal is as long as itself"""


@pytest.mark.parametrize("who", ["joined", "silent"])
def test_refusals_that_no_poll_fetches(who: str) -> None:
    """Refusals of namespaces heap up no further than other answers do."""

    async def test() -> None:
        async with feed(rate=0.01) as running, polling(running) as poller:
            if who == "joined":
                await poller.join()
            connection = running.platform.connections[poller.handshake["sid"]]
            for _ in range(2):
                assert connection.carrier is not None
                await poller.send(REFUSED)
            assert connection.carrier is None
            assert reasons(running) == (["slow"] if who == "joined" else [])

    run(test)


@LOOPS
def test_refusals_that_nobody_reads(loop: asyncio.AbstractEventLoop) -> None:
    """The same over WebSocket: what waits is bounded, then the client is closed."""

    async def test() -> None:
        async with feed(rate=0.01) as running, raw_websocket(running, receive_buffer=4096) as raw:
            raw.writer.transport.pause_reading()
            await raw.text("40")
            await until(lambda: running.platform.clients)
            (socket,) = running.platform.sockets
            raw.writer.write(frame(REFUSED) * 20)
            async with asyncio.timeout(10):
                while running.platform.connections:
                    assert socket.waiting < 2 * MEGABYTE
                    await asyncio.sleep(0.001)
            assert reasons(running) == ["slow"]

    run(test, loop_factory=loop)


async def asleep(running: MockFeed, raw: Raw) -> None:
    """Let a client listen to everything and read nothing, until more waits for it than it ever takes."""
    raw.writer.transport.pause_reading()
    await raw.text("40", f'42["channel:subscribe",{json.dumps(list(running.platform.hub.channels))}]')
    await until(lambda: running.platform.sockets)
    (socket,) = running.platform.sockets
    await until(lambda: socket.waiting > 100_000)


@LOOPS
def test_who_closes_and_does_not_read_leaves_the_hub_at_once(loop: asyncio.AbstractEventLoop) -> None:
    """With a close frame the subscriptions end, although the socket still waits for a reader."""

    async def test() -> None:
        async with feed(rate=500.0) as running, raw_websocket(running, receive_buffer=4096) as raw:
            await asleep(running, raw)
            await raw.send(CLOSE)
            await until(lambda: not running.platform.connections)
            assert not any(channel.subscribers() for channel in running.platform.hub.channels.values())
            assert reasons(running) == ["client closed (1000)"]
            assert running.platform.sockets, "in good order: what is underway may still be read"

    run(test, loop_factory=loop)


@LOOPS
def test_who_closes_and_does_not_read_is_dropped(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that sent a close frame, reads nothing and keeps its socket open is dropped after CLOSE_TIMEOUT."""
    monkeypatch.setattr(websocket_module, "CLOSE_TIMEOUT", 0.1)

    async def test() -> None:
        async with feed(rate=500.0) as running, raw_websocket(running, receive_buffer=4096) as raw:
            await asleep(running, raw)
            await raw.send(CLOSE)
            await until(lambda: not running.platform.sockets)
            assert not running.platform.connections

    run(test, loop_factory=loop)

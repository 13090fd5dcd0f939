"""The end of the mock feed: everyone is told, nothing is left, and it does not take long."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop
from served import (
    HANDSHAKE,
    POLLING,
    SYMBOLS,
    WEBSOCKET,
    PollingPeer,
    feed,
    joined,
    polling,
    raw_websocket,
    reasons,
    run,
    tcp,
    until,
    websocket,
)
from websockets.frames import Opcode

from wsctl.server.app import MockFeed

NOTICE = ("connection:closing", {"reason": "shutdown", "retry": True})
LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
SOON = 3.0
"""seconds: FAREWELL, LAST_ANSWERS, and some for a busy machine"""


async def stop(running: MockFeed) -> float:
    """Stop the feed; the seconds it took."""
    began = time.monotonic()
    await running.__aexit__(None, None, None)
    return time.monotonic() - began


@LOOPS
def test_everyone_is_told(loop: Any) -> None:
    """WebSockets get the notice and 1012, a pending poll the notice, and then it is over at once."""

    async def test() -> None:
        async with feed() as running, joined(running) as one, joined(running) as two, polling(running) as poller:
            for peer in (one, two):
                await peer.emit("price:subscribe", list(SYMBOLS))
            await poller.join()
            connection = running.platform.connections[poller.handshake["sid"]]
            poll = asyncio.create_task(poller.poll())
            await until(lambda: connection.carrier.polled)  # type: ignore[union-attr]
            ends = [asyncio.create_task(peer.closed()) for peer in (one, two)]
            took = await stop(running)
            assert [await end for end in ends] == [1012, 1012]
            assert one.events[-1] == two.events[-1] == NOTICE
            assert await poll == ['42["connection:closing",{"reason":"shutdown","retry":true}]']
            assert reasons(running) == ["shutdown"] * 3
            assert took < 1.5
            servers = running._listening._server.servers
            assert not any(server.is_serving() for server in servers)

    run(test, loop_factory=loop)


def test_a_poll_that_comes_right_afterwards() -> None:
    """A poller that was between two polls gets the notice with its next one, on the connection it has."""

    async def test() -> None:
        async with feed() as running, polling(running) as poller:
            await poller.join()
            stopping = asyncio.create_task(stop(running))
            await until(lambda: running.platform.departing)
            assert await poller.post("3") == (200, "ok")
            assert await poller.poll() == ['42["connection:closing",{"reason":"shutdown","retry":true}]']
            assert await stopping < 1.5

    run(test)


def test_who_comes_while_it_ends_is_turned_away() -> None:
    """A connection that was open already cannot start a session any more, by polling or by WebSocket."""

    async def test() -> None:
        async with feed() as running, polling(running) as poller, tcp(running) as raw:
            await until(lambda: len(running._listening._server.server_state.connections) == 2)
            stopping = asyncio.create_task(stop(running))
            await until(lambda: running.platform.closing)
            assert (await poller.request("GET", POLLING))[0] == 503
            await raw.send(HANDSHAKE.format(target=WEBSOCKET, more="").encode())
            assert (await raw.read_head()).startswith("HTTP/1.1 503")
            running.platform.seen_off(poller.handshake["sid"])
            assert await stopping < SOON
            assert not running.platform.connections

    run(test)


@LOOPS
def test_who_never_answers_does_not_hold_it_up(loop: Any) -> None:
    """A client that neither answers the close nor reads, and one in the middle of a request, are dropped in time."""

    async def test() -> None:
        async with (
            feed(rate=500.0) as running,
            raw_websocket(running) as deaf,
            raw_websocket(running, receive_buffer=4096) as asleep,
            tcp(running) as silent,
            tcp(running) as half,
            polling(running) as away,
        ):
            await away.join()
            await deaf.text("40", '42["price:subscribe","BTC/USDT"]')
            channels = json.dumps(list(running.platform.hub.channels))
            await asleep.text("40", f'42["channel:subscribe",{channels}]')
            await half.send(f"POST {away.target} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n4".encode())
            await until(lambda: [one for one in running.platform.clients.values() if one._stall_timer])
            took = await stop(running)
            assert took < SOON
            assert await closing_of(deaf) == [NOTICE[0], 1012]
            await silent.ended()

    run(test, loop_factory=loop)


async def closing_of(raw: Any) -> list[Any]:
    """The last event's name and the close code of a connection."""
    last = None
    while True:
        opcode, data = await raw.read_frame()
        if opcode == Opcode.CLOSE:
            return [last, int.from_bytes(data[:2])]
        if data.startswith(b"42["):
            last = json.loads(data[2:])[0]


def test_an_upgrade_under_way() -> None:
    """A candidate that has probed is closed with its session, and holds nothing up."""

    async def test() -> None:
        async with feed() as running, polling(running) as poller:
            await poller.join()
            target = f"/socket.io/?EIO=4&transport=websocket&sid={poller.handshake['sid']}"
            async with websocket(running, target) as candidate:
                await candidate.send("2probe")
                assert await candidate.ws.recv() == "3probe"
                end = asyncio.create_task(candidate.closed())
                stopping = asyncio.create_task(stop(running))
                await until(lambda: running.platform.departing)
                assert "connection:closing" in (await poller.poll())[-1]
                assert await stopping < 1.5
                assert await end == 1000

    run(test)


def test_who_has_not_joined_gets_no_notice() -> None:
    """Before its CONNECT was answered a client is sent no event: its connection just ends."""

    async def test() -> None:
        async with feed() as running, websocket(running) as peer:
            await peer.answer(lambda packet: packet.startswith("0{"))
            end = asyncio.create_task(peer.closed())
            await stop(running)
            assert await end == 1012
            assert not peer.events

    run(test)


def test_a_feed_is_left_by_an_exception() -> None:
    """An exception in the body stops the feed all the same, and comes out."""

    async def test() -> None:
        with pytest.raises(ZeroDivisionError):
            async with feed():
                raise ZeroDivisionError

    run(test)


# The real process


def start(tmp_path: Path, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """A running `wsctl serve` and its address."""
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "wsctl", "serve", "--port", "0", "--ready-file", str(ready), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not ready.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    told = json.loads(ready.read_text())
    assert told["pid"] == process.pid
    return process, told["url"]


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signals_end_the_process(sent: signal.Signals, code: int, tmp_path: Path) -> None:
    """SIGTERM ends `wsctl serve` with 0, SIGINT with 130, polls pending or not, and without a traceback."""
    process, url = start(tmp_path)
    running: Any = type("Running", (), {"url": url})

    async def test() -> None:
        async with aiohttp.ClientSession() as http, websocket(running) as peer:
            poller = await PollingPeer(http, url).open()
            await poller.join()
            await peer.join()
            end = asyncio.create_task(peer.closed())
            poll = asyncio.create_task(poller.poll())
            while peer.ws.latency == 0:  # what came after the poll was answered: the poll is pending
                await (await peer.ws.ping())
            os.kill(process.pid, sent)
            assert await end == 1012
            assert "connection:closing" in (await poll)[-1]

    try:
        run(test)
        out, err = process.communicate(timeout=10)
        assert process.returncode == code, err
        assert out == ""
        assert "Traceback" not in err
    finally:
        process.kill()
        process.wait()

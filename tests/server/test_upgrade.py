"""The upgrade from polling to WebSocket against a running feed."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from served import BTC, WEBSOCKET, PollingPeer, WebSocketPeer, feed, polling, reasons, run, until, websocket
from websockets.exceptions import ConnectionClosed

from wsctl.server import limits
from wsctl.server.app import MockFeed


async def probe(peer: WebSocketPeer) -> None:
    """Send the probe and wait for its answer."""
    await peer.send("2probe")
    assert await peer.ws.recv() == "3probe"


def with_session(test: Callable[[MockFeed, PollingPeer, Any, str], Awaitable[None]], **options: Any) -> None:
    """Run a test with a joined polling client, its connection and the target of its upgrade."""

    async def prepared() -> None:
        async with feed(**options) as running, polling(running) as peer:
            await peer.join()
            (connection,) = running.platform.connections.values()
            await test(running, peer, connection, f"{WEBSOCKET}&sid={peer.handshake['sid']}")

    run(prepared)


def test_an_upgrade() -> None:
    """Probe, pending poll answered, upgrade; then the WebSocket carries the session and polling is over."""

    async def test(running: MockFeed, peer: PollingPeer, connection: Any, target: str) -> None:
        poll = asyncio.create_task(peer.poll())
        await until(lambda: connection.carrier.polled)
        async with websocket(running, target) as upgraded:
            await probe(upgraded)
            assert await poll == ["6"]
            await upgraded.send("5")
            assert (await upgraded.emit("time:sync"))["ok"]
            assert (connection.transport, upgraded.others, upgraded.events) == ("websocket", [], [])
            for method in ("GET", "POST"):
                status, body = await peer.request(method, peer.target, data=b"3" if method == "POST" else None)
                assert (status, json.loads(body)["code"]) == (400, 3)
            assert (await upgraded.emit("time:sync"))["ok"]
        await until(lambda: not running.platform.connections)

    with_session(test)


def test_a_poll_between_probe_and_upgrade_is_answered_at_once() -> None:
    """Between probe and upgrade no poll is left hanging: the client waits for it."""

    async def test(running: MockFeed, peer: PollingPeer, connection: Any, target: str) -> None:
        async with websocket(running, target) as upgraded:
            await probe(upgraded)
            for _ in range(3):
                assert await peer.poll() == ["6"]
            connection.application.send_event("before", 1)
            await upgraded.send("5")
            assert await upgraded.event("before") == 1

    with_session(test)


def test_a_poll_still_pending_at_the_upgrade() -> None:
    """A poll that came in at the very moment of the upgrade ends with a NOOP, or with 400; nothing is lost with it."""

    async def test(running: MockFeed, peer: PollingPeer, connection: Any, target: str) -> None:
        async with websocket(running, target) as upgraded:
            await probe(upgraded)
            poll = asyncio.create_task(peer.request("GET", peer.target))
            await upgraded.send("5")
            connection.application.send_event("after", 1)
            status, body = await poll
            got = [] if status == 400 else body.split("\x1e")
            assert status == 400 or got in (["6"], ['42["after",1]'])
            if '42["after",1]' not in got:
                assert await upgraded.event("after") == 1

    with_session(test)


@pytest.mark.parametrize("attempt", range(3))
def test_nothing_is_lost_or_doubled_under_load(attempt: int) -> None:
    """At 200 messages a second the sequence across the upgrade has no gap, no repeat, no swap, and no NOOP leads."""

    async def test(running: MockFeed, peer: PollingPeer, connection: Any, target: str) -> None:
        await peer.emit("channel:subscribe", [BTC])
        await peer.gather(lambda: len(peer.of(BTC)) > 20)
        async with websocket(running, target) as upgraded:
            polls = asyncio.create_task(peer.more())
            await probe(upgraded)
            await polls
            await upgraded.send("5")
            first = await upgraded.ws.recv()
            assert first != "6"
            upgraded.take(first)
            await upgraded.gather(lambda: len(upgraded.of(BTC)) > 50)
            seqs = [payload["seq"] for payload in peer.of(BTC) + upgraded.of(BTC)]
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))

    with_session(test, rate=200.0)


def test_a_second_websocket_is_closed() -> None:
    """While one asks, and after one has taken over, another WebSocket for the session is closed, and does no harm."""

    async def test(running: MockFeed, peer: PollingPeer, connection: Any, target: str) -> None:
        async with websocket(running, target) as upgraded:
            await turned_away(running, target)
            await probe(upgraded)
            await turned_away(running, target)
            await upgraded.send("5")
            await until(lambda: connection.transport == "websocket")
            await turned_away(running, target)
            assert (await upgraded.emit("time:sync"))["ok"]

    with_session(test)


async def turned_away(running: MockFeed, target: str) -> None:
    """A WebSocket must be accepted and closed in order, as the reference server does."""
    async with websocket(running, target) as second:
        assert await second.closed() == 1000
        assert not second.others


@pytest.mark.parametrize("packets", [[], ["2probe"]])
def test_an_abandoned_upgrade(packets: list[str]) -> None:
    """When the candidate goes away before the upgrade, polling goes on, and another candidate may try."""

    async def test(running: MockFeed, peer: PollingPeer, connection: Any, target: str) -> None:
        async with websocket(running, target) as candidate:
            await candidate.send(*packets)
            if packets:
                assert await candidate.ws.recv() == "3probe"
        await until(lambda: connection.upgradable)
        assert (await peer.emit("time:sync"))["ok"]
        async with websocket(running, target) as candidate:
            await probe(candidate)
            await candidate.send("5")
            assert (await candidate.emit("time:sync"))["ok"]

    with_session(test)


@pytest.mark.parametrize("packets", [["5"], ["2"], ["40"], ["x"], ["2probe", "2probe"], ["2probe", '42["x"]'], [b"x"]])
def test_a_candidate_that_breaks_the_rules(packets: list[str | bytes]) -> None:
    """A candidate that does anything but probe and upgrade is closed; polling goes on."""

    async def test(running: MockFeed, peer: PollingPeer, connection: Any, target: str) -> None:
        async with websocket(running, target) as candidate:
            await candidate.send(*packets)
            assert await candidate.closed() == 1002
        await until(lambda: connection.upgradable)
        assert (await peer.emit("time:sync"))["ok"]

    with_session(test)


def test_a_candidate_that_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A candidate that never upgrades is closed after a while; polling goes on."""
    monkeypatch.setattr("wsctl.server.upgrade.UPGRADE_TIMEOUT", 0.1)

    async def test(running: MockFeed, peer: PollingPeer, connection: Any, target: str) -> None:
        async with websocket(running, target) as candidate:
            await probe(candidate)
            assert await candidate.closed() == 1002
        assert connection.upgradable
        assert (await peer.emit("time:sync"))["ok"]

    with_session(test)


@pytest.mark.parametrize("how", ["client", "server", "flash"])
def test_a_session_that_ends_during_the_upgrade(how: str) -> None:
    """The candidate of a session that is over is closed, and cannot bring it back."""

    async def test(running: MockFeed, peer: PollingPeer, connection: Any, target: str) -> None:
        async with websocket(running, target) as candidate:
            await probe(candidate)
            if how == "client":
                await peer.post("1")
            elif how == "server":
                connection.end("for the test")
            else:
                connection.cut()
            with contextlib.suppress(ConnectionClosed):  # the server may have been faster
                await candidate.send("5")
            code = await candidate.closed()
            assert code == (None if how == "flash" else 1000)
        await until(lambda: not running.platform.sockets)
        assert connection.carrier is None
        assert len(reasons(running)) == 1

    with_session(test)


def test_a_backlog_too_big_for_the_new_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    """When what waited fills the WebSocket's buffer at once, the connection knows that it is behind."""
    monkeypatch.setattr(limits, "WRITE_LIMIT", 64 * 1024)
    monkeypatch.setattr(limits, "CLOSE_LIMIT", 1 << 30)

    async def test(running: MockFeed, peer: PollingPeer, connection: Any, target: str) -> None:
        async with websocket(running, target, max_queue=1) as upgraded:
            await probe(upgraded)
            for _ in range(200):
                connection.application.send_event("big", "x" * 60_000)
            upgraded.ws.transport.pause_reading()
            await upgraded.send("5")
            await until(lambda: connection.transport == "websocket")
            assert connection.application.direct is None
            upgraded.ws.transport.resume_reading()
            await upgraded.gather(lambda: len(upgraded.events) == 200)
            await until(lambda: connection.application.direct is not None)

    with_session(test)

"""An outage as polling clients see it: resets for what is pending and for what is kept alive, then a new beginning."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest
from served import (
    BTC,
    HANDSHAKE,
    POLLING,
    WAIT,
    WEBSOCKET,
    PollingPeer,
    Raw,
    feed,
    polling,
    post_control,
    reasons,
    run,
    tcp,
    until,
)

OUTAGE = 3000.0
"""seconds, on the feed's clock"""


class Leaping:
    """A clock that can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


async def request(raw: Raw, method: str, target: str, body: str = "") -> None:
    """Send a request on a connection that stays open."""
    head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    await raw.send((head + body).encode())


async def reset(raw: Raw) -> bool:
    """Whether the next thing that comes is a TCP reset."""
    async with asyncio.timeout(WAIT):
        try:
            await raw.reader.read(1)
        except ConnectionResetError:
            return True
    return False


async def polled_over(peer: PollingPeer, raw: Raw, connection: Any) -> None:
    """Let a session's poll be pending on a connection."""
    await request(raw, "GET", peer.target)
    await until(lambda: connection.carrier.polled)


def test_a_pending_poll_is_reset() -> None:
    """The TCP connection that a cut session's poll waits on is reset, not answered."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer, tcp(running) as raw:
            await peer.join()
            (connection,) = running.platform.connections.values()
            await polled_over(peer, raw, connection)
            assert (await post_control(running, "flash"))["cut"] == 1
            assert await reset(raw)
            assert reasons(running) == ["cut"]

    run(test)


def test_other_connections_of_a_cut_are_not_touched() -> None:
    """A poll of a session that is not cut goes on waiting, and is answered in the end."""

    async def test() -> None:
        async with feed(rate=0.01) as running, polling(running) as spared, tcp(running) as raw:
            await spared.join()
            (connection,) = running.platform.connections.values()
            await polled_over(spared, raw, connection)
            assert (await post_control(running, "flash", percent=0))["cut"] == 0
            await spared.send('420["time:sync"]')
            assert (await raw.read_head()).startswith("HTTP/1.1 200")
            assert (await raw.reader.readexactly(4)).startswith(b"430[")

    run(test)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_kept_connection_is_reset_during_the_outage(method: str) -> None:
    """Who asks again over a connection from before the outage is reset, too, whatever it asks for."""

    async def test() -> None:
        async with feed(clock=Leaping()) as running, polling(running) as peer, tcp(running) as old, tcp(running) as new:
            await peer.join()
            for raw in (old, new):
                await request(raw, "GET", "/healthz")
                assert (await raw.read_head()).startswith("HTTP/1.1 200")
                assert await raw.reader.readexactly(3) == b"ok\n"
            await post_control(running, "flash", outage=OUTAGE)
            await request(old, method, peer.target, "3" if method == "POST" else "")
            assert await reset(old), "its session"
            await request(new, "GET", POLLING)
            assert await reset(new), "a new one"
            assert not running.platform.connections

    run(test)


def test_no_websocket_over_a_kept_connection_during_the_outage() -> None:
    """Nor does a kept-alive connection become a WebSocket while the outage lasts: it is reset."""

    async def test() -> None:
        async with feed(clock=Leaping()) as running, tcp(running) as raw:
            await request(raw, "GET", "/healthz")
            assert (await raw.read_head()).startswith("HTTP/1.1 200")
            assert await raw.reader.readexactly(3) == b"ok\n"
            await post_control(running, "flash", outage=OUTAGE)
            await raw.send(HANDSHAKE.format(target=WEBSOCKET, more="").encode())
            assert await reset(raw)

    run(test)


def test_polling_begins_anew_after_the_outage() -> None:
    """Once the outage is over a new session is opened, and prices come."""

    async def test() -> None:
        clock = Leaping()
        async with feed(clock=clock, rate=200.0) as running, polling(running) as before:
            await before.join()
            await before.emit("price:subscribe", "BTC/USDT")
            await post_control(running, "flash", outage=OUTAGE)
            with pytest.raises(aiohttp.ClientConnectionError):
                await before.request("GET", POLLING)
            assert running.platform.out
            clock.ahead += OUTAGE
            async with polling(running) as after:
                await after.join()
                assert (await after.emit("price:subscribe", "BTC/USDT"))["ok"]
                await after.gather(lambda: after.of(BTC))

    run(test)

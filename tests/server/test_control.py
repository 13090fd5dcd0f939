"""/control against a running feed."""

import asyncio
import contextlib
import json
import socket
import time
from typing import Any

import aiohttp
import pytest
from served import (
    BTC,
    WAIT,
    Raw,
    feed,
    get_control,
    joined,
    polling,
    post_control,
    raw_websocket,
    run,
    tcp,
    until,
    websocket,
)
from websockets.exceptions import ConnectionClosed

from wsctl.server.app import MockFeed
from wsctl.server.auth import mint
from wsctl.server.defaults import JWT_SECRET

ENDPOINTS = ["price", "disconnect", "flash", "pause", "resume"]


def test_without_control_there_is_none() -> None:
    """The endpoints exist only when asked for; /healthz always does."""

    async def test() -> None:
        async with feed(control=False) as running, aiohttp.ClientSession() as http:
            async with http.get(f"{running.url}/healthz") as response:
                assert (response.status, await response.text()) == (200, "ok\n")
            for name in ENDPOINTS:
                async with http.post(f"{running.url}/control/{name}", json={}) as response:
                    assert response.status == 404

    run(test)


def test_price() -> None:
    """The symbol's next price is the one that was set."""

    async def test() -> None:
        async with feed() as running, joined(running) as peer:
            await peer.emit("price:subscribe", "BTC/USDT")
            assert await post_control(running, "price", symbol="BTC/USDT", price=123.45) == {"ok": True}
            await peer.event("price:update", lambda payload: payload["price"] == 123.45)

    run(test)


def test_disconnect() -> None:
    """Clients are chosen by user, by client id, or by share; they are told that they may come back."""

    async def test() -> None:
        async with (
            feed() as running,
            joined(running, client="c", token=mint("alice", JWT_SECRET)) as alice,
            joined(running, token=mint("bob", JWT_SECRET)) as bob,
            joined(running, client="nobody") as anonymous,
        ):
            assert (await post_control(running, "disconnect", user="carol"))["disconnected"] == 0
            assert (await post_control(running, "disconnect", percent=0))["disconnected"] == 0
            assert (await post_control(running, "disconnect", user="alice", client="x"))["disconnected"] == 0
            # of one client, half is rounded to the even number, and a share of a user is a share of that user's
            assert (await post_control(running, "disconnect", user="bob", percent=60))["disconnected"] == 1
            assert await bob.closed() == 1012
            assert bob.events == [("connection:closing", {"reason": "requested", "retry": True})]
            assert (await post_control(running, "disconnect", client="c"))["disconnected"] == 1
            assert await alice.closed() == 1012
            assert (await post_control(running, "disconnect"))["disconnected"] == 1
            assert await anonymous.closed() == 1012

    run(test)


def test_connections() -> None:
    """Who is in the namespace is listed, with transport, user, client and channels."""

    async def test() -> None:
        token = mint("alice", JWT_SECRET)
        async with feed() as running, joined(running, client="c", token=token) as peer, polling(running) as poller:
            await peer.emit("price:subscribe", "BTC/USDT")
            async with websocket(running):  # not joined: not listed
                (listed,) = (await get_control(running, "connections"))["connections"]
            assert abs(listed.pop("connectedAt") - time.time()) < 60
            assert listed.pop("address").startswith("127.0.0.1:")
            assert listed.pop("id")
            assert listed == {"transport": "websocket", "user": "alice", "client": "c", "channels": [BTC]}
            await poller.join()
            second = (await get_control(running, "connections"))["connections"][1]
            assert (second["transport"], second["user"], second["client"]) == ("polling", None, None)

    run(test)


def test_pause_and_resume() -> None:
    """Between pause and resume no price is sent; doing either twice changes nothing; the source time moves on."""

    async def test() -> None:
        async with feed(rate=100.0) as running, joined(running) as peer:
            await peer.emit("price:subscribe", "BTC/USDT")
            for _ in range(2):
                await post_control(running, "pause")
            seq = running.platform.hub.channels[BTC].seq
            await asyncio.sleep(0.1)
            assert running.platform.hub.channels[BTC].seq == seq
            for _ in range(2):
                await post_control(running, "resume")
            update = await peer.event("price:update", lambda payload: payload["seq"] == seq + 1)
            assert 0 <= update["timestamp"] - update["sourceTime"] + 1 < 50

    run(test)


BAD: list[tuple[str, bytes]] = [
    ("price", b""),
    ("price", b"{"),
    ("price", b"[]"),
    ("price", b"\xff"),
    ("price", b'"\xff"'),
    ("price", b'{"symbol":"BTC/USDT"}'),
    ("price", b'{"symbol":"BTC/USDT","price":"1"}'),
    ("price", b'{"symbol":"BTC/USDT","price":-1}'),
    ("price", b'{"symbol":"BTC/USDT","price":NaN}'),
    ("price", b'{"symbol":"BTC/USDT","price":1e999}'),
    ("price", b'{"symbol":"NOPE","price":1}'),
    ("price", b'{"symbol":"BTC/USDT","price":1,"more":1}'),
    ("price", b'{"symbol":' + b"[" * 100_000),
    ("disconnect", b'{"percent":101}'),
    ("disconnect", b'{"percent":-1}'),
    ("disconnect", b'{"user":5}'),
    ("disconnect", b'{"usr":"alice"}'),
    ("flash", b'{"percent":1e308}'),
    ("flash", b'{"outage":-1}'),
    ("flash", b'{"outage":1e9}'),
    ("flash", b'{"outage":"3s"}'),
]


def test_bad_bodies() -> None:
    """A body that an endpoint does not take is answered with 400 and a sentence, and nobody is cut."""

    async def test() -> None:
        async with feed() as running, joined(running) as peer, aiohttp.ClientSession() as http:
            headers = {"content-type": "application/json"}
            for name, body in BAD:
                async with http.post(f"{running.url}/control/{name}", data=body, headers=headers) as response:
                    answer = await response.json()
                    assert (response.status, answer["ok"]) == (400, False), (name, body[:40])
                    assert answer["message"]
            assert (await peer.emit("time:sync"))["ok"]
            assert not running.platform.out

    run(test)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_pages_of_other_sites_cannot_post(content_type: str) -> None:
    """A POST that is not JSON, which a browser sends anywhere without asking, is refused with 415."""

    async def test() -> None:
        async with feed() as running, joined(running) as peer, aiohttp.ClientSession() as http:
            for name in ENDPOINTS:
                headers = {"content-type": content_type}
                async with http.post(f"{running.url}/control/{name}", data=b"{}", headers=headers) as response:
                    assert response.status == 415
            assert (await peer.emit("time:sync"))["ok"]

    run(test)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "localhost@evil.example", ""]
)
def test_a_foreign_name_is_refused(host: str) -> None:
    """A page whose own name was made to point here (DNS rebinding) may not command."""

    async def test() -> None:
        async with feed() as running, tcp(running) as raw:
            await raw.send(f"GET /control/connections HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert (await raw.read_head()).startswith("HTTP/1.1 403")

    run(test)


def address_of_this_machine() -> str | None:
    """One that is not loopback, if there is any."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        address = str(probe.getsockname()[0])
        return None if address.startswith("127.") else address
    return None


def test_a_foreign_address_is_refused() -> None:
    """Who does not come from loopback gets 403, whatever name it uses."""
    address = address_of_this_machine()
    if address is None:
        pytest.skip("this machine has no address but loopback")

    async def test() -> None:
        async with feed(host=address, jwt_secret="not the public one") as running, aiohttp.ClientSession() as http:
            for headers in ({}, {"host": "localhost"}):
                async with http.get(f"{running.url}/control/sent", headers=headers) as response:
                    assert response.status == 403

    run(test)


def test_a_flash_resets_and_refuses_for_a_while() -> None:
    """Cut connections see a TCP reset without a close frame; during the outage new ones are accepted and reset."""

    async def test() -> None:
        async with feed() as running, raw_websocket(running) as raw:
            await raw.text("40")
            await until(lambda: running.platform.clients)
            assert (await post_control(running, "flash", percent=100, outage=0.4))["cut"] == 1
            with pytest.raises(ConnectionResetError):
                await read_on(raw)
            assert not running.platform.connections
            outcomes = set()
            while running.platform.out:
                outcomes.add(await try_once(running))
            assert outcomes <= {"reset", "served"}
            assert "reset" in outcomes
            async with joined(running) as peer:
                assert (await peer.emit("time:sync"))["ok"]

    run(test)


async def read_on(raw: Raw) -> None:
    """Read frames until the connection breaks."""
    while True:
        await raw.read_frame()


async def try_once(running: MockFeed) -> str:
    """What becomes of one attempt to connect."""
    try:
        async with tcp(running) as raw:
            await raw.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await raw.read_head()
    except ConnectionError:
        return "reset"
    return "served"


def test_a_flash_cuts_a_share() -> None:
    """The share asked for is cut, the others are not; the same seed picks the same ones."""

    async def test() -> None:
        async with feed(seed=5) as running, contextlib.AsyncExitStack() as stack:
            peers = [await stack.enter_async_context(joined(running)) for _ in range(10)]
            assert (await post_control(running, "flash", percent=30))["cut"] == 3
            assert len(running.platform.connections) == 7
            ends = await asyncio.gather(*(outcome(peer) for peer in peers))
            assert sorted(ends) == ["cut"] * 3 + ["open"] * 7

    run(test)


async def outcome(peer: Any) -> str:
    """Whether a client was cut."""
    try:
        answer = await peer.emit("time:sync")
    except ConnectionClosed:
        return "cut"
    assert answer["ok"]
    return "open"


def test_a_flash_of_pollers() -> None:
    """A polling session that is cut is gone: its pending poll ends, and its id is unknown."""

    async def test() -> None:
        async with feed() as running, polling(running) as peer:
            await peer.join()
            (connection,) = running.platform.connections.values()
            poll = asyncio.create_task(peer.request("GET", peer.target))
            await until(lambda: connection.carrier.polled)  # type: ignore[union-attr]
            assert (await post_control(running, "flash"))["cut"] == 1
            with contextlib.suppress(aiohttp.ClientError):
                await asyncio.wait_for(poll, WAIT)
            status, body = await peer.request("GET", peer.target)
            assert (status, json.loads(body)["code"]) == (400, 1)

    run(test)

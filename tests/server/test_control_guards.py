"""Whom /control answers, what it shows, and whom it picks."""

import asyncio
import contextlib
import json
from typing import Any

import aiohttp
import pytest
from served import Conversation, feed, get_control, joined, polling, post_control, run, tcp, websocket

from wsctl.server.app import MockFeed

LIMIT = 64 * 1024
"""bytes of a body"""

# Who may ask


FOREIGN = [
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-For": "203.0.113.7, 127.0.0.1"},
    {"x-forwarded-for": ""},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Host": "localhost"},
    {"Forwarded": "for=127.0.0.1"},
    {"Origin": "https://example.org"},
    {"Origin": "http://localhost.example.org"},
    {"Origin": "null"},
]


def test_who_comes_through_a_proxy_or_from_elsewhere_is_refused() -> None:
    """A request that a proxy brought, or a page of another site, is answered with 403, and nothing happens."""

    async def test() -> None:
        async with feed() as running, joined(running) as peer, aiohttp.ClientSession() as http:
            for headers in FOREIGN:
                for name in ("disconnect", "flash", "pause"):
                    async with http.post(f"{running.url}/control/{name}", json={}, headers=headers) as response:
                        assert (response.status, (await response.json())["ok"]) == (403, False), headers
                for name in ("connections", "sent"):
                    async with http.get(f"{running.url}/control/{name}", headers=headers) as response:
                        assert (response.status, (await response.json())["ok"]) == (403, False), headers
            assert (await peer.emit("time:sync"))["ok"]

    run(test)


def test_a_page_of_this_machine_may_ask() -> None:
    """Pages served from loopback are answered."""

    async def test() -> None:
        async with feed() as running, aiohttp.ClientSession() as http:
            for origin in ("http://localhost:5173", "http://127.0.0.1", "https://[::1]:8443"):
                headers = {"Origin": origin}
                async with http.get(f"{running.url}/control/connections", headers=headers) as response:
                    assert response.status == 200
                async with http.post(f"{running.url}/control/pause", json={}, headers=headers) as response:
                    assert response.status == 200

    run(test)


def test_a_forwarded_address_does_not_make_a_client_local() -> None:
    """What X-Forwarded-For claims is believed nowhere: clients are listed with the address they came from."""

    async def test() -> None:
        headers = {"X-Forwarded-For": "203.0.113.7"}
        async with feed() as running, polling(running) as peer:
            async with aiohttp.ClientSession(headers=headers) as http:
                peer.http, own = http, peer.http
                await peer.open()
                await peer.join()
                (listed,) = (await get_control(running, "connections"))["connections"]
                assert listed["address"].startswith("127.0.0.1:")
                await peer.post("1")
                peer.http = own
            for connection in tuple(running.platform.connections.values()):
                connection.lost("seen")

    run(test)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit(chunked: bool) -> None:
    """A body over 64 KiB is refused with 400 and a sentence, before all of it came."""

    async def test() -> None:
        async with feed() as running, joined(running) as peer, tcp(running) as raw:
            length = "Transfer-Encoding: chunked" if chunked else "Content-Length: 50000000"
            head = (
                f"POST /control/flash HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
            )
            body = b"{}" + b" " * (LIMIT - 1)
            await raw.send(head.encode() + (b"%x\r\n%s\r\n" % (len(body), body) if chunked else body))
            assert (await raw.read_head()).startswith("HTTP/1.1 400")
            assert b"65536 bytes" in await raw.reader.readuntil(b"}")
            assert (await peer.emit("time:sync"))["ok"]

    run(test)


def test_a_body_of_just_the_limit() -> None:
    """A body of 64 KiB is taken."""

    async def test() -> None:
        async with feed() as running, aiohttp.ClientSession() as http:
            body = b"{}" + b" " * (LIMIT - 2)
            headers = {"Content-Type": "application/json"}
            async with http.post(f"{running.url}/control/pause", data=body, headers=headers) as response:
                assert (response.status, await response.json()) == (200, {"ok": True})

    run(test)


# What it shows


async def join(peer: Conversation) -> str:
    """Join; the id that the CONNECT answer names, which clients know as `socket.id`."""
    await peer.send("40")
    return str(json.loads((await peer.answer(lambda packet: packet.startswith("40{")))[2:])["sid"])


def test_connections_are_shown_by_their_public_id() -> None:
    """Listed and logged is the id of the CONNECT answer; the Engine.IO sid, which opens a session, is nowhere."""

    async def test() -> None:
        async with feed() as running, websocket(running) as peer, polling(running) as poller:
            opening = json.loads((await peer.answer(lambda packet: packet.startswith("0{")))[1:])
            secrets = [opening["sid"], poller.handshake["sid"]]
            ids = [await join(peer), await join(poller)]
            shown = (await get_control(running, "connections"))["connections"]
            assert [one["id"] for one in shown] == ids
            assert [one["transport"] for one in shown] == ["websocket", "polling"]
            logs = running.logs  # type: ignore[attr-defined]
            assert [log.connection for log in logs] == ids
            told = json.dumps(shown) + repr(logs) + json.dumps(await get_control(running, "sent"))
            assert not [secret for secret in secrets if secret in told]

    run(test)


def test_the_public_id_stays_over_an_upgrade() -> None:
    """A session that moves to WebSocket keeps the id it is shown by."""

    async def test() -> None:
        async with feed() as running, polling(running) as poller:
            public = await join(poller)
            target = f"/socket.io/?EIO=4&transport=websocket&sid={poller.handshake['sid']}"
            async with websocket(running, target) as peer:
                await peer.send("2probe")
                assert await peer.ws.recv() == "3probe"
                await peer.send("5")
                assert (await peer.emit("time:sync"))["ok"]
                (shown,) = (await get_control(running, "connections"))["connections"]
                assert (shown["id"], shown["transport"]) == (public, "websocket")

    run(test)


# Whom it picks

CLIENTS = [f"client-{number}" for number in range(10)]


async def victims(running: MockFeed, command: str) -> list[str]:
    """The clients that are gone after a command for half of them."""
    async with contextlib.AsyncExitStack() as stack:
        for client in CLIENTS:
            await stack.enter_async_context(joined(running, client=client))
        counted = await post_control(running, command, percent=50)
        assert counted["ok"]
        left = {one["client"] for one in (await get_control(running, "connections"))["connections"]}
        return [client for client in CLIENTS if client not in left]


def picked(command: str, **options: Any) -> tuple[list[str], int]:
    """The victims of a command on a feed of its own, and the seed that was told."""
    outcome: list[tuple[list[str], int]] = []

    async def test() -> None:
        async with feed(rate=0.01, **options) as running:
            assert running.seed == running.options.seed == running.platform.options.seed
            outcome.append((await victims(running, command), running.seed))

    run(test)
    return outcome[0]


@pytest.mark.parametrize("command", ["disconnect", "flash"])
def test_the_same_seed_picks_the_same_victims(command: str) -> None:
    """Feeds of one seed pick the same half of the clients, feeds of another seed another one."""
    one, again, other = (picked(command, seed=seed)[0] for seed in (5, 5, 6))
    assert len(one) == 5
    assert one == again
    assert one != other


def test_a_seed_that_was_drawn_can_be_used_again() -> None:
    """Without a seed one is drawn, and the seed that is told picks the same victims."""
    drawn, seed = picked("disconnect", seed=None)
    assert isinstance(seed, int)
    assert picked("disconnect", seed=seed) == (drawn, seed)


def test_victims_are_told_and_others_are_not() -> None:
    """Who is disconnected gets the notice, who is not goes on."""

    async def test() -> None:
        async with feed(seed=5, rate=0.01) as running, contextlib.AsyncExitStack() as stack:
            peers = [await stack.enter_async_context(joined(running, client=client)) for client in CLIENTS]
            assert (await post_control(running, "disconnect", percent=50))["disconnected"] == 5
            left = {one["client"] for one in (await get_control(running, "connections"))["connections"]}
            for client, peer in zip(CLIENTS, peers, strict=True):
                if client in left:
                    assert (await peer.emit("time:sync"))["ok"]
                else:
                    assert await asyncio.wait_for(peer.closed(), 10) == 1012
                    assert peer.events == [("connection:closing", {"reason": "requested", "retry": True})]

    run(test)

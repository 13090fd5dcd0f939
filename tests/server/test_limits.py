"""How many may come, and how much each may do: every limit with the wire form that the interface fixes for it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from served import (
    BTC,
    ETH,
    POLLING,
    PollingPeer,
    WebSocketPeer,
    feed,
    joined,
    polling,
    raw_websocket,
    reasons,
    run,
    until,
    websocket,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus

from wsctl.server import defaults
from wsctl.server.app import MockFeed
from wsctl.server.auth import mint

EVICTED = '42["connection:closing",{"reason":"evicted","retry":false}]'
LIMIT = '42["connection:closing",{"reason":"limit","retry":false}]'
SHUTDOWN = '42["connection:closing",{"reason":"shutdown","retry":true}]'
TOO_MANY = '44{"message":"Too many connections"}'
NOT_YOU = '44{"message":"Authentication error"}'
QUIET: dict[str, Any] = {"rate": 0.01}
APP = "https://app.example"


def token(user: str = "alice", secret: str = defaults.JWT_SECRET, **claims: Any) -> str:
    """A token for a user."""
    return mint(user, secret, **claims)


def users(running: MockFeed) -> list[str | None]:
    """Who is in, the oldest first."""
    return [client.user.id if client.user else None for client in running.platform.clients.values()]


async def last_words(peer: WebSocketPeer) -> tuple[list[str], int | None]:
    """The packets before the end, and the close code."""
    packets = []
    try:
        while True:
            packets.append(await peer.ws.recv())
    except ConnectionClosed as end:
        return packets, end.rcvd.code if end.rcvd else None


@asynccontextmanager
async def polled(running: MockFeed, **auth: Any) -> AsyncIterator[PollingPeer]:
    """A client over long-polling in the namespace."""
    async with polling(running) as peer:
        yield await peer.join(**auth)


async def refusal(peer: WebSocketPeer | PollingPeer, **auth: Any) -> str:
    """What a CONNECT that must fail is answered with."""
    await peer.send("40" + (json.dumps(auth) if auth else ""))
    return await peer.answer(lambda packet: packet.startswith(("44", "40{")))


# Connections of one user


def test_the_fourth_connection_evicts_the_oldest() -> None:
    """The oldest is told `evicted`, gets DISCONNECT and close 1000; the others go on receiving, and so on in turn."""

    async def test() -> None:
        async with (
            feed() as running,
            joined(running, token=token()) as first,
            joined(running, token=token()) as second,
            joined(running, token=token()) as third,
            joined(running, token=token("bob")) as bob,
        ):
            for peer in (second, third, bob):
                await peer.emit("price:subscribe", "BTC/USDT")
            async with joined(running, token=token()) as fourth:
                assert await last_words(first) == ([EVICTED, "41"], 1000)
                assert users(running) == ["alice", "alice", "bob", "alice"]
                await fourth.emit("price:subscribe", "BTC/USDT")
                last = running.platform.hub.channels[BTC].seq
                for peer in (second, third, fourth, bob):
                    await peer.event("price:update", lambda price: price["seq"] > last + 2)
                async with joined(running, token=token()):
                    assert await second.closed() == 1000
                    assert second.events[-1] == ("connection:closing", {"reason": "evicted", "retry": False})
                    assert (await third.emit("time:sync"))["ok"]
            assert reasons(running)[:2] == ["evicted", "evicted"]

    run(test)


def test_an_eviction_over_polling() -> None:
    """A poller gets the notice and DISCONNECT with the poll that is pending, or with its next one."""

    async def test() -> None:
        async with feed(**QUIET, max_per_user=1) as running, polled(running, token=token()) as first:
            connection = running.platform.connections[first.handshake["sid"]]
            poll = asyncio.create_task(first.poll())
            await until(lambda: connection.carrier.polled)  # type: ignore[union-attr]
            async with polled(running, token=token()) as second, joined(running, token=token()):
                assert await poll == [EVICTED, "41"]
                assert await second.poll() == [EVICTED, "41"]
                assert (await second.request("GET", second.target))[0] == 400

    run(test)


def test_an_evicted_clients_place_is_free_at_once() -> None:
    """Whoever does not answer its eviction holds no place: the next one evicts the next oldest."""

    async def test() -> None:
        async with feed(**QUIET, max_per_user=2) as running, raw_websocket(running, receive_buffer=4096) as deaf:
            await deaf.text("40" + json.dumps({"token": token()}))
            await until(lambda: running.platform.clients)
            async with joined(running, token=token()) as second, joined(running, token=token()) as third:
                assert users(running) == ["alice"] * 2
                async with joined(running, token=token()):
                    assert await last_words(second) == ([EVICTED, "41"], 1000)
                    assert (await third.emit("time:sync"))["ok"]
                    assert users(running) == ["alice"] * 2
            assert await deaf.close_code() == 1000

    run(test)


def test_reject_newest() -> None:
    """Under `reject-newest` the fourth gets a connect error; it may ask again, and is let in when there is room."""

    async def test() -> None:
        async with feed(**QUIET, max_per_user=1, limit_policy="reject-newest") as running:
            async with websocket(running) as second, polling(running) as third:
                async with joined(running, token=token()) as first:
                    for peer in (second, third):
                        assert await refusal(peer, token=token()) == TOO_MANY
                    assert (await first.emit("time:sync"))["ok"]
                    async with joined(running, token=token("bob")):
                        pass
                await until(lambda: not running.platform.clients)
                assert (await refusal(second, token=token())).startswith("40{")
                assert await refusal(third, token=token()) == TOO_MANY
            assert running.platform.counters.refused == 3

    run(test)


@pytest.mark.parametrize(
    ("options", "auth"),
    [({"max_per_user": 1}, {}), ({"max_per_user": 0}, {"token": token()})],
    ids=["anonymous ones do not count", "0 is none"],
)
def test_no_limit_per_user(options: dict[str, Any], auth: dict[str, str]) -> None:
    """Anonymous connections do not count, and 0 means any number."""

    async def test() -> None:
        async with (
            feed(**QUIET, **options) as running,
            joined(running, **auth) as one,
            joined(running, **auth) as two,
            joined(running, **auth) as three,
            joined(running, **auth) as four,
            polled(running, **auth) as five,
        ):
            for peer in (one, two, three, four, five):
                assert (await peer.emit("time:sync"))["ok"]
            assert len(running.platform.clients) == 5

    run(test)


def test_a_user_is_forgotten_with_the_last_connection() -> None:
    """Names of users who left are not kept, however they left."""

    async def test() -> None:
        async with feed(**QUIET, max_per_user=1) as running:
            for number in range(5):
                async with joined(running, token=token(f"user{number}")), joined(running, token=token(f"user{number}")):
                    assert f"user{number}" in running.platform.admission._by_user
            await until(lambda: not running.platform.clients)
            assert not running.platform.admission._by_user
            assert running.platform.admission._count == 0

    run(test)


# Connections in all


def test_max_connections() -> None:
    """One too many for the server gets a connect error, whoever it is; a place that becomes free is given away."""

    async def test() -> None:
        async with feed(**QUIET, max_connections=2) as running, joined(running), polling(running) as poller:
            async with joined(running, token=token()) as second, websocket(running) as third:
                for peer in (third, poller):
                    assert await refusal(peer) == TOO_MANY
                assert await refusal(third, token=token("bob")) == TOO_MANY
                assert (await second.emit("time:sync"))["ok"]
            await until(lambda: len(running.platform.clients) == 1)
            await poller.join()
            assert [log.reason for log in running.logs if log.what == "refused"] == ["2 connections in all"] * 3  # type: ignore[attr-defined]

    run(test)


def test_an_eviction_makes_room_where_the_server_is_full() -> None:
    """A user whose new connection costs an old one of the same user takes no further place."""

    async def test() -> None:
        async with (
            feed(**QUIET, max_connections=2, max_per_user=1) as running,
            joined(running, token=token("bob")) as bob,
            joined(running, token=token()) as first,
            joined(running, token=token()) as second,
            websocket(running) as third,
        ):
            assert await last_words(first) == ([EVICTED, "41"], 1000)
            assert users(running) == ["bob", "alice"]
            assert await refusal(third, token=token("carol")) == TOO_MANY
            for peer in (bob, second):
                assert (await peer.emit("time:sync"))["ok"]
            assert list(running.platform.admission._by_user) == ["bob", "alice"]

    run(test)


# What one client may do


def test_too_many_events() -> None:
    """More events a second than allowed end the connection: `limit`, DISCONNECT, close 1000."""

    async def test() -> None:
        async with feed(**QUIET, max_events=5) as running, joined(running) as other:
            async with joined(running) as peer:
                await peer.send(*['42["time:sync"]'] * 20)
                assert await last_words(peer) == ([LIMIT, "41"], 1000)
            async with polled(running) as poller:
                await poller.send(*['42["time:sync"]'] * 20)
                assert await poller.poll() == [LIMIT, "41"]
            assert (await other.emit("time:sync"))["ok"]
            assert reasons(running) == ["limit", "limit"]

    run(test)


def test_just_as_many_events_as_allowed() -> None:
    """A second's worth at once is no offence."""

    async def test() -> None:
        async with feed(**QUIET, max_events=5) as running, joined(running) as peer:
            for _ in range(5):
                assert (await peer.emit("time:sync"))["ok"]

    run(test)


@pytest.mark.parametrize("event", ["channel:subscribe", "price:subscribe"])
def test_too_many_subscriptions(event: str) -> None:
    """What goes over the limit is refused with the code `limit`, the rest is served; leaving a channel makes room."""
    names = [BTC, ETH] if event == "channel:subscribe" else ["BTC/USDT", "ETH/USDT"]

    async def test() -> None:
        async with feed(**QUIET, max_subscriptions=1) as running, joined(running) as peer:
            answer = await peer.emit(event, names)
            assert (answer["ok"], answer["code"]) == (False, "limit")
            assert (answer["subscribed"], answer["refused"]) == (names[:1], names[1:])
            assert (await peer.emit(event, names[:1]))["ok"]
            assert (await peer.emit("channel:unsubscribe", [BTC]))["ok"]
            assert (await peer.emit(event, names[1:]))["ok"]
            (client,) = running.platform.clients.values()
            assert list(client.channels) == [ETH]

    run(test)


@pytest.mark.parametrize(("length", "kept"), [(128, True), (129, False), (900_000, False)])
def test_a_name_that_is_no_name(length: int, kept: bool) -> None:
    """The `client` of the handshake's auth outlives the connection, so a long one is not kept; its bearer is let in."""

    async def test() -> None:
        async with feed(**QUIET) as running, joined(running, client="x" * length):
            (client,) = running.platform.clients.values()
            assert client.name == ("x" * length if kept else None)

    run(test)


def test_what_clients_make_long_is_logged_short() -> None:
    """Namespaces, users and the like stand in the log with their beginning."""

    async def test() -> None:
        async with feed(**QUIET) as running, joined(running, token=token("u" * 128)) as peer:
            await peer.send(f'42/{"y" * 900_000},["a"]')
            assert await peer.closed() == 1002
            (_, log) = running.logs  # type: ignore[attr-defined]
            assert log.reason.startswith("malformed packet: EVENT for namespace '/yyy")
            assert (len(log.reason), log.user) == (101, "u" * 100 + "…")

    run(test)


# Who may come


def test_auth_required() -> None:
    """With `--auth required` nobody comes in without a sound token; a refused client may try again."""

    async def test() -> None:
        async with feed(**QUIET, auth="required") as running, websocket(running) as peer, polling(running) as poller:
            for one in (peer, poller):
                assert await refusal(one) == NOT_YOU
                assert await refusal(one, token=None) == NOT_YOU
                assert await refusal(one, token=token(secret="another")) == NOT_YOU
                await one.join(token=token())
            assert users(running) == ["alice"] * 2

    run(test)


def test_expired_tokens() -> None:
    """A token is good until it expires and no longer, at the handshake; who is in stays in."""

    async def test() -> None:
        async with feed(**QUIET) as running, websocket(running) as peer:
            assert await refusal(peer, token=token(expires_at=time.time() - 2)) == NOT_YOU
            await peer.join(token=token(expires_at=time.time() + 60))

    run(test)


def test_accept_any_token() -> None:
    """With `--accept-any-token` neither signature nor expiry counts, but it must still name somebody."""

    async def test() -> None:
        async with feed(**QUIET, accept_any_token=True, auth="required") as running, websocket(running) as peer:
            for bad in ("nonsense", 5, token("not a name")):
                assert await refusal(peer, token=bad) == NOT_YOU
            assert await refusal(peer) == NOT_YOU
            await peer.join(token=token("carol", "another", expires_at=time.time() - 60))
            assert users(running) == ["carol"]

    run(test)


# How the server says that it will be back


def test_no_disconnect_packet_where_clients_are_to_come_back() -> None:
    """At a shutdown the notice is followed by close 1012 alone: after `41` no client would return."""

    async def test() -> None:
        async with feed(**QUIET) as running, joined(running, token=token()) as peer:
            end = asyncio.create_task(last_words(peer))
            await running.__aexit__(None, None, None)
            assert await end == ([SHUTDOWN], 1012)

    run(test)


# Where pages may come from


def test_cors_origin() -> None:
    """A configured origin may poll, with a preflight and credentials, and open a WebSocket; no other may."""

    async def test() -> None:
        async with feed(**QUIET, cors_origin=(APP,)) as running, polling(running) as peer:
            asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
            async with peer.http.options(running.url + POLLING, headers={"Origin": APP, **asked}) as response:
                assert response.status == 200
                assert response.headers["Access-Control-Allow-Origin"] == APP
                assert response.headers["Access-Control-Allow-Credentials"] == "true"
                assert "POST" in response.headers["Access-Control-Allow-Methods"]
                assert "content-type" in response.headers["Access-Control-Allow-Headers"].lower()
            headers = {"Origin": APP}
            async with peer.http.post(running.url + peer.target, data="40", headers=headers) as response:
                assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (200, APP)
            async with websocket(running, origin=APP) as page:
                await page.join()
            for origin in (f"{APP}.evil.example", "http://app.example", f"{APP}:8443", "null"):
                async with peer.http.options(running.url + POLLING, headers={"Origin": origin, **asked}) as response:
                    assert "Access-Control-Allow-Origin" not in response.headers
                async with peer.http.get(running.url + peer.target, headers={"Origin": origin}) as response:
                    assert response.status == 403
                    assert "Access-Control-Allow-Origin" not in response.headers
                with pytest.raises(InvalidStatus) as caught:
                    async with websocket(running, origin=origin):
                        pass
                assert caught.value.response.status_code == 403

    run(test)

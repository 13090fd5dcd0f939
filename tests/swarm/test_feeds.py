"""Swarms against the mock feed: whatever they count must be what it sent."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop
from tests.server.served import BTC, ETH, feed, get_control, post_control, run, until
from tests.swarm.swarms import Watched, options, prices

from wsctl.client.subscription import Subscription
from wsctl.client.target import Reconnect
from wsctl.errors import TargetError, UsageError
from wsctl.server import limits
from wsctl.server.app import MockFeed
from wsctl.server.auth import mint
from wsctl.swarm.messages import Fault
from wsctl.swarm.remote import RemoteSwarm


def test_counts_are_those_of_the_servers_ledger() -> None:
    async def test() -> None:
        async with feed(rate=100.0) as running, RemoteSwarm(options(running.url, clients=40)) as swarm:
            watched = Watched(swarm)
            await watched.measuring()
            await watched.until(lambda metrics: metrics["messages.received"] > 5_000)
            await post_control(running, "pause")
            await watched.silence()
            done = await watched.stop()
            ledger = (await get_control(running, "sent"))["channels"]
        assert done.channels == {name: ledger[name]["delivered"] for name in (BTC, ETH)}
        metrics = done.metrics
        assert metrics["connections.opened"] == metrics["connections.subscribed"] == 40
        assert metrics["connections.asked"] == metrics["connections.peak"] == metrics["connections.receiving"] == 40
        assert metrics["acks.ok"] == 40
        assert metrics["messages.received"] >= sum(done.channels.values())
        assert metrics["messages.rate"] > 0
        assert metrics["messages.bytes"] > 100 * metrics["messages.received"]
        assert [metrics[f"ordering.{kind}"] for kind in ("gaps", "duplicates", "reorders", "regressions")] == [0] * 4
        assert metrics["fanout.reach"] == 1.0
        assert 0 < metrics["latency.p50"] <= metrics["latency.p99"] <= metrics["latency.max"] < 5
        assert metrics["latency.source.p50"] >= metrics["latency.p50"]
        assert metrics["generator.cpu"] > 0
        assert metrics["generator.rss"] > 1e6
        assert metrics["generator.lag.p99"] >= 0
        assert metrics["errors"] == 0
        assert not done.findings
        assert not done.notes
        assert "reconnect.cut" not in metrics

    run(test)


def test_each_client_may_listen_to_one_symbol_of_all() -> None:
    async def test() -> None:
        given = {"clients": 5, "spread": True, "format": "compact"}
        async with feed() as running, RemoteSwarm(options(running.url, **given)) as swarm:
            watched = Watched(swarm)
            await watched.measuring()
            listening = [list(client.channels) for client in running.platform.clients.values()]
            done = await watched.stop()
        assert sorted(listening) == [[BTC]] * 3 + [[ETH]] * 2
        assert done.metrics["messages.bytes"] < 150 * done.metrics["messages.received"]

    run(test)


def test_the_oldest_connection_of_a_user_is_evicted() -> None:
    async def test() -> None:
        given = {"clients": 4, "tokens": (token("ann"),), "users": ("ann",), "connect_rate": 20.0}
        async with feed() as running, RemoteSwarm(options(running.url, **given)) as swarm:
            watched = Watched(swarm)
            await watched.until(lambda metrics: metrics["connections.evicted"] == 1)
            await watched.measuring()
            await watched.until(lambda metrics: metrics.get("limit.survivors_receiving") == 1)
            done = await watched.stop()
        assert done.metrics["limit.evicted_oldest_first"] == 1
        assert done.metrics["connections.closed"] == 1
        assert done.metrics["connections.opened"] == 4
        assert done.metrics["connections.receiving"] == 3

    run(test)


def test_clients_that_insist_evict_one_another() -> None:
    async def test() -> None:
        insisting = Reconnect(delay=0.05, delay_max=0.1, always=True)
        given = {"clients": 4, "tokens": (token("ann"),), "users": ("ann",), "reconnect": insisting}
        async with feed() as running, RemoteSwarm(options(running.url, **given)) as swarm:
            watched = Watched(swarm)
            await watched.until(lambda metrics: metrics["connections.evicted"] >= 5)
            await watched.until(lambda metrics: metrics.get("limit.evictions_rate", 0) > 0)
            await watched.stop()

    run(test)


def test_the_newest_connection_is_refused_where_that_is_the_policy() -> None:
    async def test() -> None:
        given = {"clients": 4, "tokens": (token("ann"),), "users": ("ann",)}
        policy = {"limit_policy": "reject-newest"}
        async with feed(**policy) as running, RemoteSwarm(options(running.url, **given)) as swarm:
            watched = Watched(swarm)
            await watched.until(lambda metrics: metrics.get("limit.survivors_receiving") == 1)
            done = await watched.stop()
        assert done.metrics["connections.refused"] == 1
        assert done.metrics["connections.opened"] == 3
        assert done.metrics["auth.refused"] == done.metrics["errors"] == 0
        assert any("Too many connections" in note for note in done.notes)

    run(test)


def test_bad_tokens_are_refused_and_that_is_measured() -> None:
    async def test() -> None:
        given = {"tokens": (token("ann"), "not a token"), "users": ("ann", None), "clients": 4}
        async with feed() as running, RemoteSwarm(options(running.url, **given)) as swarm:
            watched = Watched(swarm)
            await watched.measuring()
            done = await watched.stop()
        assert done.metrics["auth.refused"] == done.metrics["connections.refused"] == 2
        assert done.metrics["connections.subscribed"] == 2
        assert done.metrics["errors"] == 0

    run(test)


def test_requests_that_need_a_user_are_denied() -> None:
    async def test() -> None:
        given = {"subscriptions": (*prices("BTC/USDT"), Subscription("bot:subscribe"))}
        async with feed() as running, RemoteSwarm(options(running.url, **given)) as swarm:
            watched = Watched(swarm)
            await watched.measuring()
            done = await watched.stop()
        assert done.metrics["auth.denied"] == done.metrics["acks.refused"] == done.metrics["errors"] == 3
        assert done.metrics["acks.ok"] == 3
        assert done.metrics["connections.subscribed"] == 0

    run(test)


def test_clients_cut_by_a_flash_recover() -> None:
    async def test() -> None:
        given = {"clients": 20, "recovery_hold": 0.3}
        async with feed() as running, RemoteSwarm(options(running.url, **given)) as swarm:
            watched = Watched(swarm)
            await watched.measuring()
            await flash(running, swarm, percent=50, outage=0.3)
            await watched.until(lambda metrics: metrics.get("reconnect.recovered") == 10)
            done = await watched.stop()
        assert done.metrics["reconnect.cut"] == 10
        assert done.metrics["reconnect.success_rate"] == 1
        assert done.metrics["reconnect.attempts"] >= 1
        assert done.metrics["reconnect.time.p99"] < 10
        assert done.metrics["connections.closed"] == 10
        assert done.metrics["connections.receiving"] == 20
        reached = "noticed 10, open 10, subscribed 10, fresh 10, consistent 10, held 10"
        assert any(note.startswith(f"of 10 cut: {reached}; back after p50 ") for note in done.notes)
        assert done.metrics["ordering.gaps"] == 0

    run(test)


def test_clients_that_forget_to_subscribe_again_do_not_recover() -> None:
    async def test() -> None:
        given = {"clients": 4, "resubscribe": False, "recovery_hold": 0.1}
        async with feed() as running, RemoteSwarm(options(running.url, **given)) as swarm:
            watched = Watched(swarm)
            await watched.measuring()
            await flash(running, swarm, percent=100, outage=0)
            await watched.until(lambda metrics: metrics["connections.receiving"] == 0)
            await until(lambda: len(connected(running)) == 4)
            done = await watched.stop()
        assert done.metrics["reconnect.cut"] == 4
        assert done.metrics["reconnect.recovered"] == done.metrics["reconnect.success_rate"] == 0
        assert done.metrics["reconnect.time.p99"] == float("inf")
        assert any("open 4, subscribed 0, fresh 0" in note for note in done.notes)

    run(test)


def test_clients_come_back_after_a_polite_end_and_hear_of_nothing_lost() -> None:
    async def test() -> None:
        async with feed() as running, RemoteSwarm(options(running.url)) as swarm:
            watched = Watched(swarm)
            await watched.measuring()
            await post_control(running, "disconnect")
            await watched.until(lambda metrics: metrics["connections.closed"] == metrics["connections.receiving"] == 3)
            done = await watched.stop()
        assert done.metrics["ordering.gaps"] == 0
        assert done.metrics["acks.ok"] == 6

    run(test)


def test_slow_clients_leave_the_others_their_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WRITE_LIMIT", 4096)

    async def test() -> None:
        books = Subscription("channel:subscribe", ("symbol:BTC/USDT:orderbook", "symbol:ETH/USDT:orderbook"))
        given = {"clients": 3, "slow": 1, "slow_for": 2.0, "subscriptions": (*prices(), books)}
        async with feed(rate=400.0) as running, RemoteSwarm(options(running.url, **given)) as swarm:
            watched = Watched(swarm)
            await watched.until(lambda metrics: metrics["ordering.skipped"] > 0)
            done = await watched.stop()
        assert done.metrics["latency.max"] < 2
        assert done.metrics["ordering.gaps"] == 0
        assert "latencies of 1 of the clients, which stopped reading, are left out" in done.notes

    run(test)


def test_a_warm_up_is_left_out_of_latencies_and_that_is_said() -> None:
    async def test() -> None:
        given = {"duration": 0.2, "warmup": 30.0}
        async with feed() as running, RemoteSwarm(options(running.url, **given)) as swarm:
            done = await Watched(swarm).end()
        assert "latencies of the first 30 s are left out" in done.notes
        assert done.metrics["messages.received"] > 0
        assert "latency.p50" not in done.metrics

    run(test)


def test_nobody_there() -> None:
    async def test() -> None:
        async with feed() as running:
            url = running.url
        async with RemoteSwarm(options(url)) as swarm:
            with pytest.raises(TargetError, match="connection refused"):
                await anext(swarm)
            with pytest.raises(StopAsyncIteration):
                await anext(swarm)

    run(test)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"clients": 10**8}, "need 100,000,050 open files; the limit is"),
        ({"clients": 0}, "0 clients; expected at least 1"),
        ({"slow": 9}, "9 of 3 clients are to be slow"),
        ({"users": ("ann",)}, "1 users for 0 tokens"),
        ({"target": {"transport": "polling"}}, "speaks WebSocket only"),
        ({"target": {"url": "https://127.0.0.1:1", "cacert": "/nowhere.pem"}}, "--cacert /nowhere.pem cannot be read"),
    ],
)
def test_what_cannot_be_done(given: dict[str, Any], message: str) -> None:
    async def test() -> None:
        url = given.get("target", {}).pop("url", "http://127.0.0.1:1")
        async with RemoteSwarm(options(url, **given)) as swarm:
            with pytest.raises(UsageError, match=message):
                await anext(swarm)

    run(test)


def test_tls_and_who_is_trusted(tmp_path: Path) -> None:
    authority = trustme.CA()
    trusted, cert, key = (tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(str(trusted))
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(key))
    issued.cert_chain_pems[0].write_to_path(str(cert))

    async def test() -> None:
        async with feed(tls_cert=str(cert), tls_key=str(key)) as running:
            for let_in in ({"cacert": str(trusted)}, {"insecure": True}):
                async with RemoteSwarm(options(running.url, target=let_in)) as swarm:
                    watched = Watched(swarm)
                    await watched.until(lambda metrics: metrics["connections.receiving"] == 3)
            async with RemoteSwarm(options(running.url)) as swarm:
                with pytest.raises(TargetError, match="its certificate is not trusted"):
                    await anext(swarm)
            async with RemoteSwarm(options(running.url.replace("https", "http"))) as swarm:
                with pytest.raises(TargetError, match="if it speaks TLS, the URL begins with https"):
                    await anext(swarm)

    run(test)


def test_a_proxy_is_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    tunnels: list[bytes] = []

    async def test() -> None:
        async with feed() as running:
            port = running.url.rpartition(":")[2]

            async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                tunnels.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
                there, back = await asyncio.open_connection("127.0.0.1", int(port))
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await asyncio.gather(pipe(reader, back), pipe(there, writer))

            proxy = await asyncio.start_server(tunnel, "127.0.0.1", 0)
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
            async with RemoteSwarm(options("http://far.test", target={"direct": False})) as swarm:
                await Watched(swarm).until(lambda metrics: metrics["connections.receiving"] == 3)
            proxy.close()
            await until(lambda: not running.platform.connections)
        assert tunnels == [b"CONNECT far.test:80 HTTP/1.1"] * 3

    run(test)


def test_two_thousand_connections() -> None:
    async def test() -> None:
        given = {"clients": 2_000, "subscriptions": prices("BTC/USDT"), "connect_rate": 0.0}
        async with feed(rate=1.0) as running, RemoteSwarm(options(running.url, **given)) as swarm:
            watched = Watched(swarm)
            await watched.until(lambda metrics: metrics["connections.receiving"] == 2_000)
            await watched.measuring()
            await watched.until(lambda metrics: metrics["messages.received"] >= 6_000)  # snapshots and updates
            await post_control(running, "pause")
            await watched.silence()
            done = await watched.stop()
            ledger = (await get_control(running, "sent"))["channels"]
        assert done.channels[BTC] == ledger[BTC]["delivered"]
        assert done.metrics["ordering.gaps"] == done.metrics["errors"] == 0

    run(test, loop_factory=uvloop.new_event_loop, seconds=55)


async def pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Pass bytes on until they end."""
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            target.write(data)
    target.close()


def token(user: str) -> str:
    """A token as the mock feed signs them."""
    return mint(user, "wsctl-dev")


def connected(running: MockFeed) -> dict[str, str | None]:
    """Who is connected, by the server's account: handshake ids by connection."""
    return {client.id: client.name for client in running.platform.clients.values()}


async def flash(running: MockFeed, swarm: RemoteSwarm, *, percent: int, outage: float, within: float = 30.0) -> None:
    """Cut connections, and tell the swarm whose."""
    clock, before = running.platform.clock, connected(running)
    at = clock.now()
    cut = (await post_control(running, "flash", percent=percent, outage=outage))["cut"]
    await until(lambda: len(before.keys() - connected(running).keys()) == cut)
    ids = before.keys() - connected(running).keys()
    await swarm.fault(Fault(at=at, back_at=at + outage, within=within, clients=tuple(str(before[id]) for id in ids)))

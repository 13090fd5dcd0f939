"""Swarms on raw feeds: whatever they count must be what was sent, in every dialect and scheme."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.peers.background import Background
from tests.peers.bourse import DIALECT as BOURSE
from tests.peers.bourse import Bourse, tick
from tests.peers.markets import depth, now_ms, trade
from tests.server.served import run, until
from tests.swarm.raw_feeds import RawFeed, raw_feed
from tests.swarm.strangers import Line, stranger
from tests.swarm.swarms import Watched, options

from wsctl.client.subscription import Subscription
from wsctl.client.target import Reconnect
from wsctl.errors import UsageError
from wsctl.swarm.crowd import Crowd
from wsctl.swarm.messages import Fault
from wsctl.swarm.options import SwarmOptions
from wsctl.swarm.remote import RemoteSwarm
from wsctl.wire.dialects import dialect_named

DEPTH, TRADES, TICKER = "btcusdt@depth@100ms", "btcusdt@trade", "btcusdt@ticker"
"""of the schemes range, monotonic and none"""


def raw(feed: RawFeed, *channels: str, dialect: str = "binance", **given: Any) -> SwarmOptions:
    """A small swarm on a raw feed."""
    given = dict(given)
    target = {"dialect": dialect, **given.pop("target", {})}
    return options(feed.url, target=target, subscriptions=(Subscription("subscribe", channels),), **given)


@asynccontextmanager
async def feed_and_swarm(*channels: str, **given: Any) -> AsyncIterator[tuple[RawFeed, RemoteSwarm]]:
    """A feed, and a swarm on it."""
    async with (
        raw_feed(dialect_named(given.get("dialect", "binance"))) as feed,
        RemoteSwarm(raw(feed, *channels, **given)) as swarm,
    ):
        yield feed, swarm


def ticker(price: str) -> dict[str, Any]:
    return {"e": "24hrTicker", "E": now_ms(), "s": "BTCUSDT", "c": price}


def test_counts_are_those_of_the_feeds_ledger() -> None:
    async def test() -> None:
        async with feed_and_swarm(DEPTH, TRADES, TICKER, clients=20) as (feed, swarm):
            watched = Watched(swarm)
            await watched.measuring()
            for number in range(1, 51):
                await feed.publish(DEPTH, depth(10 * number, 10 * number + 9))
                await feed.publish(TRADES, trade(3 * number))
                await feed.publish(TICKER, ticker(f"100.{number}"))
            await watched.until(lambda metrics: metrics["messages.received"] == feed.sent.total())
            done = await watched.stop()
        assert done.channels == dict(feed.sent) == dict.fromkeys((DEPTH, TRADES, TICKER), 1000)
        metrics = done.metrics
        assert metrics["connections.opened"] == metrics["connections.subscribed"] == 20
        assert metrics["connections.asked"] == metrics["connections.peak"] == metrics["connections.receiving"] == 20
        assert metrics["acks.ok"] == 20
        assert [metrics[f"ordering.{kind}"] for kind in ("gaps", "duplicates", "reorders", "regressions")] == [0] * 4
        assert metrics["fanout.reach"] == 1.0
        assert 0 < metrics["latency.p50"] <= metrics["latency.p99"] <= metrics["latency.max"] < 5
        assert metrics["errors"] == 0
        assert not done.findings
        assert done.notes == ("1,000 of 3,000 messages have no sequence number: nothing proves their order",)
        assert not {name for name in metrics if name.startswith(("auth.", "limit.", "latency.source."))}
        assert "connections.evicted" not in metrics

    run(test)


def test_what_one_client_of_many_misses_is_found() -> None:
    async def test() -> None:
        async with feed_and_swarm(DEPTH, TRADES, clients=4) as (feed, swarm):
            watched = Watched(swarm)
            await watched.measuring()
            for number in range(1, 11):
                await feed.publish(DEPTH, depth(10 * number, 10 * number + 9), to=3 if number == 5 else None)
                await feed.publish(TRADES, trade(number), to=2 if number == 7 else None)
            await feed.publish(TRADES, old := trade(11))
            await feed.publish(TRADES, old, to=1)
            await watched.until(lambda metrics: metrics["messages.received"] == feed.sent.total())
            done = await watched.stop()
        assert done.metrics["ordering.gaps"] == 1
        assert done.metrics["ordering.missing"] == 10
        assert done.metrics["ordering.duplicates"] == 1
        assert done.metrics["fanout.reach"] == 39 / 40
        assert {finding.message for finding in done.findings} == {
            f"update-ids 50 to 59 never came on {DEPTH}; expected between 49 and 60",
            f"seq 11 came again on {TRADES}; expected 11 or more",
        }

    run(test)


@pytest.mark.parametrize("channel", [DEPTH, TRADES, TICKER])
def test_clients_that_were_cut_are_back_once_something_new_came(channel: str) -> None:
    """What they had before, told again upon their subscription, is not enough."""
    messages = {
        DEPTH: [depth(10 * number, 10 * number + 9) for number in (1, 2, 3)],
        TRADES: [trade(number) for number in (1, 2, 3)],
        TICKER: [{**ticker("100.5"), "E": now_ms() + number} for number in (1, 2, 3)],
    }[channel]

    async def test() -> None:
        async with raw_feed(dialect_named("binance")) as feed:
            # in this process, for a raw feed knows no names that it could say it cut
            crowd = Crowd(raw(feed, channel, clients=4, recovery_hold=0.1), lambda report: None)
            running = asyncio.create_task(crowd.run())
            await until(lambda: len(feed.listening(channel)) == 4)
            for message in messages[:2]:
                await feed.publish(channel, message)
            await until(lambda: received(crowd) == 8)
            feed.welcome = [(channel, messages[1])]
            at = time.time()
            await feed.cut()
            crowd.fault(Fault(at=at, back_at=at, within=30.0, clients=tuple(crowd._by_id)))
            await until(lambda: received(crowd) == 12)
            assert stages(crowd) == {"cut": 4, "subscribed": 4, "fresh": 0}
            await feed.publish(channel, messages[2])
            await until(lambda: stages(crowd)["fresh"] == 4)
            await until(lambda: crowd.tally.reconnection.metrics(time.time())["reconnect.recovered"] == 4)
            crowd.stop()
            done = await running
        assert done.metrics["reconnect.success_rate"] == 1
        assert done.metrics["connections.receiving"] == done.metrics["connections.closed"] == 4
        assert done.metrics.get("ordering.duplicates", 0) == done.metrics.get("ordering.gaps", 0) == 0
        assert done.channels == dict(feed.sent)

    run(test)


def received(crowd: Crowd) -> int:
    """Messages so far."""
    crowd.tally.fold()
    return crowd.tally.received


def stages(crowd: Crowd) -> dict[str, int]:
    """How far the clients came that were cut."""
    funnel = crowd.tally.reconnection.funnel(time.time())
    assert funnel is not None
    return {"cut": funnel.cut, "subscribed": funnel.subscribed.clients, "fresh": funnel.fresh.clients}


def test_clients_are_told_apart_by_what_they_asked_for() -> None:
    """The same bytes are of another channel for who asked for another: only that tells in this dialect."""

    async def test() -> None:
        fast, slow = "btcusdt@depth5@100ms", "btcusdt@depth5"
        async with feed_and_swarm(fast, slow, clients=2, spread=True) as (feed, swarm):
            watched = Watched(swarm)
            await watched.measuring()
            for number in range(1, 4):
                for channel in (fast, slow):
                    await feed.publish(channel, {"lastUpdateId": number, "bids": [], "asks": []})
            await watched.until(lambda metrics: metrics["messages.received"] == 6)
            done = await watched.stop()
        assert done.channels == dict(feed.sent) == {fast: 3, slow: 3}

    run(test)


def test_what_the_url_asks_for_is_not_asked_for_again() -> None:
    async def test() -> None:
        async with raw_feed(dialect_named("binance")) as feed:
            feed.url += f"/{TRADES}"
            given = {"target": {"headers": (("X-MBX-APIKEY", "mine"),)}}
            async with RemoteSwarm(raw(feed, TRADES, clients=2, **given)) as swarm:
                watched = Watched(swarm)
                await watched.measuring()
                await feed.publish(TRADES, trade(1))
                await watched.until(lambda metrics: metrics["messages.received"] == 2)
                done = await watched.stop()
        assert feed.paths == [f"/ws/{TRADES}"] * 2
        assert feed.headers[0]["X-MBX-APIKEY"] == "mine"
        assert feed.received == []
        assert done.metrics["connections.subscribed"] == done.metrics["acks.ok"] == 2

    run(test)


def test_a_refused_subscription_is_measured() -> None:
    async def test() -> None:
        channels = [f"s{number}@trade" for number in range(1_025)]  # one more than a connection may have
        async with feed_and_swarm(*channels, clients=2) as (_, swarm):
            watched = Watched(swarm)
            await watched.measuring()
            done = await watched.stop()
        assert done.metrics["acks.refused"] == done.metrics["errors"] == 2
        assert done.metrics["acks.ok"] == done.metrics["connections.subscribed"] == 0
        assert any("subscribe was refused: Too many subscriptions (code 4)" in note for note in done.notes)

    run(test)


QUIET = """\
name: quiet
subscribe: {frame: {op: sub, topics: "{channels}"}}
keep_alive: {every: 300ms, send: ping, answer: pong}
message: {channel: "{topic}", seq: n, scheme: counter, time: at, time_unit: s}
"""


def test_a_dialect_that_acknowledges_nothing_is_taken_at_its_word_and_kept_alive(tmp_path: Path) -> None:
    async def test() -> None:
        file = tmp_path / "quiet.yaml"
        file.write_text(QUIET)
        async with feed_and_swarm("a", "b", clients=3, dialect=str(file)) as (feed, swarm):
            watched = Watched(swarm)
            await watched.measuring()
            assert watched.latest["connections.subscribed"] == 3
            for number in range(1, 6):
                for topic in "ab":
                    await feed.publish(topic, {"topic": topic, "n": number, "at": time.time()})
            await until(lambda: feed.received.count("ping") >= 6)
            await watched.until(lambda metrics: metrics["messages.received"] == feed.sent.total() == 30)
            done = await watched.stop()
        assert done.metrics["ordering.gaps"] == done.metrics["errors"] == 0
        assert done.metrics["fanout.reach"] == 1
        assert done.metrics["latency.max"] < 5
        assert not done.notes

    run(test)


def test_a_frame_that_is_not_of_the_dialect_ends_the_connection() -> None:
    async def test() -> None:
        async with feed_and_swarm(TRADES, clients=2, reconnect=Reconnect(attempts=0)) as (feed, swarm):
            watched = Watched(swarm)
            await watched.measuring()
            for connection in feed.connections:
                await connection.send("<html>")
            await watched.until(lambda metrics: metrics["errors"] == 2)
            done = await watched.stop()
        assert done.metrics["connections.closed"] == 2
        assert any("it sent a frame that is not binance: " in note for note in done.notes)

    run(test)


def test_a_dialect_that_socketio_carries(background: Background, tmp_path: Path) -> None:
    """Its events are read by its file, and their order judged by its schemes."""
    file = tmp_path / "bourse.yaml"
    file.write_text(BOURSE)
    asked = Subscription("listen", ("ticks.BTCUSDT",), ({"pairs": ["BTCUSDT"]}, 2))

    async def test(url: str) -> None:
        given = {"target": {"dialect": str(file)}, "subscriptions": (asked,)}
        async with RemoteSwarm(options(url, clients=1, **given)) as swarm:
            watched = Watched(swarm)
            await watched.until(lambda metrics: metrics["messages.received"] == 4)
            done = await watched.stop()
        assert done.channels == {"ticks.BTCUSDT": 4}
        assert (done.metrics["ordering.gaps"], done.metrics["ordering.missing"]) == (1, 2)
        assert done.metrics["acks.ok"] == done.metrics["connections.subscribed"] == 1
        assert [finding.message for finding in done.findings] == [
            "seqs 3 to 4 never came on ticks.BTCUSDT; expected between 2 and 5"
        ]

    with Bourse(background, [[("tick", tick(number)) for number in (1, 2, 5, 6)]]) as bourse:
        run(lambda: test(bourse.url))
        assert bourse.asked == [("listen", ({"pairs": ["BTCUSDT"]}, 2))]


@pytest.mark.parametrize("status", [401, 403])
def test_a_feed_that_lets_nobody_in(status: int) -> None:
    async def serve(line: Line) -> None:
        await line.reader.readuntil(b"\r\n\r\n")
        line.writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)
        await line.gone()

    async def test() -> None:
        async with stranger(serve, upgrade=False) as url:
            given = {"target": {"dialect": "binance"}, "subscriptions": (Subscription("subscribe", (TRADES,)),)}
            async with RemoteSwarm(options(url, clients=2, **given)) as swarm:
                watched = Watched(swarm)
                await watched.measuring()
                done = await watched.stop()
        assert done.metrics["connections.refused"] == 2
        assert done.metrics["connections.opened"] == done.metrics["errors"] == 0

    run(test)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": {"dialect": "binanse"}}, "unknown dialect 'binanse'"),
        ({"target": {"token": "t"}}, "binance takes no token"),
        ({"tokens": ("t",), "users": ("ann",)}, "binance takes no token"),
        ({"dialect": "kraken-v1"}, "kraken-v1 has no channel 'btcusdt@trade'"),
    ],
)
def test_what_cannot_be_done(given: dict[str, Any], message: str) -> None:
    async def test() -> None:
        feed = RawFeed(dialect_named("binance"))
        feed.url = "ws://127.0.0.1:1/ws"
        async with RemoteSwarm(raw(feed, TRADES, **given)) as swarm:
            with pytest.raises(UsageError, match=message):
                await anext(swarm)

    run(test)

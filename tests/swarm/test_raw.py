"""Swarms on raw feeds: whatever they count must be what was sent, in every dialect and scheme."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.server.served import run
from tests.swarm.raw_feeds import RawFeed, raw_feed
from tests.swarm.swarms import Watched, options

from wsctl.client.subscription import Subscription
from wsctl.swarm.options import SwarmOptions
from wsctl.swarm.remote import RemoteSwarm
from wsctl.wire.dialects import dialect_named

DEPTH, TRADES, TICKER = "btcusdt@depth@100ms", "btcusdt@aggTrade", "btcusdt@ticker"
"""of the schemes range, monotonic and none"""


def raw(feed: RawFeed, *channels: str, dialect: str = "binance", **given: Any) -> SwarmOptions:
    """A small swarm on a raw feed."""
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


def now_ms() -> int:
    return int(time.time() * 1000)


def depth(first: int, last: int) -> dict[str, Any]:
    bids = [["100.0", str(last)]]
    return {"e": "depthUpdate", "E": now_ms(), "s": "BTCUSDT", "U": first, "u": last, "b": bids, "a": []}


def trade(id: int) -> dict[str, Any]:
    return {"e": "aggTrade", "E": now_ms(), "s": "BTCUSDT", "a": id, "p": "100.5", "q": "1", "T": now_ms(), "m": True}


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

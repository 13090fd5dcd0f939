"""A Feed against real servers: subscriptions, reconnects, giving up, and what it tells about it."""

import asyncio
import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from peers_feeds import Background, Peer, Relay, price

from wsctl.client import feed as feed_module
from wsctl.client.feed import Feed, Subscription
from wsctl.client.target import Reconnect, Target
from wsctl.errors import Gone, Refused, Unreachable, Unserved, WsctlError
from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.model.observation import Observation
from wsctl.wire.payload import EventReader

Run = Callable[[Any], Any]
Item = Observation | Lifecycle

QUICK = Reconnect(delay=0.02, delay_max=0.1)
BTC = Subscription("price:subscribe", ("BTC/USDT",))


def make(url: str, *subscriptions: Subscription, **options: Any) -> Feed:
    return Feed(Target(url=url), subscriptions or (BTC,), **{"reconnect": QUICK, "random": Random(7), **options})


async def read_until(feed: Feed, last: Callable[[Item], bool]) -> list[Item]:
    """Everything up to the item that satisfies `last`."""
    items: list[Item] = []
    async for item in feed:
        items.append(item)
        if last(item):
            return items
    raise AssertionError(f"ended before: {items}")


async def read_all(feed: Feed) -> tuple[list[Item], Exception | None]:
    """Everything, and the error that ended it."""
    items: list[Item] = []
    try:
        async for item in feed:
            items.append(item)
    except WsctlError as error:
        return items, error
    return items, None


def stage(name: Stage) -> Callable[[Item], bool]:
    return lambda item: isinstance(item, Lifecycle) and item.stage is name


def seq(number: int) -> Callable[[Item], bool]:
    return lambda item: isinstance(item, Observation) and item.seq == number


def stages(items: list[Item]) -> list[tuple[str, str]]:
    return [(item.conn, item.stage.value) for item in items if isinstance(item, Lifecycle)]


def test_subscribes_and_delivers(background: Background, run: Run) -> None:
    async def main() -> None:
        async with make(peer.url, client_id="me") as feed:
            items = await read_until(feed, stage(Stage.SUBSCRIBED))
            await asyncio.to_thread(peer.emit, "price:update", price("BTC/USDT", 2))
            items += await read_until(feed, seq(2))
            assert feed.transport == "websocket"
            await feed.close()
            rest, error = await read_all(feed)
        assert stages(items + rest) == [
            ("c1", "attempt"),
            ("c1", "joined"),
            ("c1", "subscribed"),
            ("c1", "closed"),
        ]
        assert error is None
        seen = [item for item in items if isinstance(item, Observation)]
        assert [(item.conn, item.channel, item.seq, item.epoch) for item in seen] == [
            ("c1", "symbol:BTC/USDT:ticker", 1, "e1"),
            ("c1", "symbol:BTC/USDT:ticker", 2, "e1"),
        ]
        assert seen[0].latency_ms is None, "a snapshot is no latency sample"
        assert seen[1].latency_ms is not None
        assert 0 <= seen[1].latency_ms < 1000
        assert peer.handshakes == [{"client": "me"}]

    with Peer(background) as peer:
        run(main())


def test_a_server_that_does_not_acknowledge(background: Background, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsctl.client.subscription.ACK_TIMEOUT", 0.1)

    async def main() -> None:
        async with make(peer.url) as feed:
            items = await read_until(feed, stage(Stage.SUBSCRIBED))
            subscribed = items[-1]
            assert isinstance(subscribed, Lifecycle)
            assert subscribed.reason == "price:subscribe was not acknowledged"
            await asyncio.to_thread(peer.emit, "price:update", price("BTC/USDT", 2))
            await read_until(feed, seq(2))
            assert feed.clock_offset is None

    with Peer(background, acks=False) as peer:
        run(main())


def test_a_killed_server_comes_back(background: Background, run: Run) -> None:
    async def main() -> None:
        async with make(peer.url, client_id="me") as feed:
            await read_until(feed, stage(Stage.SUBSCRIBED))
            await asyncio.to_thread(peer.stop)
            items = await read_until(feed, stage(Stage.FAILED))
            await asyncio.to_thread(peer.restart)
            items += await read_until(feed, stage(Stage.SUBSCRIBED))
            await asyncio.to_thread(peer.emit, "price:update", price("BTC/USDT", 9))
            items += await read_until(feed, seq(9))
            assert items[-1].conn == "c1.2"
            assert feed.reconnects == 1
        cut = items[0]
        assert isinstance(cut, Lifecycle)
        assert (cut.conn, cut.stage, cut.reason) == ("c1", Stage.CUT, "connection lost")
        assert cut.delay is not None
        failed = next(item for item in items if stage(Stage.FAILED)(item))
        assert (failed.conn, failed.reason) == ("c1.2", f"{peer.url}: connection refused")
        assert peer.subscribed == [["BTC/USDT"], ["BTC/USDT"]]
        assert [auth["client"] for auth in peer.handshakes] == ["me", "me"]

    with Peer(background) as peer:
        peer.restart = lambda: background.run(peer._start())
        run(main())


def test_half_open_reconnects(background: Background, run: Run) -> None:
    async def main() -> None:
        async with make(relay.url) as feed:
            await read_until(feed, stage(Stage.SUBSCRIBED))
            relay.stall()
            items = await read_until(feed, stage(Stage.CUT))
            assert isinstance(items[-1], Lifecycle)
            assert items[-1].reason == "nothing received for 1.3 s, not even a ping"

    with (
        Peer(background, ping_interval=1, ping_timeout=0.3) as peer,
        Relay(background, peer.port) as relay,
    ):
        run(main())


def test_a_plain_disconnect_by_the_server_reconnects(background: Background, run: Run) -> None:
    async def main() -> None:
        async with make(peer.url) as feed:
            await read_until(feed, stage(Stage.SUBSCRIBED))
            await asyncio.to_thread(peer.drop)
            items = await read_until(feed, stage(Stage.SUBSCRIBED))
            assert stages(items) == [
                ("c1", "cut"),
                ("c1.2", "attempt"),
                ("c1.2", "joined"),
                ("c1.2", "subscribed"),
            ]

    with Peer(background) as peer:
        run(main())


def test_closing_for_good(background: Background, run: Run) -> None:
    async def main() -> None:
        async with make(peer.url) as feed:
            await read_until(feed, stage(Stage.SUBSCRIBED))
            await asyncio.to_thread(peer.drop, {"reason": "evicted", "retry": False})
            items, error = await read_all(feed)
        assert isinstance(error, Gone)
        assert error.message == "the server closed this connection for good: evicted"
        assert [item.event for item in items if isinstance(item, Observation)] == ["connection:closing"]
        cut = items[-1]
        assert isinstance(cut, Lifecycle)
        assert (cut.stage, cut.delay) == (Stage.CUT, None)
        assert cut.reason == "disconnected by the server (evicted)"

    with Peer(background) as peer:
        run(main())


def test_closing_for_good_and_coming_back_anyway(background: Background, run: Run) -> None:
    async def main() -> None:
        policy = Reconnect(delay=0.02, delay_max=0.1, always=True)
        async with make(peer.url, reconnect=policy) as feed:
            await read_until(feed, stage(Stage.SUBSCRIBED))
            await asyncio.to_thread(peer.drop, {"reason": "evicted", "retry": False})
            await read_until(feed, stage(Stage.SUBSCRIBED))
            assert feed.reconnects == 1

    with Peer(background) as peer:
        run(main())


def test_closing_with_a_time_to_come_back(background: Background, run: Run) -> None:
    async def main() -> None:
        async with make(peer.url) as feed:
            await read_until(feed, stage(Stage.SUBSCRIBED))
            closing = {"reason": "shutdown", "retry": True, "retryAfterMs": 150}
            await asyncio.to_thread(peer.drop, closing)
            items = await read_until(feed, stage(Stage.CUT))
            cut = items[-1]
            assert isinstance(cut, Lifecycle)
            assert cut.delay is not None
            assert 0.15 <= cut.delay <= 0.17
            items = await read_until(feed, stage(Stage.JOINED))
            assert items[-1].at - cut.at >= 0.15  # type: ignore[union-attr]

    with Peer(background) as peer:
        run(main())


def test_gives_up(background: Background, run: Run) -> None:
    async def main() -> None:
        policy = Reconnect(attempts=3, delay=0.01, delay_max=0.02)
        async with make(peer.url, reconnect=policy) as feed:
            await read_until(feed, stage(Stage.SUBSCRIBED))
            await asyncio.to_thread(peer.stop)
            items, error = await read_all(feed)
        assert isinstance(error, Gone)
        assert error.message == f"gave up after 3 attempts: {peer.url}: connection refused"
        assert stages(items) == [("c1", "cut"), *[("c1.2", "attempt"), ("c1.2", "failed")] * 3]

    with Peer(background) as peer:
        run(main())


def test_reconnecting_can_be_off(background: Background, run: Run) -> None:
    async def main() -> None:
        async with make(peer.url, reconnect=Reconnect(attempts=0)) as feed:
            await read_until(feed, stage(Stage.SUBSCRIBED))
            await asyncio.to_thread(peer.stop)
            _, error = await read_all(feed)
        assert isinstance(error, Gone)
        assert error.message == "the connection ended and is not tried again: connection lost"

    with Peer(background) as peer:
        run(main())


def test_an_expired_token_ends_it_at_once(background: Background, run: Run) -> None:
    async def main() -> None:
        async with Feed(Target(url=peer.url, token="old"), [BTC], reconnect=QUICK) as feed:
            await read_until(feed, stage(Stage.SUBSCRIBED))
            peer.token = "new"
            await asyncio.to_thread(peer.drop)
            items, error = await read_all(feed)
        assert isinstance(error, Refused)
        assert "Authentication error" in error.message
        assert stages(items)[-1] == ("c1.2", "failed")

    with Peer(background, token="old") as peer:
        run(main())


def test_the_first_attempt_is_the_only_one(background: Background, run: Run) -> None:
    async def main() -> None:
        async with make("http://127.0.0.1:1") as feed:
            items, error = await read_all(feed)
        assert isinstance(error, Unreachable)
        assert stages(items) == [("c1", "attempt"), ("c1", "failed")]
        async with make(peer.url) as feed:
            _, error = await read_all(feed)
        assert isinstance(error, Refused)

    with Peer(background, token="secret") as peer:
        run(main())


def test_unknown_symbols(background: Background, run: Run) -> None:
    async def main() -> None:
        async with make(peer.url, Subscription("price:subscribe", ("BTC/USD", "X/Y"))) as feed:
            _, error = await read_all(feed)
        assert isinstance(error, Unserved)
        assert (str(error), error.codes) == ("unknown symbol BTC/USD, X/Y", ("unknown_symbol",))
        async with make(peer.url, Subscription("price:subscribe", ("BTC/USDT", "X/Y"))) as feed:
            items = await read_until(feed, stage(Stage.SUBSCRIBED))
            assert isinstance(items[-1], Lifecycle)
            assert (items[-1].reason, items[-1].refused) == ("unknown symbol X/Y", ("unknown_symbol",))

    with Peer(background) as peer:
        run(main())


def test_symbols_that_vanish_later_are_reported(background: Background, run: Run) -> None:
    async def main() -> None:
        async with make(peer.url) as feed:
            await read_until(feed, stage(Stage.SUBSCRIBED))
            peer.symbols = ()
            await asyncio.to_thread(peer.drop)
            items = await read_until(feed, stage(Stage.SUBSCRIBED))
            assert isinstance(items[-1], Lifecycle)
            assert items[-1].reason == "unknown symbol BTC/USDT"

    with Peer(background) as peer:
        run(main())


def test_access_denied(background: Background, run: Run) -> None:
    async def main() -> None:
        peer.refusal = {"ok": False, "code": "auth_required", "message": "a token is needed"}
        async with make(peer.url) as feed:
            _, error = await read_all(feed)
        assert isinstance(error, Refused)
        assert error.message == "price:subscribe was refused: a token is needed"

    with Peer(background) as peer:
        run(main())


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_latencies_are_corrected_for_the_servers_clock(background: Background, run: Run, ahead: float) -> None:
    async def main() -> None:
        async with make(peer.url) as feed:
            await read_until(feed, stage(Stage.SUBSCRIBED))
            while feed.clock_offset is None:  # noqa: ASYNC110 (no item says so)
                await asyncio.sleep(0.001)
            assert abs(feed.clock_offset.offset - ahead) <= feed.clock_offset.bound + 0.001
            await asyncio.to_thread(peer.emit, "price:update", price("BTC/USDT", 2, ahead=ahead))
            items = await read_until(feed, seq(2))
            latency = items[-1].latency_ms  # type: ignore[union-attr]
            assert latency is not None
            assert 0 <= latency < 500
            assert feed.incomparable == 0

    with Peer(background, clock_ahead=ahead) as peer:
        run(main())


def test_latencies_that_cannot_be(background: Background, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with make(peer.url, Subscription("echo", ("x",))) as feed:
            await read_until(feed, stage(Stage.SUBSCRIBED))
            await asyncio.to_thread(peer.emit, "price:update", price("BTC/USDT", 2, ahead=60))
            items = await read_until(feed, seq(2))
            assert items[-1].latency_ms is None  # type: ignore[union-attr]
            assert feed.incomparable == 1

    with Peer(background) as peer:
        run(main())


def test_a_reader_that_falls_behind(background: Background, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "QUEUE_LIMIT", 20)

    async def main() -> None:
        async with make(peer.url) as feed:
            await read_until(feed, stage(Stage.SUBSCRIBED))
            for number in range(2, 40):
                await asyncio.to_thread(peer.emit, "price:update", price("BTC/USDT", number))
            items, error = await read_all(feed)
        assert isinstance(error, WsctlError)
        assert error.message == "fell behind: 20 messages wait to be read and the feed goes on"
        got = [item.seq for item in items if isinstance(item, Observation)]
        assert got == list(range(2, 22)), "what came before the overflow is complete"

    with Peer(background) as peer:
        run(main())


def test_a_reader_path_that_fails_ends_the_feed(background: Background, run: Run) -> None:
    async def main() -> None:
        reader = EventReader(seq_path="abs(symbol)")  # parses, and fails on every message
        async with make(peer.url, reader=reader) as feed:
            with pytest.raises(Exception, match="abs"):
                async for _ in feed:
                    pass

    with Peer(background) as peer:
        run(main())


def test_polling_fallback_is_said_once_and_kept(background: Background, run: Run) -> None:
    async def main() -> None:
        async with make(relay.url) as feed:
            items = await read_until(feed, stage(Stage.JOINED))
            joined = items[-1]
            assert isinstance(joined, Lifecycle)
            assert joined.transport == "polling"
            assert joined.reason is not None
            assert joined.reason.startswith("no WebSocket, so long-polling: ")
            await read_until(feed, stage(Stage.SUBSCRIBED))
            await asyncio.to_thread(peer.drop)
            items = await read_until(feed, stage(Stage.JOINED))
            assert isinstance(items[-1], Lifecycle)
            assert (items[-1].transport, items[-1].reason) == ("polling", None)
            assert relay.blocked == 1

    with Peer(background) as peer, Relay(background, peer.port, block="403") as relay:
        run(main())


@pytest.mark.parametrize("until", [Stage.ATTEMPT, Stage.JOINED, Stage.SUBSCRIBED, Stage.CUT, Stage.FAILED])
def test_leaving_at_every_stage(background: Background, run: Run, until: Stage) -> None:
    """`run` checks that no task is left."""

    async def main() -> None:
        policy = Reconnect(delay=5 if until in (Stage.CUT, Stage.FAILED) else 0.01, delay_max=5)
        async with make(peer.url, reconnect=policy, random=Low()) as feed:
            if until in (Stage.CUT, Stage.FAILED):
                await read_until(feed, stage(Stage.SUBSCRIBED))
                await asyncio.to_thread(peer.stop)
            await read_until(feed, stage(until))

    with Peer(background) as peer:
        run(main())


class Low(Random):
    """Chance that always waits one millisecond."""

    def uniform(self, a: float, b: float) -> float:
        return 0.001


@pytest.mark.parametrize("delay", [0.0, 0.005, 0.02, 0.05])
def test_cancelled_while_iterating(background: Background, run: Run, delay: float) -> None:
    async def watch() -> None:
        async with make(peer.url) as feed:
            async for _ in feed:
                pass

    async def main() -> None:
        task = asyncio.create_task(watch())
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Peer(background) as peer:
        run(main())


def test_two_feeds_do_not_share(background: Background, run: Run) -> None:
    async def main() -> None:
        async with make(peer.url) as one, make(peer.url, client_name="c2") as two:
            await read_until(one, stage(Stage.SUBSCRIBED))
            items = await read_until(two, stage(Stage.SUBSCRIBED))
            assert {item.conn for item in items} == {"c2"}
        first, second = peer.handshakes
        assert first["client"] != second["client"]

    with Peer(background) as peer:
        run(main())


def test_events_of_others(background: Background, run: Run) -> None:
    async def main() -> None:
        async with Feed(Target(url=peer.url)) as feed:
            await read_until(feed, stage(Stage.SUBSCRIBED))
            await asyncio.to_thread(peer.emit, "tick", "text", 2)
            await asyncio.to_thread(peer.emit, "bye")
            items = await read_until(feed, lambda item: isinstance(item, Observation) and item.event == "bye")
            tick = next(item for item in items if isinstance(item, Observation))
            assert (tick.event, tick.data, tick.seq, tick.latency_ms) == ("tick", ["text", 2], None, None)
            assert json.dumps(tick.data)

    with Peer(background) as peer:
        run(main())

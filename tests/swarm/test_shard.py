"""A shard, in the test's own process, against a real feed: who comes and goes, what is counted, and from where."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.peers.markets import depth
from tests.swarm.raw_feeds import raw_feed
from tests.swarm.strangers import OPEN, Line, stranger

from wsctl.client.subscription import Subscription
from wsctl.client.target import Reconnect, Target
from wsctl.clock import Clock
from wsctl.server.app import MockFeed
from wsctl.server.options import ServeOptions
from wsctl.swarm import shard as shard_module
from wsctl.swarm.clocks import SAME_HOST, Basis
from wsctl.swarm.delta import Sums
from wsctl.swarm.shard import MOST_SETTING_OUT, Shard
from wsctl.swarm.shard_messages import (
    Counted,
    Emit,
    Enter,
    Flush,
    Heard,
    Leave,
    Report,
    ShardOptions,
    Subscribe,
    Unsubscribe,
)
from wsctl.wire.dialects import dialect_named

WAIT = 20.0
"""seconds; nothing here takes one"""
SYMBOLS = ("A/B", "C/D")
A, C = (Subscription("price:subscribe", (symbol,)) for symbol in SYMBOLS)
NO_A = Subscription("price:unsubscribe", ("A/B",))


@pytest.fixture(autouse=True)
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard tells what it counted five times a second, and not once."""
    monkeypatch.setattr(shard_module, "TELL_EVERY", 2)


class Reported:
    """What a shard reported, added up."""

    def __init__(self) -> None:
        self.sums = Sums()
        self.levels: dict[str, float] = {}
        self.clock: Basis | None = None
        self.entered: set[int] = set()
        self.failed: dict[int, str] = {}
        self.answers: dict[int, tuple[object, str | None]] = {}
        self.flushed: set[int] = set()
        self._more = asyncio.Event()

    def take(self, report: Report) -> None:
        """A report."""
        match report:
            case Heard(entered=entered, failed=failed, answers=answers):
                self.entered.update(entered)
                self.failed.update(failed)
                self.answers.update({call: (body, error) for call, body, error in answers})
            case Counted(delta=delta, flush=flush):
                self.sums.add(delta)
                self.levels, self.clock = delta.levels, delta.clock
                self.flushed.add(flush if flush is not None else -1)
        self._more.set()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for reports that fulfil something."""
        async with asyncio.timeout(WAIT):
            while not condition():
                self._more.clear()
                await self._more.wait()


Scene = Callable[[Shard, Reported, MockFeed], Awaitable[None]]


class Ahead:
    """The clock of a feed on another machine; `by` so many seconds, behind if that is negative."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self, by: float) -> None:
        self.by = by

    def now(self) -> float:
        return time.time() + self.by


def play(
    scene: Scene,
    *,
    addresses: tuple[str, ...] = (),
    connect_rate: float = 500,
    clock: Clock | None = None,
    **served: object,
) -> None:
    """A shard on a feed of two symbols."""

    async def main() -> None:
        told = Reported()
        options = ServeOptions(port=0, symbols=SYMBOLS, rate=50, control=True, **served)  # type: ignore[arg-type]
        async with MockFeed(options, clock=clock) as feed:
            target = Target(url=feed.url, direct=True)
            asked = ShardOptions(
                target=target, reconnect=Reconnect(attempts=0), addresses=addresses, connect_rate=connect_rate
            )
            shard = Shard(asked, told.take)
            running = asyncio.create_task(shard.run())
            try:
                await scene(shard, told, feed)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


async def settle(shard: Shard, told: Reported, feed: MockFeed) -> dict[str, int]:
    """Stop the prices, let everything arrive, and answer what the server's ledger says."""
    feed.prices.pause()
    sent = {name: channel["delivered"] for name, channel in feed.platform.hub.ledger().items() if channel["delivered"]}
    number = 0

    def arrived() -> bool:
        nonlocal number
        if dict(told.sums.channels) == sent:
            return True
        number += 1
        shard.handle(Flush(number=number))
        return dict(told.sums.channels) == sent

    await told.until(arrived)
    return sent


def test_what_is_counted_is_what_was_sent() -> None:
    """Of clients that came at different times, asked for more, gave up, and asked again; nothing counts as lost."""

    async def scene(shard: Shard, told: Reported, feed: MockFeed) -> None:
        for user in range(6):
            shard.handle(Enter(user=user, subscriptions=(A,) if user % 2 else (A, C)))
        await told.until(lambda: len(told.entered) == 6)
        shard.handle(Subscribe(user=1, call=1, subscription=C))
        shard.handle(Unsubscribe(user=2, call=2, subscription=NO_A))
        await told.until(lambda: {1, 2} <= told.answers.keys())
        shard.handle(Subscribe(user=2, call=3, subscription=A))
        shard.handle(Emit(user=3, call=4, event="time:sync"))
        await told.until(lambda: {3, 4} <= told.answers.keys() and told.sums.counts["received"] > 200)
        sent = await settle(shard, told, feed)
        assert sum(sent.values()) > 100
        counts = told.sums.counts
        assert (counts["asked"], counts["opened"], counts["subscribed"], told.levels["open"]) == (6, 6, 6, 6)
        assert {name: counts[f"ordering.{name}"] for name in ("gaps", "duplicates", "reorders", "regressions")} == {
            "gaps": 0, "duplicates": 0, "reorders": 0, "regressions": 0,
        }  # fmt: skip
        assert told.answers[1] == ({"ok": True, "subscribed": ["C/D"]}, None)
        assert told.sums.times["connect"].count == 6
        assert told.sums.times["acknowledge"].count == 9 + 4, "none of the questions that are the shard's own"
        assert told.clock == SAME_HOST
        assert told.sums.times["latency"].count == sum(sent.values())

    play(scene)


@pytest.mark.parametrize("ahead", [250.0, -3600.0])
def test_latencies_are_corrected_for_the_feeds_clock(ahead: float) -> None:
    """Each shard's by what it measured itself; that the feed's address is one of this machine is no proof."""

    async def scene(shard: Shard, told: Reported, feed: MockFeed) -> None:
        shard.handle(Enter(user=1))
        await told.until(lambda: told.clock not in (None, SAME_HOST))
        shard.handle(Enter(user=2, subscriptions=(A,)))
        await told.until(lambda: "latency" in told.sums.times and told.sums.times["latency"].count > 20)
        assert told.clock is not None
        assert told.clock.offset == pytest.approx(ahead, abs=1.0)
        assert 0 < told.clock.error < 1.0
        latencies = told.sums.times["latency"]
        assert 0 <= latencies.min <= latencies.max < 20
        assert told.sums.counts["incomparable"] == 0

    play(scene, clock=Ahead(ahead))


def test_a_clock_that_is_set_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """By way of somebody else, where who was asked first is gone; what the error was is not forgotten."""
    monkeypatch.setattr(shard_module, "is_loopback", lambda target: False)
    monkeypatch.setattr(shard_module, "COMPARE_AFTER", 0.05)
    monkeypatch.setattr(shard_module, "COMPARE_EVERY", 0.05)
    clock = Ahead(0.0)

    async def scene(shard: Shard, told: Reported, feed: MockFeed) -> None:
        shard.handle(Enter(user=1, subscriptions=(A,)))
        await told.until(lambda: told.sums.times.get("latency"))
        assert told.sums.times["latency"].max < 20
        assert told.clock is not None
        assert told.clock.error < 1.0
        shard.handle(Leave(user=1))
        shard.handle(Enter(user=2))
        clock.by = 60.0
        await told.until(lambda: told.clock is not None and told.clock.offset > 59.0)
        assert told.clock is not None
        assert told.clock.error == pytest.approx(60.0, abs=1.0)

    play(scene, clock=clock)


@pytest.mark.parametrize("here", [True, False])
def test_a_raw_feed_elsewhere_has_no_latencies(monkeypatch: pytest.MonkeyPatch, here: bool) -> None:
    """It cannot be asked for its time; on this machine there is one clock."""
    monkeypatch.setattr(shard_module, "is_loopback", lambda target: here)
    channel = "btcusdt@depth"

    async def main() -> None:
        told = Reported()
        async with raw_feed(dialect_named("binance")) as feed:
            target = Target(url=feed.url, dialect="binance", direct=True)
            shard = Shard(ShardOptions(target=target), told.take)
            running = asyncio.create_task(shard.run())
            try:
                shard.handle(Enter(user=1, subscriptions=(Subscription("subscribe", (channel,)),)))
                await told.until(lambda: told.levels.get("open"))
                numbers = itertools.count(1)
                async with asyncio.timeout(WAIT):
                    while told.sums.counts["received"] < 3:
                        await feed.publish(channel, depth(number := next(numbers), number))
                        await asyncio.sleep(0.02)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        assert told.clock == (SAME_HOST if here else None)
        assert ("latency" in told.sums.times) is here

    asyncio.run(main())


def test_a_question_that_nobody_answers_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Feeds of others never do: what they are asked again and again must not pile up."""
    monkeypatch.setattr(shard_module, "is_loopback", lambda target: False)
    monkeypatch.setattr(shard_module, "COMPARE_AFTER", 0.05)
    asked_again = asyncio.Event()

    async def silent(line: Line) -> None:
        line.send(OPEN)
        await line.text()
        line.send('40{"sid":"x"}')
        for _ in range(2):
            assert "time:sync" in await line.text()
        asked_again.set()
        await line.gone()

    async def main() -> None:
        told = Reported()
        async with stranger(silent) as url, asyncio.timeout(WAIT):
            shard = Shard(ShardOptions(target=Target(url=url, direct=True)), told.take)
            running = asyncio.create_task(shard.run())
            try:
                shard.handle(Enter(user=1))
                await asked_again.wait()
                assert len(shard._clients[1]._questions) == 1
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        assert told.clock is None

    asyncio.run(main())


def test_who_asks_a_feed_that_never_answers_is_told_and_the_question_forgotten() -> None:
    """Whatever it is: what is asked again and again must not pile up."""

    async def silent(line: Line) -> None:
        await line.join()
        await line.gone()

    async def main() -> None:
        told = Reported()
        async with stranger(silent) as url:
            shard = Shard(ShardOptions(target=Target(url=url, direct=True)), told.take)
            running = asyncio.create_task(shard.run())
            try:
                shard.handle(Enter(user=1, subscriptions=(A,)))
                await told.until(lambda: told.sums.counts["subscribed"])
                shard.handle(Subscribe(user=1, call=1, subscription=C, within=0.01))
                shard.handle(Unsubscribe(user=1, call=2, subscription=NO_A, within=0.01))
                shard.handle(Emit(user=1, call=3, event="what", within=0.01))
                await told.until(lambda: told.answers.keys() == {1, 2, 3} and told.sums.counts["unacknowledged"])
                assert set(told.answers.values()) == {(None, "not acknowledged within 10 ms")}
                assert told.sums.counts["unacknowledged"] == 1, "the subscription"
                assert not [one for one in shard._clients[1]._questions.values() if one.measured]
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_who_has_left_is_forgotten() -> None:
    """Politely or not; its number is nobody's, and its places are given up."""

    async def scene(shard: Shard, told: Reported, feed: MockFeed) -> None:
        for user in range(4):
            shard.handle(Enter(user=user, subscriptions=(A,)))
        await told.until(lambda: len(told.entered) == 4 and told.sums.counts["received"] > 20)
        for user in range(4):
            shard.handle(Leave(user=user, polite=user % 2 == 0))
        shard.handle(Leave(user=9))
        shard.handle(Emit(user=0, call=1, event="time:sync"))
        await told.until(lambda: told.levels.get("users") == 0 and 1 in told.answers)
        assert told.levels["open"] == 0
        assert told.answers[1] == (None, "no such user")
        assert told.sums.counts["closed"] == 0
        assert not shard.tally.ordering._lanes

    play(scene)


def test_who_is_refused_is_told() -> None:
    """And counted with its cause."""

    async def scene(shard: Shard, told: Reported, feed: MockFeed) -> None:
        shard.handle(Enter(user=1, token="nonsense"))
        await told.until(lambda: 1 in told.failed and told.sums.counts["auth.refused"] == 1)
        assert told.failed[1] == "Authentication error"
        assert [count for cause, count in told.sums.causes.items() if "Authentication error" in cause] == [1]

    play(scene)


@pytest.mark.parametrize("addresses", [("127.0.0.1", "127.0.0.2"), ("127.0.0.3",)])
def test_source_addresses_take_turns(addresses: tuple[str, ...]) -> None:
    """As the server sees them."""

    async def scene(shard: Shard, told: Reported, feed: MockFeed) -> None:
        for user in range(4):
            shard.handle(Enter(user=user))
        await told.until(lambda: len(told.entered) == 4)
        seen = sorted(client.address.partition(":")[0] for client in feed.platform.clients.values())
        assert seen == sorted((addresses * 4)[:4])

    play(scene, addresses=addresses)


def test_who_leaves_before_being_in_holds_nobody_up() -> None:
    """However many they were, at a server that accepts connections and says nothing: the next one is dialled."""

    async def main() -> None:
        accepted = 0
        more = asyncio.Event()
        handling: set[asyncio.Task[Any] | None] = set()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal accepted
            accepted += 1
            handling.add(asyncio.current_task())
            more.set()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await reader.read(-1)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

        async def until(count: int) -> None:
            async with asyncio.timeout(WAIT):
                while accepted < count:
                    more.clear()
                    await more.wait()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        target = Target(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", direct=True)
        shard = Shard(ShardOptions(target=target, connect_rate=0), lambda report: None)
        running = asyncio.create_task(shard.run())
        try:
            for user in range(MOST_SETTING_OUT + 10):
                shard.handle(Enter(user=user))
            await until(MOST_SETTING_OUT)
            for user in range(MOST_SETTING_OUT + 10):
                shard.handle(Leave(user=user))
            shard.handle(Enter(user=1000))
            await until(MOST_SETTING_OUT + 1)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            server.close()
            for task in filter(None, handling):
                task.cancel()  # some clients would hold their sockets for as long as they had for a handshake
            await asyncio.gather(*filter(None, handling))

    asyncio.run(main())


def test_who_left_before_its_turn_takes_none() -> None:
    """Nor does who waits for it while it leaves; at five a second 700 turns would take minutes."""

    async def scene(shard: Shard, told: Reported, feed: MockFeed) -> None:
        shard.handle(Enter(user=0))
        await told.until(lambda: told.entered)
        for user in range(1, 700):
            shard.handle(Enter(user=user))
        for user in range(1, 700):
            shard.handle(Leave(user=user))
        shard.handle(Enter(user=1000))
        await told.until(lambda: 1000 in told.entered)
        shard.handle(Enter(user=1001))
        await asyncio.sleep(0)  # it waits for its turn
        shard.handle(Leave(user=1001))
        await asyncio.sleep(0.3)  # it is its turn
        shard.handle(Enter(user=1002))
        await told.until(lambda: 1002 in told.entered)
        shard.handle(Flush(number=1))
        await told.until(lambda: 1 in told.flushed)
        counts = told.sums.counts
        assert (counts["asked"], counts["set_out"], counts["opened"]) == (703, 3, 3)
        assert (counts["left_early"], told.levels["waiting"]) == (0, 0)

    play(scene, connect_rate=5)


@pytest.mark.parametrize("lately", [True, False])
def test_who_leaves_on_the_way_is_told_apart_from_who_was_let_wait(
    monkeypatch: pytest.MonkeyPatch, lately: bool
) -> None:
    """One waits to be let in, the other to be served."""
    monkeypatch.setattr(shard_module, "ON_THE_WAY", 60.0 if lately else 0.0)
    reached: set[int] = set()

    async def silent(line: Line) -> None:
        line.send(OPEN)
        await line.text()
        if line.number == 2:
            line.send('40{"sid":"x"}')
            assert "price:subscribe" in await line.text()
        reached.add(line.number)
        shard.handle(Flush(number=line.number))  # `until` looks again
        await line.gone()

    async def main() -> None:
        nonlocal shard
        told = Reported()
        async with stranger(silent) as url:
            shard = Shard(ShardOptions(target=Target(url=url, direct=True)), told.take)
            running = asyncio.create_task(shard.run())
            try:
                for user in (1, 2):
                    shard.handle(Enter(user=user, subscriptions=(A,)))
                await told.until(lambda: reached == {1, 2})
                for user in (1, 2):
                    shard.handle(Leave(user=user))
                shard.handle(Flush(number=3))
                await told.until(lambda: 3 in told.flushed)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        counts = told.sums.counts
        assert (counts["set_out"], counts["opened"], counts["subscribed"]) == (2, 1, 0)
        assert (counts["left_early"], counts["left_unserved"]) == (lately, lately)

    shard: Shard
    asyncio.run(main())


def test_later_subscriptions_that_are_refused_count() -> None:
    """As those do that a client begins with."""

    async def scene(shard: Shard, told: Reported, feed: MockFeed) -> None:
        shard.handle(Enter(user=1, subscriptions=(A,)))
        await told.until(lambda: told.entered)
        shard.handle(Subscribe(user=1, call=1, subscription=Subscription("price:subscribe", ("NO/SUCH",))))
        await told.until(lambda: told.sums.counts["acks.refused"] == 1)
        assert (told.sums.counts["acks.ok"], told.sums.counts["unserved"]) == (1, 1)

    play(scene)

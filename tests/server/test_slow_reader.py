"""A reader that does not keep up, on real sockets: bounded memory, declared skips, and nobody else the worse for it."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvloop
from served import Conversation, Raw, event_of, feed, joined, polling, raw_websocket, reasons, run, until

from wsctl.checks.ordering import OrderingCheck
from wsctl.model.observation import Observation
from wsctl.server import limits
from wsctl.server import websocket as websocket_module
from wsctl.server.app import MockFeed
from wsctl.server.sockets import UNSENT_LIMIT
from wsctl.wire.payload import EventReader

LIMIT = 64 * 1024
LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
FEED: dict[str, Any] = {"rate": 500.0, "symbols": ("BTC/USDT", "ETH/USDT"), "seed": 3}


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader is behind after little."""
    monkeypatch.setattr(limits, "WRITE_LIMIT", LIMIT)


class Judge:
    """Puts what one client received through the ordering check."""

    def __init__(self) -> None:
        self.check = OrderingCheck()
        self.received = 0
        self.beats: dict[str, int] = {}
        self._reader = EventReader()

    def take(self, name: str, payload: Any) -> None:
        """One event."""
        event = self._reader.read(name, [payload])
        observation = Observation(
            time.time(), "c1", event.channel, name, event.epoch, event.seq, event.sent_at, None, event.data
        )
        self.check.add(observation)
        self.received += event.seq is not None and "snapshot" not in payload
        if name == "channel:heartbeat":
            self.beats[payload["channel"]] = payload["nextSeq"]

    def judge(self, running: MockFeed, channels: list[str]) -> None:
        """Nothing is missing but what was declared, and that is exactly what is missing."""
        self.check.close()
        for name in channels:
            report = self.check.channels[name]
            assert report.objections == 0, (name, report.findings)
            assert report.verdict == "pass"
        assert self.check.metrics()["ordering.skipped"] > 0
        assert self.received == sum(channel.delivered for channel in running.platform.hub.channels.values())


def priced(running: MockFeed) -> list[str]:
    """The channels on which something happens by itself."""
    return [name for name in running.platform.hub.channels if name != "announcement"]


def published(running: MockFeed) -> int:
    """Messages of all channels so far."""
    return sum(channel.seq for channel in running.platform.hub.channels.values())


async def sleep_through(running: MockFeed, connection: Any) -> None:
    """Let the reader fall behind, and then much further; memory stays bounded meanwhile."""
    await until(lambda: connection._stall_timer is not None)
    mark = published(running) + 3000
    while published(running) < mark:
        assert connection._connection.carrier.waiting < LIMIT + 32 * 1024
        assert len(connection._backlog._owed) <= len(running.platform.hub.channels)
        await asyncio.sleep(0.01)


@LOOPS
def test_a_websocket_that_stops_reading_and_goes_on(loop: Any) -> None:
    """What was left out is declared, the newest follows, the ledger is true, the ordering check does not object."""

    async def test() -> None:
        async with feed(**FEED) as running, raw_websocket(running, receive_buffer=4096) as raw:
            channels = priced(running)
            await raw.text("40", f'42["channel:subscribe",{channels!r}]'.replace("'", '"'))
            await until(lambda: running.platform.clients and len(channels) == len(only(running).channels))
            await sleep_through(running, only(running))
            judge = Judge()
            await read_until(raw, judge, lambda: judge.check.metrics().get("ordering.skipped"))
            await read_until(raw, judge, lambda: only(running)._stall_timer is None)
            running.prices.pause()
            last = {
                name: channel.seq + 1 for name, channel in running.platform.hub.channels.items() if name in channels
            }
            await read_until(raw, judge, lambda: caught_up(judge, last, only(running)))
            judge.judge(running, channels)

    run(test, loop_factory=loop)


def only(running: MockFeed) -> Any:
    """The one client there is."""
    (connection,) = running.platform.clients.values()
    return connection


def caught_up(judge: Judge, last: dict[str, int], connection: Any) -> bool:
    """Whether every channel ended for this reader: by a heartbeat, or by the newest message itself."""
    lanes = judge.check._lanes.values()
    return (
        connection._connection.carrier.waiting == 0
        and len(lanes) == len(last)
        and all(lane.last + 1 == last[name] for (_, name), lane in judge.check._lanes.items())
    )


async def read_until(raw: Raw, judge: Judge, enough: Any) -> None:
    """Read frames until a condition holds."""
    while not enough():
        _, data = await raw.read_frame()
        event = event_of(data.decode())
        if event is not None:
            judge.take(*event)
        elif data == b"2":
            await raw.text("3")


@LOOPS
def test_a_poller_that_stops_polling_and_goes_on(loop: Any) -> None:
    """Over polling, too: bounded, declared, complete."""

    async def test() -> None:
        async with feed(**FEED) as running, polling(running) as peer:
            await peer.join()
            channels = priced(running)
            await peer.emit("channel:subscribe", channels)
            await sleep_through(running, only(running))
            judge = Judge()
            taken = feeding(judge, peer)
            running.prices.pause()
            last = {
                name: channel.seq + 1 for name, channel in running.platform.hub.channels.items() if name in channels
            }
            while not caught_up(judge, last, only(running)):
                await peer.more()
                next(taken)
            judge.judge(running, channels)

    run(test, loop_factory=loop)


def feeding(judge: Judge, peer: Conversation) -> Iterator[None]:
    """Hand over what came in since the last time."""
    read = 0
    while True:
        for name, payload in peer.events[read:]:
            judge.take(name, payload)
        read = len(peer.events)
        yield


def test_other_readers_are_unaffected() -> None:
    """While one sleeps, another gets everything."""

    async def test() -> None:
        async with feed(**FEED) as running, joined(running) as other:
            channels = priced(running)
            await other.emit("channel:subscribe", channels)
            async with raw_websocket(running, receive_buffer=4096) as raw:
                await raw.text("40", f'42["channel:subscribe",{channels!r}]'.replace("'", '"'))
                await until(lambda: len(running.platform.clients) == 2)
                sleeper = list(running.platform.clients.values())[1]
                reading = asyncio.create_task(other.gather(lambda: sleeper._stall_timer is not None))
                await reading
                mark = len(other.events) + 2000
                await other.gather(lambda: len(other.events) > mark)
                for name in channels:
                    seqs = [update["seq"] for update in other.of(name)]
                    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
                assert not [name for name, _ in other.events if name == "channel:skipped"]

    run(test)


@LOOPS
def test_a_reader_that_stays_asleep_is_closed(loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past STALL_LIMIT the connection ends: told `slow` and 1012 if it wakes up, dropped if it does not."""
    monkeypatch.setattr(limits, "STALL_LIMIT", 0.2)

    async def test() -> None:
        async with feed(**FEED) as running:
            for wakes in (True, False):
                monkeypatch.setattr(websocket_module, "CLOSE_TIMEOUT", 5.0 if wakes else 0.1)
                async with raw_websocket(running, receive_buffer=4096) as raw:
                    await raw.text("40", '42["channel:subscribe","price:public","symbol:BTC/USDT:orderbook"]')
                    await until(lambda: running.platform.connections)
                    await until(lambda: not running.platform.connections)
                    if wakes:
                        assert await closing(raw) == ({"reason": "slow", "retry": True}, 1012)
                    await until(lambda: not running.platform.sockets)
            assert reasons(running) == ["slow", "slow"]

    run(test, loop_factory=loop)


async def closing(raw: Raw) -> tuple[Any, int]:
    """The notice, and the close code, that end a connection."""
    notice = None
    while True:
        opcode, data = await raw.read_frame()
        if opcode == 8:
            await raw.send(b"\x88\x82\0\0\0\0" + data[:2])
            return notice, int.from_bytes(data[:2])
        event = event_of(data.decode())
        if event is not None and event[0] == "connection:closing":
            notice = event[1]


def test_a_poller_that_stays_away_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past STALL_LIMIT a polling session ends; a poll that comes soon after still brings the notice."""
    monkeypatch.setattr(limits, "STALL_LIMIT", 0.2)

    async def test() -> None:
        async with feed(**FEED) as running, polling(running) as peer:
            await peer.join()
            await peer.emit("channel:subscribe", list(running.platform.hub.channels))
            await until(lambda: not running.platform.connections)
            while "connection:closing" not in dict(peer.events):
                await peer.more()
            assert peer.events[-1] == ("connection:closing", {"reason": "slow", "retry": True})
            assert reasons(running) == ["slow"]

    run(test)


def test_answers_nobody_reads_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that asks and asks and never reads is closed: answers are not conflated, so they are bounded."""
    monkeypatch.setattr(limits, "CLOSE_LIMIT", 4 * LIMIT)

    async def test() -> None:
        async with feed(rate=0.01, max_events=1_000_000) as running, raw_websocket(running, receive_buffer=4096) as raw:
            await raw.text("40")
            await until(lambda: running.platform.clients)
            connection = only(running)
            question = '421["price:unsubscribe","' + "x" * 2000 + '"]'
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(10):
                    while connection._connection.carrier is not None:
                        await raw.text(question)
                        assert (
                            connection._connection.carrier is None or connection._connection.carrier.waiting < 5 * LIMIT
                        )
            assert reasons(running) == ["slow"]

    run(test)


def test_a_request_too_big_for_its_reader_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the snapshots of a subscription are too much for a reader, no channel keeps the closed connection."""
    monkeypatch.setattr(limits, "CLOSE_LIMIT", 2000)

    async def test() -> None:
        symbols = tuple(f"COIN{number}/USDT" for number in range(50))
        async with feed(rate=100.0, symbols=symbols) as running, polling(running) as peer:
            await until(lambda: all(running.platform.hub.channels[name].seq for name in priced(running)))
            await peer.join()
            await peer.send(
                '420["channel:subscribe",["symbol:' + ':orderbook","symbol:'.join(symbols) + ':orderbook"]]'
            )
            assert reasons(running) == ["slow"]
            assert not any(channel.subscribers() for channel in running.platform.hub.channels.values())

    run(test)


def test_no_heartbeat_runs_ahead_of_what_is_owed() -> None:
    """A channel on which messages are owed gets no heartbeat: it would announce them as lost."""

    async def test() -> None:
        async with feed(**FEED) as running, polling(running) as peer:
            await peer.join()
            await peer.emit("channel:subscribe", "price:public")
            await until(lambda: only(running)._stall_timer is not None)
            channel = running.platform.hub.channels["price:public"]
            await until(lambda: only(running).owes(channel))
            running.prices.pause()
            while only(running)._connection.carrier.waiting:
                await peer.more()
            assert not [name for name, _ in peer.events if name == "channel:heartbeat"]
            running.platform.hub.beat(silence=0)
            assert (await peer.event("channel:heartbeat"))["nextSeq"] == channel.seq + 1

    run(test)


@LOOPS
def test_the_kernel_hides_little_of_a_slow_reader(loop: Any) -> None:
    """A sleeping reader is noticed after little more than our own limits, not after a socket buffer of megabytes."""

    async def test() -> None:
        async with feed(rate=0.01, max_events=1_000_000) as running, raw_websocket(running) as raw:
            await raw.text("40")
            await until(lambda: running.platform.clients)
            connection = only(running)
            raw.writer.transport.pause_reading()
            sent = 0
            while connection._stall_timer is None:
                connection.send_event("x", "x" * 1000)
                sent += 1013
                await asyncio.sleep(0)
            assert sent < LIMIT + 8 * UNSENT_LIMIT

    run(test, loop_factory=loop)


def test_all_prices_after_a_sleep() -> None:
    """On `price:public`, where a message is one symbol's price, a reader that slept gets the newest of every symbol."""

    async def test() -> None:
        async with feed(**FEED) as running, raw_websocket(running, receive_buffer=4096) as raw:
            await raw.text("40", '42["channel:subscribe","price:public"]')
            await until(lambda: running.platform.clients and only(running).channels)
            await sleep_through(running, only(running))
            seen: list[Any] = []
            while not any(name == "channel:skipped" for name, _ in seen):
                _, data = await raw.read_frame()
                seen += [event] if (event := event_of(data.decode())) else []
            snapshots = {}
            while len(snapshots) < len(running.symbols):
                _, data = await raw.read_frame()
                event = event_of(data.decode())
                if event is not None and event[1].get("snapshot"):
                    snapshots[event[1]["symbol"]] = event[1]["seq"]
            assert set(snapshots) == set(running.symbols)
            assert set(snapshots.values()) == {seen[-1][1]["to"]}

    run(test)

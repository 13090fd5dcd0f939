"""What subscribers get: sequence, snapshots, heartbeats, books, forms, throttling, and a ledger that is true."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from listening import Ear, HandClock
from served import BTC, ETH, SYMBOLS, Conversation, feed, get_control, joined, polling, post_control, run, until

from wsctl.server import app as app_module
from wsctl.server import hub as hub_module
from wsctl.server.app import MockFeed
from wsctl.server.hub import Channel, Hub, heartbeat

BOOK = "symbol:BTC/USDT:orderbook"
TRADES = "symbol:BTC/USDT:trades"
COMMON = {"channel", "seq", "epoch", "timestamp"}


def test_the_sequence_grows_by_one_on_each_channel() -> None:
    """Every channel counts from 1, by 1, in one epoch, with growing times, over either transport."""

    async def test() -> None:
        async with feed(rate=20.0) as running:
            running.prices.pause()
            async with joined(running) as peer, polling(running) as poller:
                await poller.join()
                channels = [name for name in running.platform.hub.channels if name != "announcement"]
                before = {name: channel.seq for name, channel in running.platform.hub.channels.items()}
                for one in (peer, poller):
                    await one.emit("channel:subscribe", channels)
                running.prices.resume()
                for one in (peer, poller):
                    await one.gather(lambda one=one: all(len(one.of(name)) >= 3 for name in channels))  # type: ignore[misc]
                    for name in channels:
                        updates = one.of(name)
                        assert [u["seq"] for u in updates] == [before[name] + n for n in range(1, len(updates) + 1)]
                        assert {u["epoch"] for u in updates} == {running.platform.hub.epoch}
                        assert [u["timestamp"] for u in updates] == sorted(u["timestamp"] for u in updates)

    run(test)


SHAPES = {
    "price:public": ("price:update", {"symbol", "price", "bid", "ask", "volume", "sourceTime"}),
    BTC: ("price:update", {"symbol", "price", "bid", "ask", "volume", "sourceTime"}),
    BOOK: ("orderbook:update", {"symbol", "bids", "asks", "sourceTime"}),
    TRADES: ("trade:update", {"symbol", "id", "price", "quantity", "side", "sourceTime"}),
}


def test_the_payloads_of_the_dialect() -> None:
    """Each channel's event has exactly the fields of the dialect's table; a snapshot is marked as one."""

    async def test() -> None:
        async with feed(rate=100.0) as running, joined(running) as peer:
            await until(lambda: running.platform.hub.channels["price:public"].seq >= len(SYMBOLS))
            await peer.emit("channel:subscribe", list(SHAPES))
            await peer.gather(lambda: all(peer.of(channel) for channel in SHAPES))
            for name, payload in peer.events:
                event, fields = SHAPES[payload["channel"]]
                assert name == event
                if "snapshot" in payload:
                    assert payload["snapshot"] is True
                    assert set(payload) == COMMON | fields - {"sourceTime"} | {"snapshot"}
                else:
                    assert set(payload) == COMMON | fields
                    assert payload["sourceTime"] <= payload["timestamp"] + 1
            assert peer.of(TRADES, snapshots=True) == []
            assert len(peer.of("price:public", snapshots=True)) == len(SYMBOLS)

    run(test)


def test_the_compact_form() -> None:
    """A client that asks for it gets prices in the short form, and nobody else does."""

    async def test() -> None:
        async with feed(rate=100.0) as running, joined(running, format="compact") as peer, joined(running) as other:
            await until(lambda: running.platform.hub.channels["price:public"].seq >= 2)
            for one in (peer, other):
                await one.emit("channel:subscribe", [BTC, "price:public"])
            short = {"s", "p", "v", "t", "q", "e"}
            payloads = [await peer.event("price:update") for _ in range(12)]
            for payload in payloads:
                assert set(payload) in (short, short | {"n"}, short | {"c"}, short | {"c", "n"})
                assert payload.get("c", "price:public") == "price:public"
                assert payload.get("n", 1) == 1
            assert [set(payload) for payload in payloads[:3]] == [short | {"n"}, short | {"c", "n"}, short | {"c", "n"}]
            tickers = [payload["q"] for payload in payloads if "c" not in payload]
            assert tickers == list(range(tickers[0], tickers[0] + len(tickers)))
            full = await other.event("price:update")
            assert full.keys() >= COMMON

    run(test)


def test_a_snapshot_repeats_the_latest_seq() -> None:
    """Before the first value there is no snapshot; afterwards it repeats the latest seq."""

    async def test() -> None:
        async with feed(rate=0.5, symbols=("BTC/USDT", "ETH/USDT")) as running, joined(running) as peer:
            await until(lambda: running.platform.hub.channels[BTC].seq)
            running.prices.pause()
            eth = running.platform.hub.channels[ETH]
            assert eth.seq == 0
            await peer.emit("price:subscribe", list(SYMBOLS))
            snapshot = await peer.event("price:update")
            assert (snapshot["channel"], snapshot["snapshot"]) == (BTC, True)
            assert snapshot["seq"] == running.platform.hub.channels[BTC].seq
            assert (await peer.emit("time:sync"))["ok"]
            assert not [payload for _, payload in peer.events if payload["channel"] == ETH]

    run(test)


def test_heartbeats_after_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent channel announces its next seq, each time after the silence again, to all who listen."""
    monkeypatch.setattr(app_module, "HEARTBEAT_SILENCE", 0.5)

    async def test() -> None:
        async with feed(rate=0.01) as running, joined(running) as peer, polling(running) as poller:
            await poller.join()
            for one in (peer, poller):
                await one.emit("price:subscribe", list(SYMBOLS))
            channels = running.platform.hub.channels
            for one in (peer, poller):
                for _ in range(2):
                    beat = await one.event("channel:heartbeat")
                    name = beat["channel"]
                    assert beat.keys() == {"channel", "nextSeq", "epoch", "timestamp"}
                    assert (beat["nextSeq"], beat["epoch"]) == (channels[name].seq + 1, channels[name].epoch)

    run(test, seconds=20)


def test_a_heartbeat_that_nobody_would_hear_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users leave and their channels stay: those cost nothing but a look."""
    made: list[str] = []

    def noted(channel: Channel, now: float) -> dict[str, Any]:
        made.append(channel.name)
        return heartbeat(channel, now)

    monkeypatch.setattr(hub_module, "heartbeat", noted)
    hub = Hub(HandClock(), epoch="e")
    hub.open("heard")
    hub.open("left")
    hub.open("never heard")
    ear = Ear(hub, "heard", "left")
    hub.leave(ear, "left")
    hub.beat(silence=0)
    assert made == ["heard"]


def test_public_prices_are_those_of_all_symbols() -> None:
    """`price:public` carries each price that a ticker carries, with its own numbers."""

    async def test() -> None:
        async with feed(rate=100.0) as running, joined(running) as peer:
            running.prices.pause()
            await peer.emit("channel:subscribe", ["price:public", BTC, ETH])
            running.prices.resume()
            await peer.gather(lambda: len(peer.of("price:public")) >= 40)
            public = [(payload["symbol"], payload["price"], payload["volume"]) for payload in peer.of("price:public")]
            for symbol, channel in zip(SYMBOLS, (BTC, ETH), strict=True):
                own = [(payload["symbol"], payload["price"], payload["volume"]) for payload in peer.of(channel)]
                theirs = [price for price in public if price[0] == symbol]
                shared = min(len(own), len(theirs))
                assert own[:shared] == theirs[:shared]
                assert shared > 10

    run(test)


class ClientBook:
    """An order book as a client keeps it."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[float, float]] = {"bids": {}, "asks": {}}

    def take(self, payload: Mapping[str, Any]) -> None:
        """Apply one message as a whole."""
        if "snapshot" in payload:
            self.sides = {side: {} for side in self.sides}
        for side, levels in self.sides.items():
            for price, size in payload[side]:
                if size == 0:
                    levels.pop(price, None)
                else:
                    levels[price] = size

    def levels(self) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """Both sides, best first."""
        return sorted(self.sides["bids"].items(), reverse=True), sorted(self.sides["asks"].items())


def test_the_order_book_of_a_client() -> None:
    """Deltas applied to the snapshot give the later snapshot, at each step uncrossed."""

    async def test() -> None:
        async with feed(rate=200.0) as running, joined(running) as early, joined(running) as late:
            await until(lambda: running.platform.hub.channels[BOOK].seq)
            await early.emit("channel:subscribe", BOOK)
            await early.gather(lambda: len(early.of(BOOK)) >= 100)
            await late.emit("channel:subscribe", BOOK)
            snapshot = await late.event("orderbook:update")
            book, seq = ClientBook(), 0
            while seq != snapshot["seq"]:
                payload = await early.event("orderbook:update")
                book.take(payload)
                seq = payload["seq"]
                bids, asks = book.levels()
                assert bids[0][0] < asks[0][0]
            assert snapshot["snapshot"] is True
            later = ClientBook()
            later.take(snapshot)
            assert book.levels() == later.levels()

    run(test)


def test_the_throttle_sends_the_newest_of_each_interval() -> None:
    """At most one price per symbol and interval, the newest, without a gap in the seq."""

    async def test() -> None:
        async with feed(rate=200.0, throttle=0.1) as running, joined(running) as peer:
            offered: list[float] = []
            throttle = running.prices._throttle
            assert throttle is not None
            offer = throttle.offer

            def spy(symbol: str, payload: dict[str, Any], source_at: float) -> None:
                offer(symbol, payload, source_at)
                if symbol == "BTC/USDT":
                    offered.append(payload["price"])

            throttle.offer = spy  # type: ignore[method-assign]
            await peer.emit("price:subscribe", "BTC/USDT")
            await peer.gather(lambda: len(peer.of(BTC)) >= 8)
            updates = peer.of(BTC)
            assert [one["seq"] for one in updates] == list(range(updates[0]["seq"], updates[0]["seq"] + len(updates)))
            times = [one["timestamp"] for one in updates]
            assert min(b - a for a, b in pairwise(times)) >= 95
            assert len(offered) > 5 * len(updates)
            await post_control(running, "pause")
            beat = await peer.event("channel:heartbeat")
            assert peer.of(BTC)[-1]["price"] == offered[-1]  # what was waiting went out before the pause
            assert beat["nextSeq"] == peer.of(BTC)[-1]["seq"] + 1

    run(test)


def test_trailing_means_the_newest() -> None:
    """Each price that the throttle lets through is the last one offered before it."""

    async def test() -> None:
        async with feed(rate=0.01, throttle=0.1, symbols=("BTC/USDT",)) as running, joined(running) as peer:
            await until(lambda: running.platform.hub.channels[BTC].seq)
            throttle = running.prices._throttle
            assert throttle is not None
            await peer.emit("price:subscribe", "BTC/USDT")
            for last in (3.0, 6.0):
                for price in (last - 2, last - 1, last):
                    payload = {"symbol": "BTC/USDT", "price": price, "bid": price, "ask": price, "volume": 1.0}
                    throttle.offer("BTC/USDT", payload, 0.0)
                update = await peer.event("price:update", lambda payload: "snapshot" not in payload)
                assert update["price"] == last

    run(test)


def received(peers: list[Conversation]) -> Counter[str]:
    """How many updates of each channel the clients received, all together."""
    return Counter(
        payload["channel"]
        for peer in peers
        for _, payload in peer.events
        if "seq" in payload and "snapshot" not in payload
    )


def test_the_ledger_is_true() -> None:
    """After a pause the ledger's counts are what all clients received, and its seq is what the heartbeats announce."""

    async def test() -> None:
        async with (
            feed(rate=100.0) as running,
            joined(running) as one,
            joined(running) as two,
            polling(running) as three,
        ):
            await three.join()
            peers: list[Conversation] = [one, two, three]
            channels = [BTC, ETH, BOOK, TRADES, "price:public"]
            for peer in peers:
                await peer.emit("channel:subscribe", channels)
            await asyncio.gather(*(peer.gather(lambda peer=peer: len(peer.events) > 100) for peer in peers))  # type: ignore[misc]
            assert await post_control(running, "pause") == {"ok": True}
            for peer in peers:
                beats: dict[str, int] = {}
                while len(beats) < len(channels):
                    beat = await peer.event("channel:heartbeat")
                    beats[beat["channel"]] = beat["nextSeq"]
                assert beats == {name: running.platform.hub.channels[name].seq + 1 for name in channels}
            ledger = (await get_control(running, "sent"))["channels"]
            counts = received(peers)
            assert {name: ledger[name]["delivered"] for name in channels} == {name: counts[name] for name in channels}
            assert {entry["epoch"] for entry in ledger.values()} == {running.platform.hub.epoch}
            assert await post_control(running, "resume") == {"ok": True}
            last = max(payload["seq"] for payload in one.of(BTC))
            assert (await one.event("price:update", lambda p: p["channel"] == BTC))["seq"] == last + 1

    run(test)


def test_an_event_is_encoded_once_per_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many listen, over whatever transport, an event is written once per form that somebody wants."""
    written: Counter[tuple[str, int]] = Counter()
    encode, frame = hub_module.encode_event, hub_module.text_frame
    framed: Counter[str] = Counter()

    def count_events(name: str, payload: dict[str, Any]) -> str:
        if "snapshot" not in payload and "n" not in payload and "nextSeq" not in payload:
            written["full" if "seq" in payload else "compact", payload.get("seq") or payload["q"]] += 1
        return encode(name, payload)

    def count_frames(text: str, window_bits: int | None) -> bytes:
        framed[text] += 1
        return frame(text, window_bits)

    monkeypatch.setattr(hub_module, "encode_event", count_events)
    monkeypatch.setattr(hub_module, "text_frame", count_frames)

    async def test() -> None:
        async with (
            feed(rate=50.0, symbols=("BTC/USDT",)) as running,
            joined(running) as one,
            joined(running) as two,
            joined(running, format="compact") as three,
            joined(running, format="compact") as four,
            polling(running) as five,
        ):
            await five.join()
            for peer in (one, two, three, four, five):
                await peer.emit("price:subscribe", "BTC/USDT")
            written.clear()
            await asyncio.gather(
                *(peer.gather(lambda p=peer: len(p.events) > 10) for peer in (one, two, three, four, five))
            )  # type: ignore[misc]
            await post_control(running, "pause")
            assert set(written.values()) == {1}
            assert {form for form, _ in written} == {"full", "compact"}
            assert set(framed.values()) == {1}

    run(test)


def test_a_subscriber_that_leaves_within_the_loop() -> None:
    """A reader that falls behind while a message is fanned out has that message: it is counted and not owed."""

    async def test() -> None:
        async with feed(rate=0.01, symbols=("BTC/USDT",)) as running, joined(running) as one, joined(running) as two:
            for peer in (one, two):
                await peer.emit("price:subscribe", "BTC/USDT")
            await until(lambda: running.platform.hub.channels[BTC].seq)
            trip(running, "fell_behind")
            ledger = running.platform.hub.channels[BTC]
            before = ledger.delivered
            publish(running, 1.0)
            assert ledger.delivered == before + 2
            first = next(iter(running.platform.clients.values()))
            assert not first.owes(ledger)
            publish(running, 2.0)
            assert first.owes(ledger)
            first.caught_up()
            publish(running, 3.0)
            for peer in (one, two):
                updates = [await peer.event("price:update", lambda p: "snapshot" not in p) for _ in range(3)]
                assert [update["price"] for update in updates] == [1.0, 2.0, 3.0]
            assert ledger.delivered == before + 6

    run(test)


def publish(running: MockFeed, price: float) -> None:
    """One price of BTC, by hand."""
    payload = {"symbol": "BTC/USDT", "price": price, "bid": price, "ask": price, "volume": 1.0}
    running.platform.hub.publish(BTC, "price:update", payload)


def trip(running: MockFeed, what: str) -> None:
    """Let the first connection fall behind when it is next written to, as pause_writing does within write()."""
    hub = running.platform.hub
    first = next(iter(running.platform.clients.values()))
    (audience,) = [one for one in hub.channels[BTC].audiences.values() if first in one.direct]
    transport = audience.direct[first]

    class Tripping:
        def write(self, data: bytes) -> None:
            transport.write(data)
            getattr(first, what)()

    audience.direct[first] = Tripping()

"""A played tape as a Socket.IO server: what its clients receive, subscribed early or late, whoever's client it is."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.interop.conftest import node
from tests.peers.bourse import DIALECT, tick
from tests.server.client_book import ClientBook
from tests.server.served import WEBSOCKET, feed, joined, polling, raw_websocket, run, until
from tests.tape.outputs.playing import (
    HEADER,
    asked,
    contents,
    observations,
    opened,
    plays,
    price,
    prices,
    record,
    said,
    served,
)
from tests.tape.tapes import write
from wsctl.checks.ordering import OrderingCheck
from wsctl.client.feed import Feed, Subscription
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.model.observation import Observation
from wsctl.tape.contents import contents_of
from wsctl.tape.format import TapeFrame
from wsctl.tape.outputs import socketio_endpoint
from wsctl.tape.player import Player
from wsctl.wire.dialects import dialect_named

__all__ = ["node"]

BTC = "symbol:BTC/USDT:ticker"
BOOK = "symbol:BTC/USDT:orderbook"
PRICES = Path(__file__).parents[2] / "node" / "prices.mjs"


def facts(observation: Observation) -> tuple[Any, ...]:
    """What was said, whenever it came."""
    return observation.event, observation.channel, observation.epoch, observation.seq, observation.data


def judged(seen: list[Observation]) -> dict[str, Any]:
    """Findings and counts by channel, without the times of those who heard it."""
    check = OrderingCheck()
    found = [finding for observation in seen for finding in check.add(observation)]
    found += check.close()
    counts = ("messages", "gaps", "missing", "duplicates", "reorders", "regressions", "resets", "skipped")
    return {
        "findings": [(one.kind, one.channel, one.first, one.last) for one in found],
        **{name: [getattr(report, count) for count in counts] for name, report in check.channels.items()},
    }


async def watch(url: str, channels: list[str], count: int) -> list[Observation]:
    """Our own client's view of so many messages."""
    seen: list[Observation] = []
    async with Feed(Target(url=url), [Subscription("channel:subscribe", tuple(channels))]) as watched:
        async for item in watched:
            if isinstance(item, Observation):
                seen.append(item)
                if len(seen) == count:
                    break
    return seen


def test_a_mock_feed_played_back(tmp_path: Path) -> None:
    """Our client hears a recorded session as it was, and judges it as the tape is judged: with what is wrong in it."""

    async def test() -> None:
        channels = [BTC, BOOK, "price:public"]
        async with feed() as running:
            whole = await record(tmp_path / "whole.jsonl", running, channels, lambda peer: len(peer.of(BOOK)) >= 60)
        with opened(whole) as recording:
            frames = list(recording)
        spots = [n for n, frame in enumerate(frames) if str(frame.frame).startswith('42["orderbook')]
        frames[spots[30]], frames[spots[31]] = frames[spots[31]], frames[spots[30]]
        frames[spots[40]] = frames[spots[39]]
        del frames[spots[20]]
        path = write(tmp_path / "tape.jsonl", frames, HEADER)
        on_tape = observations(path)

        with opened(path) as recording:
            held = contents_of(recording, None)
        player = Player(partial(opened, path), None, speed=20, clock=SystemClock())
        async with served(held) as server:
            playing = asyncio.create_task(player.play(server))
            heard = await watch(server.url, channels, len(on_tape))
            await playing
        assert {one.channel for one in on_tape} == set(channels)
        assert [facts(one) for one in heard] == [facts(one) for one in on_tape]
        assert judged(heard) == judged(on_tape)
        assert judged(heard)[BOOK][1:5] == [2, 2, 1, 1]
        assert {channel for _, channel, *_ in judged(heard)["findings"]} == {BOOK}

    run(test)


@asynccontextmanager
async def stock(url: str, transport: str, *events: str, **auth: Any) -> AsyncIterator[tuple[Any, list[Any]]]:
    """python-socketio's client, and what it received of some events."""
    client, received = socketio.AsyncClient(reconnection=False, handle_sigint=False), []
    for event in events:
        client.on(event, lambda *args, event=event: received.append((event, *args)))
    await client.connect(url, transports=[transport], auth=auth or None)
    try:
        yield client, received
    finally:
        await client.disconnect()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_python_socketio(transport: str) -> None:
    """Subscriptions are acknowledged as the platform's are, for what the tape has; only they are served."""
    frames = [*prices(1, 5), *(said("price:update", price(n, symbol="ETH/USDT")) for n in range(1, 4))]

    async def test() -> None:
        async with served(frames) as server, stock(server.url, transport, "price:update", token="x") as (client, got):
            answer = await client.call("price:subscribe", ["BTC/USDT", "BTC/USDX"])
            assert answer == {
                "ok": False,
                "code": "unknown_symbol",
                "message": "unknown symbol 'BTC/USDX'; did you mean BTC/USDT?",
                "subscribed": ["BTC/USDT"],
                "refused": ["BTC/USDX"],
            }
            assert (await client.call("channel:subscribe", [BOOK]))["message"] == f"unknown channel {BOOK!r}"
            assert set(await client.call("time:sync")) == {"ok", "serverTime"}
            await server.ready()
            await server.play(frames)
            await until(lambda: len(got) == 5)
            assert got == [("price:update", price(n)) for n in range(1, 6)]
            await client.call("price:unsubscribe", ["BTC/USDT"])
            await client.call("price:subscribe", "ETH/USDT")
            await server.play([*prices(6, 7), said("price:update", price(4, symbol="ETH/USDT"))])
            await until(lambda: len(got) == 7)
            state = price(3, symbol="ETH/USDT", snapshot=True)
            assert got[5:] == [("price:update", state), ("price:update", price(4, symbol="ETH/USDT"))]

    run(test)


@pytest.mark.parametrize("transports", ["websocket", "polling", "polling,websocket"])
def test_node(node: str, transports: str) -> None:
    """Node's client receives the recorded prices, digit for digit what JSON says."""
    rows = [(1, "BTC/USDT", "30236.50"), (2, "BTC/USDT", "0.00000123"), (3, "ETH/USDT", "2000.01")]
    text = '42["price:update",{{"symbol":"{1}","price":{2},"channel":"symbol:{1}:ticker"}}]'
    frames = [TapeFrame(row[0], "c1", "in", text.format(*row)) for row in rows]

    async def test() -> None:
        async with served(frames) as server:
            argv = [node, str(PRICES), server.url, transports, "3", "BTC/USDT", "ETH/USDT"]
            program = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
            await server.ready()
            await server.play(frames)
            out, _ = await program.communicate()
        *received, ending = map(json.loads, out.splitlines())
        assert [(one["symbol"], one["price"]) for one in received] == [(row[1], float(row[2])) for row in rows]
        assert ending["transport"] == transports.rpartition(",")[2]

    run(test)


def test_recorded_text_is_sent() -> None:
    """What was recorded goes out as it was written, whichever form the client asks for."""
    text = '42["price:update",{ "s":"BTC/USDT","p":30236.50,"v":1.0,"t":1763870000000.125,"q":7,"e":"e1" }]'

    async def test() -> None:
        frames = [TapeFrame(0, "c1", "in", text)]
        async with served(frames) as server, joined(server, format="full") as peer:
            await peer.emit("price:subscribe", ["BTC/USDT"])
            await server.play(frames)
            assert await peer.ws.recv() == text
            async with joined(server) as late:
                await late.emit("price:subscribe", ["BTC/USDT"])
                payload = {"s": "BTC/USDT", "p": 30236.5, "v": 1.0, "t": 1763870000000.125, "q": 7, "e": "e1", "n": 1}
                assert await late.event("price:update") == payload

    run(test)


def test_a_late_subscriber_has_the_book(tmp_path: Path) -> None:
    """Who asks for a book in the middle gets it whole, and then what everybody gets: in order, without a hole."""

    async def test() -> None:
        channels = [BOOK, BTC, "price:public"]
        async with feed() as running:
            path = await record(tmp_path / "tape.jsonl", running, channels, lambda peer: len(peer.of(BOOK)) >= 80)
        with opened(path) as recording:
            frames = list(recording)
        async with served(frames) as server, joined(server) as early, joined(server) as late:
            await early.emit("channel:subscribe", channels)
            await server.play(frames[:120])
            await late.emit("channel:subscribe", channels)
            await late.emit("channel:subscribe", channels)  # again: it knows
            await server.play(frames[120:])
            on_tape = [one for one in observations(path) if one.channel in channels]
            last = on_tape[-1].data
            for peer in (early, late):
                await peer.gather(lambda peer=peer: (on_tape[-1].event, last) in peer.events)
            assert [payload for _, payload in early.events] == [one.data for one in on_tape]

            for channel in channels:
                heard = [payload["seq"] for _, payload in late.events if payload["channel"] == channel]
                states = len(late.of(channel, snapshots=True))
                assert states == (2 if channel == "price:public" else 1)
                assert heard[states - 1 :] == list(range(heard[0], heard[-1] + 1))
            books = ClientBook(), ClientBook()
            for book, peer in zip(books, (early, late), strict=True):
                for payload in (*peer.of(BOOK, snapshots=True), *peer.of(BOOK)):
                    book.apply(payload["bids"], payload["asks"])
            assert books[1].levels() == books[0].levels()
            assert books[0].levels()[0]
            both = {payload["symbol"]: payload["price"] for payload in late.of("price:public", snapshots=True)}
            assert len(both) == 2

    run(test)


def test_a_feed_of_others() -> None:
    """Events without a channel of the platform go to whoever is there; what clients emit is acknowledged."""
    trade = {"id": 7, "p": "0.10"}
    frames = [
        said("trade", trade, 3),
        said("news", ["a", "list"]),
        said("tick", {"channel": "btc-ticks", "seq": 1}),
        TapeFrame(0, "c1", "in", '4217["asks for an answer",1]'),
        said("nothing"),
        TapeFrame(0, "c1", "in", '451-["picture",{"_placeholder":true,"num":0}]'),
        TapeFrame(0, "c1", "in", b"\x00\xff"),
    ]

    async def test() -> None:
        names = ("trade", "news", "tick", "asks for an answer", "nothing", "picture")
        async with served(frames) as server:
            beginning = asyncio.create_task(server.ready())
            async with (
                stock(server.url, "websocket", *names) as (client, got),
                stock(server.url, "polling", *names) as (_, also),
            ):
                await beginning
                assert await client.call("subscribe", {"pair": "btc"}) == {"ok": True}
                assert (await client.call("channel:subscribe", ["btc-ticks"]))["ok"]
                await server.play(frames)
                expected = [
                    ("trade", trade, 3),
                    ("news", ["a", "list"]),
                    ("tick", {"channel": "btc-ticks", "seq": 1}),
                    ("asks for an answer", 1),
                    ("nothing",),
                    ("picture", b"\x00\xff"),
                ]
                await until(lambda: len(got) == len(also) == 6)
                assert got == also == expected

    run(test)


def test_a_feed_that_a_file_describes(tmp_path: Path) -> None:
    """Who asks as the file says gets what it asked for, late or not, and what has no channel; others are refused."""
    file = tmp_path / "bourse.yaml"
    file.write_text(DIALECT.replace("px,", "px, snapshot: whole,"))
    dialect = dialect_named(str(file))
    frames = [said("welcome", {"hello": 1})]
    for n in range(1, 5):
        frames += [said("tick", tick(n, pair, whole=n == 2), "more") for pair in ("BTCUSDT", "ETHUSDT")]
    btc = [("tick", tick(n, whole=n == 2), "more") for n in range(1, 5)]

    async def test() -> None:
        async with served(frames, dialect=dialect) as server:
            beginning = asyncio.create_task(server.ready())
            events = ("tick", "welcome")
            async with (
                stock(server.url, "websocket", *events) as (client, got),
                stock(server.url, "polling", *events) as (late, also),
            ):
                assert await client.call("listen", ({"pairs": ["XRPUSDT"]}, 2)) == {
                    "ok": False,
                    "code": "unknown_channel",
                    "message": "the tape has no ticks.XRPUSDT",
                    "subscribed": [],
                    "refused": ["ticks.XRPUSDT"],
                }
                assert await client.call("whatever") == {"ok": True}
                assert not server._endpoint.heard
                assert await client.call("listen", ({"pairs": ["BTCUSDT"]}, 2)) == {"ok": True}
                await beginning
                await server.play(frames[:7])
                assert await late.call("listen", ({"pairs": ["ETHUSDT"]}, 2)) == {"ok": True}
                await server.play(frames[7:])
                await until(lambda: len(got) == 5 and len(also) == 4)
                assert got == [("welcome", {"hello": 1}), *btc]
                assert also[0] == ("welcome", {"hello": 1})
                assert [payload["meta"]["n"] for _, payload, _ in also[1:]] == [2, 3, 4]
                await server.play([said("tick", tick(5), "more")], restamp=True)
                await until(lambda: len(got) == 6)
                assert got[5][1].pop("meta")["at"] > 1_763_870_100_000
                assert got[5] == ("tick", {"topic": "ticks.BTCUSDT", "px": "100.5"}, "more")

    run(test)


def test_answers_of_a_file(tmp_path: Path) -> None:
    """What it says is the acknowledgement."""
    file = tmp_path / "bourse.yaml"
    answers = 'answer: {listening: "{pair}"}, refusal: {unheard: "{pair}"}}'
    file.write_text(DIALECT.replace('["{pair}"]}, 2]}', '["{pair}"]}, 2], ' + answers))
    dialect = dialect_named(str(file))

    async def test() -> None:
        async with served([said("tick", tick(1))], dialect=dialect) as server, joined(server) as peer:
            assert await peer.emit("listen", {"pairs": ["BTCUSDT"]}, 2) == {"listening": "BTCUSDT"}
            assert await peer.emit("listen", {"pairs": ["XRPUSDT"]}, 2) == {"unheard": "XRPUSDT"}

    run(test)


def test_namespaces() -> None:
    """Each is served, with what was recorded there: channels, states, and what needs no subscription."""
    frames = [
        said("price:update", price(1), namespace="/prices"),
        said("price:update", price(2), namespace="/prices"),
        said("news", 1, namespace="/news"),
        said("news", 2),
    ]

    async def test() -> None:
        async with served(frames) as server:
            client, got = socketio.AsyncClient(reconnection=False, handle_sigint=False), []
            for namespace in ("/prices", "/news", "/"):
                for event in ("news", "price:update"):
                    client.on(event, lambda *said, at=namespace: got.append((at, *said)), namespace=namespace)
            await client.connect(server.url, transports=["websocket"], namespaces=["/prices", "/news", "/"])
            assert not (await client.call("price:subscribe", ["BTC/USDT"]))["ok"]
            assert (await client.call("price:subscribe", ["BTC/USDT"], namespace="/prices"))["ok"]
            await server.ready()
            await server.play(frames)
            await until(lambda: len(got) == 4)
            assert got == [("/prices", price(1)), ("/prices", price(2)), ("/news", 1), ("/", 2)]
            await client.disconnect()

            target = Target(url=server.url, namespace="/prices")
            async with Feed(target, [Subscription("price:subscribe", ("BTC/USDT",))]) as watched:
                seen = [item async for item in first(watched)]
            assert [(one.channel, one.data) for one in seen] == [(BTC, price(2, snapshot=True))]
            with pytest.raises(socketio.exceptions.ConnectionError, match="namespaces failed to connect: /other"):
                await client.connect(server.url, transports=["websocket"], namespaces=["/other"])
            await client.disconnect()

    run(test)


async def first(watched: Feed) -> AsyncIterator[Observation]:
    """The first thing heard."""
    async for item in watched:
        if isinstance(item, Observation):
            yield item
            return


def test_a_client_that_leaves_one_namespace() -> None:
    """Stays in the others, and hears what is said there."""
    frames = [said("news", 1, namespace="/news"), said("news", 2)]

    async def test() -> None:
        async with served(frames) as server, joined(server) as peer:
            await peer.ws.send("40/news,")
            await until(lambda: server.platform.hub.channels["/news,*"].heard)
            await peer.ws.send("41/news,")
            await until(lambda: not server.platform.hub.channels["/news,*"].heard)
            await server.play(frames)
            await peer.event("news")
            assert peer.events == [("news", 2)]
            assert [packet[:8] for packet in peer.others] == ["40/news,"]

    run(test)


def test_what_was_about_the_recorded_connection_is_not_played() -> None:
    """An eviction, an error or an answer of then would be taken for one of now."""
    gone = [
        said("connection:closing", {"reason": "evicted", "retry": False}),
        said("error", {"message": "Access denied", "code": "access_denied"}),
        said("bot:subscribed", ["alice-1"]),
        TapeFrame(0, "c1", "in", '430[{"ok":true}]'),
        TapeFrame(0, "c1", "in", "2"),
    ]
    heartbeat = {"channel": BTC, "nextSeq": 3, "epoch": "e1", "timestamp": 1}

    async def test() -> None:
        frames = [*gone, *prices(1, 1), *gone, *prices(2, 2), said("channel:heartbeat", heartbeat)]
        async with served(frames) as server, joined(server) as peer:
            await peer.emit("price:subscribe", ["BTC/USDT"])
            await server.play(frames)
            await peer.event("channel:heartbeat")
            told = [("price:update", price(1)), ("price:update", price(2)), ("channel:heartbeat", heartbeat)]
            assert (peer.events, peer.others) == (told, [])

    run(test)


def test_bots() -> None:
    """Bots are those on the tape, whoever's; nobody is asked for a token."""

    def bot(id: str, feed: str, event: str, seq: int, **more: Any) -> TapeFrame:
        channel = f"bot:{id}:{feed}"
        return said(event, {"botId": id, **more, "channel": channel, "seq": seq, "epoch": "e1", "timestamp": 1})

    frames = [
        bot("alice-1", "status", "bot:status", 1, status="running"),
        bot("alice-1", "logs", "bot:log", 1, message="hello"),
        bot("bob-2", "trades", "bot:trade", 1),
        said("notification", {"id": 1, "channel": "user:alice:notifications", "seq": 1, "epoch": "e1"}),
    ]

    async def test() -> None:
        async with served(frames) as server, joined(server) as all_of_them, joined(server) as one:
            assert await all_of_them.emit("bot:subscribe") == {"ok": True, "subscribed": ["alice-1", "bob-2"]}
            assert await all_of_them.event("bot:subscribed") == ["alice-1", "bob-2"]
            assert (await all_of_them.emit("channel:subscribe", ["user:alice:notifications"]))["ok"]
            assert (await one.emit("bot:subscribe:one", "alice-1"))["ok"]
            assert await one.emit("bot:subscribe:one", "carol-1") == {
                "ok": False,
                "code": "unknown_channel",
                "message": "bot 'carol-1' is not on the tape",
            }
            await server.play(frames)
            await all_of_them.event("notification")
            assert [name for name, _ in all_of_them.events] == [
                "bot:subscribed",
                "bot:status",
                "bot:trade",
                "notification",
            ]
            await one.event("bot:log")
            assert [name for name, _ in one.events] == ["bot:status", "bot:log"]

    run(test)


def test_symbols_of_which_only_some_is_on_the_tape() -> None:
    """The refusal names what there is."""
    book = said("orderbook:update", {"symbol": "BTC/USDT", "bids": [], "asks": [], "channel": BOOK, "seq": 1})

    async def test() -> None:
        async with served([book]) as server, joined(server) as peer:
            answer = await peer.emit("price:subscribe", ["BTC/USDT"])
            assert (answer["code"], answer["message"]) == ("unknown_symbol", f"the tape has of BTC/USDT only {BOOK}")
            assert not server._endpoint.heard

    run(test)


def test_rounds() -> None:
    """The second round is a new epoch, with all else as before, and begins at once for who is still there."""

    async def test() -> None:
        frames = prices(1, 3)
        async with served(frames) as server, joined(server) as peer:
            await peer.emit("price:subscribe", ["BTC/USDT"])
            await server.ready()
            await server.play(frames)
            await server.lap_over(1)
            async with joined(server) as late:
                await late.emit("price:subscribe", ["BTC/USDT"])
                await server.ready()
                await server.play(frames, lap=2)
                await late.event("price:update", lambda payload: payload["seq"] == 3)
                assert late.of(BTC) == [price(seq, epoch="e1+2") for seq in (1, 2, 3)]
                assert not late.of(BTC, snapshots=True)  # of the round before
            await peer.event("price:update", lambda payload: payload == price(3, epoch="e1+2"))
            assert [(one["epoch"], one["seq"]) for one in peer.of(BTC)] == [
                (epoch, seq) for epoch in ("e1", "e1+2") for seq in (1, 2, 3)
            ]

    run(test)


def test_two_recorded_clients_are_one_stream() -> None:
    """A channel that two connections of the tape heard is sent once; when the one leaves, the other speaks on."""
    both = [frame for pair in zip(prices(1, 3), prices(1, 3, conn="c2"), strict=True) for frame in pair]
    frames = [*both, TapeFrame(0, "c1", "close"), *prices(3, 5, conn="c2")]

    async def test() -> None:
        async with served(frames) as server, joined(server) as peer:
            await peer.emit("price:subscribe", ["BTC/USDT"])
            await server.play(frames)
            await peer.event("price:update", lambda payload: payload["seq"] == 5)
            assert peer.of(BTC) == [price(seq) for seq in range(1, 6)]

    run(test)


def test_another_recorded_client_goes_on(tmp_path: Path) -> None:
    """Where the first unsubscribed, for a while or for good: all that any of them heard is served, and judged once."""
    subscribe, unsubscribe = "price:subscribe", "price:unsubscribe"
    frames = [
        *(asked(subscribe, ["BTC/USDT"], conn=conn) for conn in ("c1", "c2")),
        *sorted([*prices(1, 5), *prices(1, 30, conn="c2"), *prices(25, 40)], key=lambda frame: frame.at_ns),
    ]
    at = next(n for n, frame in enumerate(frames) if frame.at_ns > 5_000_000)
    frames.insert(at, asked(unsubscribe, ["BTC/USDT"], at_ms=5))
    at = next(n for n, frame in enumerate(frames) if frame.at_ns > 24_000_000)
    again = said("price:update", price(24, snapshot=True), at_ms=24)
    frames[at:at] = [asked(subscribe, ["BTC/USDT"], at_ms=24), again]
    lost = [frame for frame in frames if not (frame.conn == "c2" and '"seq":12,' in str(frame.frame))]
    on_tape = observations(write(tmp_path / "tape.jsonl", lost, HEADER))

    async def test() -> None:
        async with served(lost) as server, joined(server) as peer:
            await peer.emit("price:subscribe", ["BTC/USDT"])
            await server.play(lost)
            await peer.event("price:update", lambda payload: payload["seq"] == 40)
            assert peer.of(BTC) == [price(seq) for seq in range(1, 41) if seq != 12]
        async with served(lost) as server:
            watching = asyncio.create_task(watch(server.url, [BTC], 39))
            await server.ready()
            await server.play(lost)
            heard = judged(await watching)
        of_second = judged([one for one in on_tape if one.client == "c2"])
        assert heard["findings"] == of_second["findings"] == [("gap", BTC, 12, 12)]
        assert (heard[BTC][:3], judged(on_tape)[BTC][0]) == ([39, 1, 1], 5 + 29 + 17)

    run(test)


def test_a_recorded_reconnection(tmp_path: Path) -> None:
    """What the recorded client missed while it was away is a declared skip to who stays: the verdict is the tape's."""
    frames = [
        TapeFrame(0, "c1", "open"),
        *prices(1, 3),
        TapeFrame(0, "c1", "close"),
        TapeFrame(0, "c1.2", "open"),
        said("price:update", price(9, snapshot=True), conn="c1.2"),
        *prices(10, 12, conn="c1.2"),
    ]
    on_tape = observations(write(tmp_path / "tape.jsonl", frames, HEADER))

    async def test() -> None:
        async with served(frames) as server:
            watching = asyncio.create_task(watch(server.url, [BTC], 8))
            await server.ready()
            await server.play(frames)
            heard = await watching
        skip = {"channel": BTC, "epoch": "e1", "from": 4, "to": 9, "reason": "recorded"}
        assert [one.data for one in heard if one.event == "channel:skipped"] == [skip]
        assert judged(heard) == judged(on_tape)
        assert judged(heard)[BTC][-1] == 6
        assert judged(heard)["findings"] == []

    run(test)


def test_what_lies_before_the_beginning_is_a_state() -> None:
    """With --from a book begins whole: what was before is told as a snapshot, not played."""

    def book(seq: int, bids: list[Any], **more: Any) -> TapeFrame:
        return said("orderbook:update", {"bids": bids, "asks": [], "channel": BOOK, "seq": seq, "epoch": "e1", **more})

    frames = [book(1, [[100.0, 1], [99.5, 2]], snapshot=True), book(2, [[99.5, 0], [99, 3]]), book(3, [[100, 4]])]

    async def test() -> None:
        async with served(frames) as server, joined(server) as peer:
            await peer.emit("channel:subscribe", [BOOK])
            for before in plays(frames[:2]):
                server.skip(before)
            await server.put(plays(frames)[2])
            await peer.event("orderbook:update", lambda payload: payload["seq"] == 3)
            whole, change = [payload for _, payload in peer.events]
            assert whole == {
                "bids": [[100.0, 1], [99, 3]],
                "asks": [],
                "channel": BOOK,
                "seq": 2,
                "epoch": "e1",
                "snapshot": True,
            }
            assert change["bids"] == [[100, 4]]

    run(test)


def test_a_reader_that_does_not_keep_up_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left out of a tape: who is too far behind goes, and others lose nothing."""
    monkeypatch.setattr(socketio_endpoint, "BEHIND_LIMIT", 1 << 20)
    wide = [said("price:update", price(seq, note="x" * 8192)) for seq in range(1, 601)]

    async def test() -> None:
        async with served(wide) as server, joined(server) as peer:
            await peer.emit("price:subscribe", ["BTC/USDT"])
            async with raw_websocket(server, WEBSOCKET, receive_buffer=4096) as stuck:
                await stuck.text("40", '42["price:subscribe",["BTC/USDT"]]')
                await until(lambda: len(server._endpoint.hub.channels[BTC].subscribers()) == 2)
                for one in wide:
                    await server.play([one])
                    await peer.event("price:update")
                assert len(server._endpoint.clients) == 1
        [told] = server.told
        assert told.endswith("did not keep up and was closed")
        assert [one["seq"] for one in peer.of(BTC)] == list(range(1, 601))

    run(test)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_at_full_speed_the_player_waits(transport: str) -> None:
    """With `hold` a slow reader slows the player down, and gets everything."""
    wide = [said("price:update", price(seq, note="x" * 8192)) for seq in range(1, 601)]
    opens: Callable[..., Any] = joined if transport == "websocket" else polling

    async def test() -> None:
        async with served(wide, hold=True) as server, opens(server) as peer:
            if transport == "polling":
                await peer.join()
            await peer.emit("price:subscribe", ["BTC/USDT"])
            playing = asyncio.create_task(server.play(wide))
            await until(lambda: server._endpoint._behind or playing.done())
            assert not playing.done()
            await peer.gather(lambda: len(peer.of(BTC)) == 600)
            await playing
            assert peer.of(BTC) == [price(seq, note="x" * 8192) for seq in range(1, 601)]

    run(test)


def test_restamped_times_are_sent() -> None:
    """A restamped event is said anew, arguments and all."""

    async def test() -> None:
        frames = prices(1, 1)
        async with served(contents(frames)) as server, joined(server) as peer:
            await peer.emit("price:subscribe", ["BTC/USDT"])
            await server.play(frames, restamp=True)
            payload = await peer.event("price:update")
            assert payload.pop("timestamp") > 1_763_870_100_000
            assert payload == {key: value for key, value in price(1).items() if key != "timestamp"}

    run(test)

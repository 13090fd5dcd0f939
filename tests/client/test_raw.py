"""Raw WebSocket feeds against real servers: each dialect at both ends, refusals, silence, ends and coming back."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trustme
from peers_feeds import Babbler, Background, Proxy, Relay
from tests.peers import markets
from tests.peers.exchange import Alone, Close, Cut, Exchange, Say, Send, Step

from wsctl.client import asking
from wsctl.client.feed import Feed, Subscription
from wsctl.client.raw import RawConnection
from wsctl.client.tap import Frame
from wsctl.client.target import Reconnect, Target
from wsctl.errors import Gone, Refused, Unreachable, Unserved, UsageError, WsctlError
from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.model.observation import Observation
from wsctl.wire.dialects import dialect_named

Run = Callable[[Any], Any]
Item = Observation | Lifecycle

QUICK = Reconnect(delay=0.02, delay_max=0.1)

CONVERSATIONS: dict[str, tuple[str, Callable[[int], Any], list[int | None]]] = {
    "binance": ("btcusdt@trade", markets.trade, [7, 8]),
    "coinbase": ("ticker:BTC-USD", markets.coinbase_ticker, [7, 8]),
    "okx": ("trades:BTC-USDT", markets.okx_trade, [7, 8]),
    "bybit-inverse": ("trade.BTCUSD", markets.bybit_trade, [7, 8]),
    "kraken-v1": ("trade:XBT/USD", markets.kraken_trade, [None, None]),
    "nobody": ("BTC-USDT", markets.nobody, [7, 8]),
}
"""a channel, what is said on it, and the numbers of two messages as they are read"""


@pytest.fixture(autouse=True)
def quick_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for what follows an objection."""
    monkeypatch.setattr(asking, "GRACE", 0.05)


def exchange(background: Background, dialect: str, *steps: Step, **options: Any) -> Exchange:
    return Exchange(background, dialect_named(dialect), steps, **options)


def make(url: str, dialect: str, *names: str, tap: Any = None, **options: Any) -> Feed:
    """A feed that asks for channels."""
    asked = [Subscription("subscribe", names)] if names else []
    target = Target(url=url, dialect=dialect, **options)
    return Feed(target, asked, reconnect=QUICK, random=Random(7), tap=tap)


async def until(feed: Feed, last: Callable[[Item], bool]) -> list[Item]:
    """Everything up to the item that satisfies `last`."""
    items: list[Item] = []
    async for item in feed:
        items.append(item)
        if last(item):
            return items
    raise AssertionError(f"ended before: {items}")


async def end_of(feed: Feed) -> WsctlError:
    """The error that a feed ends with."""
    with pytest.raises(WsctlError) as caught:
        async for _ in feed:
            pass
    return caught.value


def stage(name: Stage) -> Callable[[Item], bool]:
    return lambda item: isinstance(item, Lifecycle) and item.stage is name


def messages(count: int) -> Callable[[Item], bool]:
    """The so-maniest observation."""
    left = iter(range(count - 1, -1, -1))
    return lambda item: isinstance(item, Observation) and next(left) == 0


def observed(items: Sequence[Item]) -> list[Observation]:
    return [item for item in items if isinstance(item, Observation)]


def reason_of(items: Sequence[Item], name: Stage) -> str | None:
    return next(item.reason for item in items if isinstance(item, Lifecycle) and item.stage is name)


def named(dialect: str, folder: Path) -> str:
    return markets.generic(folder) if dialect == "nobody" else dialect


@pytest.mark.parametrize("dialect", CONVERSATIONS)
def test_both_ends(background: Background, run: Run, tmp_path: Path, dialect: str) -> None:
    """It asks, is answered, and reads what comes: to the payload, text or binary."""
    channel, say, numbers = CONVERSATIONS[dialect]
    said = [say(7), say(8)]
    dialect = named(dialect, tmp_path)

    async def main() -> None:
        async with make(peer.url, dialect, channel) as feed:
            items = await until(feed, messages(2))
            while len(seen := [one for one in observed(items) if one.channel is not None]) < 2:  # Kraken greets first
                items += await until(feed, messages(1))
            assert [(one.conn, one.channel, one.seq, one.data) for one in seen] == [
                ("c1", channel, number, data) for number, data in zip(numbers, said, strict=True)
            ]
            if seen[0].sent_at is not None:
                assert seen[0].latency_ms is not None
                assert 0 <= seen[0].latency_ms < 5000
            assert feed.transport == "websocket"
            if not any(map(stage(Stage.SUBSCRIBED), items)):
                items += await until(feed, stage(Stage.SUBSCRIBED))
            assert reason_of(items, Stage.SUBSCRIBED) is None
            assert feed.clock_offset is None

    with exchange(background, dialect, Say(channel, said[0]), Say(channel, said[1], binary=True)) as peer:
        run(main())
        assert peer.requests[0].path == "/"


def test_comes_back_and_asks_again(background: Background, run: Run) -> None:
    """After a restart, and after a connection that breaks."""

    async def main() -> None:
        async with make(peer.url, "binance", "btcusdt@trade") as feed:
            items = await until(feed, messages(3))
            assert [(one.conn, one.seq) for one in observed(items)] == [("c1", 1), ("c1.2", 2), ("c1.3", 3)]
            cuts = [item.reason for item in items if stage(Stage.CUT)(item)]  # type: ignore[union-attr]
            assert cuts == ["closed by the server with code 1012: restart", "connection lost"]
            assert feed.reconnects == 2

    first, second, third = (Say("btcusdt@trade", markets.trade(number)) for number in (1, 2, 3))
    with exchange(background, "binance", first, Close(1012, "restart"), second, Cut(), third) as peer:
        run(main())
        asked = '{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}'
        assert peer.frames == [asked] * 3


def test_what_the_url_asks_for(background: Background, run: Run) -> None:
    """It comes unasked; only what is more is asked for. The path and query go out as they are."""
    path = "/stream?streams=btcusdt@trade/ethusdt%40trade"

    async def main() -> None:
        async with make(f"{peer.url}{path}", "binance", "btcusdt@trade", "bnbusdt@trade") as feed:
            items = await until(feed, messages(2))
            assert [one.channel for one in observed(items)] == ["ethusdt@trade", "bnbusdt@trade"]
            if not any(map(stage(Stage.SUBSCRIBED), items)):
                items += await until(feed, stage(Stage.SUBSCRIBED))
            assert reason_of(items, Stage.SUBSCRIBED) is None

    with exchange(
        background, "binance", Say("ethusdt@trade", markets.trade(1)), Say("bnbusdt@trade", markets.trade(1))
    ) as peer:
        run(main())
        assert peer.requests[0].path == path
        assert peer.frames == ['{"method":"SUBSCRIBE","params":["bnbusdt@trade"],"id":1}']


def test_headers_let_one_in(background: Background, run: Run) -> None:
    async def main() -> None:
        async with make(peer.url, "okx", "trades:A-B", headers=(("X-Key", "k"),)) as feed:
            await until(feed, stage(Stage.SUBSCRIBED))

    with exchange(background, "okx", channels=["trades:A-B"]) as peer:
        run(main())
        assert peer.requests[0].headers["X-Key"] == "k"


REFUSALS: dict[str, tuple[str, list[str], list[str], str]] = {
    "one of a batch": (
        "okx",
        ["trades:A-B"],
        ["trades:A-B", "trades:C-D"],
        "60018 Wrong URL or channel:trades,instId:C-D doesn't exist. Please use the correct URL, channel and "
        "parameters referring to API document.",
    ),
    "one, by name": ("kraken-v1", ["trade:A/B"], ["trade:A/B", "trade:C/D"], "Currency pair not supported C/D"),
    "one book, by another name": (
        "kraken-v1",
        ["trade:A/B"],
        ["trade:A/B", "book-10:C/D"],
        "Currency pair not supported C/D",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_some_are_refused(background: Background, run: Run, case: str) -> None:
    """The others are served, and it is said what the exchange said."""
    dialect, there, asked, told = REFUSALS[case]

    async def main() -> None:
        async with make(peer.url, dialect, *asked) as feed:
            items = await until(feed, stage(Stage.SUBSCRIBED))
            assert items[-1].reason == told  # type: ignore[union-attr]
            assert items[-1].refused == ("refused",)  # type: ignore[union-attr]

    with exchange(background, dialect, channels=there) as peer:
        run(main())


UNSERVED: dict[str, tuple[str, str, str | None]] = {
    "coinbase": (
        "ticker:NO-PE",
        "Failed to subscribe: NO-PE is not a valid product",
        "asked for: ticker:NO-PE",
    ),
    "okx": ("trades:N-P", REFUSALS["one of a batch"][3].replace("C-D", "N-P"), "asked for: trades:N-P"),
    "bybit-inverse": ("trade.NOPE", "error:handler not found,topic:trade.NOPE", None),
    "nobody": ("NO-PE", "unknown", "asked for: NO-PE"),
}


@pytest.mark.parametrize("dialect", UNSERVED)
def test_all_are_refused(background: Background, run: Run, tmp_path: Path, dialect: str) -> None:
    """There is nothing to watch: an error, in the exchange's own words."""
    channel, told, hint = UNSERVED[dialect]
    dialect = named(dialect, tmp_path)

    async def main() -> None:
        async with make(peer.url, dialect, channel) as feed:
            error = await end_of(feed)
        assert isinstance(error, Unserved)
        assert (error.message, error.hint) == (told, hint)

    with exchange(background, dialect) as peer:
        run(main())


def test_a_whole_list_refused_for_one(background: Background, run: Run) -> None:
    """Coinbase fails a request as a whole and does not say for which channel."""

    async def main() -> None:
        async with make(peer.url, "coinbase", "ticker:BTC-USD", "ticker:NO-PE") as feed:
            error = await end_of(feed)
        assert error.message == "Failed to subscribe: NO-PE is not a valid product"

    with exchange(background, "coinbase", channels=["ticker:BTC-USD"]) as peer:
        run(main())


def test_no_answer(background: Background, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and data is waited for all the same."""
    monkeypatch.setattr("wsctl.client.subscription.ACK_TIMEOUT", 0.1)

    async def main() -> None:
        async with make(peer.url, "binance", "btcusdt@trade") as feed:
            items = await until(feed, stage(Stage.SUBSCRIBED))
            assert items[-1].reason == "subscribe was not acknowledged"  # type: ignore[union-attr]

    with exchange(background, "binance", Say("btcusdt@trade", markets.trade(1)), deaf=True) as peer:
        run(main())


def test_half_an_answer(background: Background, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not spoken of is named."""
    monkeypatch.setattr("wsctl.client.subscription.ACK_TIMEOUT", 0.1)

    async def main() -> None:
        async with make(peer.url, "kraken-v1", "trade:A/B", "book:A/B") as feed:
            items = await until(feed, stage(Stage.SUBSCRIBED))
            assert items[-1].reason == "book:A/B not acknowledged"  # type: ignore[union-attr]

    answer = '{"channelName":"trade","event":"subscriptionStatus","pair":"A/B","status":"subscribed"}'
    with exchange(background, "kraken-v1", Send(answer), channels=["trade:A/B", "book:A/B"], deaf=True) as peer:
        run(main())


def test_a_dialect_without_answers_is_not_waited_for(background: Background, run: Run, tmp_path: Path) -> None:
    """Where nothing says what a yes looks like, there is none; an objection is told when it comes."""
    file = markets.generic(tmp_path, "subscribed")

    async def main() -> None:
        async with asyncio.timeout(1.5), make(peer.url, file, "BTC-USDT", "NO-PE") as feed:
            items = await until(feed, stage(Stage.SUBSCRIBED))
            assert items[-1].reason is None  # type: ignore[union-attr]
            while not (told := [one for one in observed(items) if one.event == "error"]):
                items += await until(feed, messages(1))
            assert [(one.channel, one.seq, one.data) for one in told] == [(None, None, "unknown")]

    with exchange(background, file, channels=["BTC-USDT"]) as peer:
        run(main())


def test_a_bad_name_ends_it(background: Background, run: Run) -> None:
    async def main() -> None:
        async with make(peer.url, "okx", "nonsense") as feed:
            error = await end_of(feed)
        assert isinstance(error, UsageError)
        assert error.message == "okx has no channel 'nonsense'"

    with exchange(background, "okx") as peer:
        run(main())


GARBAGE: dict[str, tuple[str, Frame, str]] = {
    "text": ("binance", "<html>", "it sent a message that is not binance: a frame that is not JSON: "),
    "bytes": ("okx", b"\xff\x00", "it sent a message that is not okx: a frame that is not JSON: "),
    "another shape": ("coinbase", "[1]", "it sent a message that is not coinbase: a message without a type"),
}


@pytest.mark.parametrize("case", GARBAGE)
def test_garbage_ends_the_connection(background: Background, run: Run, case: str) -> None:
    """And it comes back."""
    dialect, garbage, told = GARBAGE[case]
    channel, say, numbers = CONVERSATIONS[dialect]

    async def main() -> None:
        async with make(peer.url, dialect, channel) as feed:
            items = await until(feed, messages(1))
            assert (reason_of(items, Stage.CUT) or "").startswith(told)
            assert [(one.conn, one.seq) for one in observed(items)] == [("c1.2", numbers[0])]

    with exchange(background, dialect, Send(garbage), Alone(), Say(channel, say(7)), channels=[channel]) as peer:
        run(main())


def test_words_about_the_connection(background: Background, run: Run) -> None:
    """A greeting, a shutdown: Observations without channel, which no check expects to be numbered."""

    async def main() -> None:
        async with make(peer.url, "kraken-v1", "trade:XBT/USD") as feed:
            items = await until(feed, messages(2))
            assert [(one.channel, one.event, one.seq) for one in observed(items)] == [
                (None, "connection:systemStatus", None),
                (None, "connection:heartbeat", None),
            ]
            assert observed(items)[0].data["status"] == "online"

    with exchange(background, "kraken-v1", Send('{"event":"heartbeat"}'), channels=["trade:XBT/USD"]) as peer:
        run(main())


class Notes:
    """A Tap that keeps everything."""

    def __init__(self) -> None:
        self.kept: list[tuple[Any, ...]] = []
        self.changed = asyncio.Event()

    def opened(self, url: str, headers: tuple[tuple[str, str], ...]) -> None:
        self._note("opened", url, dict(headers).get("X-Key"))

    def received(self, frame: Frame) -> None:
        self._note("received", frame)

    def sent(self, frame: Frame, shown: Frame) -> None:
        self._note("sent", frame)

    def closed(self, code: int, reason: str) -> None:
        self._note("closed", code, reason)

    def _note(self, *what: Any) -> None:
        self.kept.append(what)
        self.changed.set()

    async def until(self, what: tuple[Any, ...], count: int = 1) -> None:
        while self.kept.count(what) < count:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 10)


def test_a_tap_sees_everything(background: Background, run: Run, tmp_path: Path) -> None:
    """In order, what keeps alive as well: ours when nothing was sent for a while, and answers to the server's."""
    file = markets.generic(tmp_path)

    async def main() -> None:
        notes = Notes()
        async with make(peer.url, file, "BTC-USDT", tap=notes, headers=(("X-Key", "k"),)) as feed:
            await until(feed, stage(Stage.SUBSCRIBED))
            await notes.until(("sent", '{"are":"you there"}'), 2)
            await notes.until(("received", '{"i":"am"}'))
            await asyncio.to_thread(peer.play, Send('{"still":7}'))
            await notes.until(("sent", '{"yes":7}'))
            await asyncio.to_thread(peer.play, Close(4004, "idle"))
            await until(feed, stage(Stage.CUT))
        assert notes.kept[:3] == [
            ("opened", f"{peer.url}", "k"),
            ("sent", '{"do":"subscribe","what":["BTC-USDT"]}'),
            ("received", '{"done":"subscribe","what":["BTC-USDT"]}'),
        ]
        assert ("closed", 4004, "idle") in notes.kept

    with exchange(background, file, channels=["BTC-USDT"]) as peer:
        run(main())
        assert '{"yes":7}' in peer.frames


def test_leaving_is_a_close_of_ours(background: Background, run: Run) -> None:
    async def main() -> None:
        notes = Notes()
        async with make(peer.url, "okx", "trades:A-B", tap=notes) as feed:
            await until(feed, stage(Stage.SUBSCRIBED))
        assert notes.kept[-1] == ("closed", 1000, "")

    with exchange(background, "okx", channels=["trades:A-B"]) as peer:
        run(main())


def test_half_open_is_noticed(background: Background, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """By pings of ours that nobody answers."""
    monkeypatch.setattr(RawConnection, "ping_every", 0.2)

    async def main() -> None:
        async with make(relay.url.replace("http", "ws"), "binance", "btcusdt@trade") as feed:
            await until(feed, stage(Stage.SUBSCRIBED))
            relay.stall()
            items = await until(feed, stage(Stage.CUT))
            assert reason_of(items, Stage.CUT) == "nothing received for 300 ms, not even a pong"

    with exchange(background, "binance", channels=["btcusdt@trade"]) as peer, Relay(background, peer.port) as relay:
        run(main())


HTTP: list[tuple[int, type[WsctlError], str, str]] = [
    (401, Refused, "refused the connection: 401 Unauthorized", "--header carries credentials"),
    (403, Refused, "refused the connection: 403 Forbidden", "--header carries credentials"),
    (
        404,
        Unreachable,
        "answers, but not as okx: 404 Not Found",
        "is it the right URL? a WebSocket is asked for at its",
    ),
    (429, Unreachable, "answers 429 Too Many Requests", "the server behind it may be down or overloaded"),
    (503, Unreachable, "answers 503 Service Unavailable", "the server behind it may be down or overloaded"),
]


@pytest.mark.parametrize(("status", "kind", "told", "hint"), HTTP)
def test_a_handshake_that_is_refused(
    background: Background, run: Run, status: int, kind: type[WsctlError], told: str, hint: str
) -> None:
    async def main() -> None:
        async with make(peer.url, "okx", "trades:A-B") as feed:
            error = await end_of(feed)
        assert isinstance(error, kind)
        assert error.message == f"{peer.url} {told}"
        assert (error.hint or "").startswith(hint)

    with exchange(background, "okx", refuse=status) as peer:
        run(main())


def test_refused_later_it_tries_on(background: Background, run: Run) -> None:
    """A limit on connections passes; so do restarts."""

    async def main() -> None:
        async with make(peer.url, "okx", "trades:A-B") as feed:
            await until(feed, stage(Stage.SUBSCRIBED))
            peer._refuse = 429
            await asyncio.to_thread(peer.play, Close(1001))
            items = await until(feed, stage(Stage.FAILED))
            assert items[-1].reason == f"{peer.url} answers 429 Too Many Requests"  # type: ignore[union-attr]
            peer._refuse = None
            await until(feed, stage(Stage.SUBSCRIBED))

    with exchange(background, "okx", channels=["trades:A-B"]) as peer:
        run(main())


def test_nobody_there(background: Background, run: Run) -> None:
    async def main() -> None:
        async with make(url, "binance", "btcusdt@trade") as feed:
            error = await end_of(feed)
        assert error.message == f"{url}: connection refused"
        assert error.hint == "is a server running there? wsctl replay plays a tape as one"

    with exchange(background, "binance") as peer:
        url = peer.url
    run(main())


def test_silence_instead_of_a_handshake(background: Background, run: Run) -> None:
    async def main() -> None:
        target = Target(url=url, dialect="binance")
        async with Feed(target, [Subscription("subscribe", ("a@trade",))], timeout=0.3) as feed:
            error = await end_of(feed)
        assert error.message == f"{url} accepts connections, but did not answer the websocket handshake within 300 ms"

    with Babbler(background, None) as babbler:
        url = babbler.url.replace("http", "ws")
        run(main())


def test_gives_up(background: Background, run: Run) -> None:
    async def main() -> None:
        target = Target(url=peer.url, dialect="binance")
        policy = Reconnect(attempts=2, delay=0.01, delay_max=0.02)
        async with Feed(target, [Subscription("subscribe", ("a@trade",))], reconnect=policy) as feed:
            await until(feed, stage(Stage.SUBSCRIBED))
            await asyncio.to_thread(lambda: background.run(peer._stop()))
            error = await end_of(feed)
        assert isinstance(error, Gone)
        assert error.message == f"gave up after 2 attempts: {peer.url}: connection refused"

    with exchange(background, "binance", channels=["a@trade"]) as peer:
        run(main())


def test_tls(background: Background, run: Run, tls: ssl.SSLContext, authority: trustme.CA, tmp_path: Path) -> None:
    """With the authority it is trusted, without it is not."""
    cacert = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(cacert))

    async def main() -> None:
        async with make(peer.url, "okx", "trades:A-B", cacert=str(cacert)) as feed:
            await until(feed, stage(Stage.SUBSCRIBED))
        async with make(peer.url, "okx", "trades:A-B") as feed:
            assert "its certificate is not trusted" in (await end_of(feed)).message

    with exchange(background, "okx", channels=["trades:A-B"], tls=tls) as peer:
        run(main())


def test_through_a_proxy(background: Background, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is asked as proxies are."""

    async def main() -> None:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        async with make("ws://feed.test/ws", "binance", "btcusdt@trade") as feed:
            await until(feed, messages(1))

    with (
        exchange(background, "binance", Say("btcusdt@trade", markets.trade(1))) as peer,
        Proxy(background, peer.port) as proxy,
    ):
        run(main())
        assert proxy.requests == ["GET http://feed.test/ws"]


def test_clocks_that_cannot_be_compared(background: Background, run: Run) -> None:
    """What was sent in the future has no latency."""

    async def main() -> None:
        async with make(peer.url, "binance", "btcusdt@depth") as feed:
            [seen] = observed(await until(feed, messages(1)))
            assert seen.latency_ms is None
            assert seen.sent_at is not None
            assert feed.incomparable == 1

    ahead = markets.depth(1, 2, E=markets.now_ms() + 60_000)
    with exchange(background, "binance", Say("btcusdt@depth", ahead)) as peer:
        run(main())

"""Real exchange sessions: every line is understood, and channels, numbers, times and prices are those recorded."""

import csv
import json
from collections import Counter
from typing import NamedTuple

import pytest

from tests.wire import captures
from wsctl.wire.dialect import Link, Subscribed


class Counts(NamedTuple):
    """What one capture holds."""

    frames: int
    kinds: dict[str, int]
    events: dict[str, int]
    channels: dict[str, int]


COUNTS = {
    "BINANCE.ws.1.0": Counts(
        frames=265,
        kinds={"Event": 265},
        events={"depthUpdate": 177, "bookTicker": 84, "aggTrade": 2, "kline": 2},
        channels={
            "blzeth@bookTicker": 1,
            "blzeth@depth@100ms": 10,
            "lrcbtc@aggTrade": 1,
            "lrcbtc@bookTicker": 9,
            "lrcbtc@depth@100ms": 15,
            "lrcbtc@kline_1m": 1,
            "nknusdt@aggTrade": 1,
            "nknusdt@bookTicker": 74,
            "nknusdt@depth@100ms": 150,
            "nknusdt@kline_1m": 1,
            "runeeur@depth@100ms": 2,
        },
    ),
    "BINANCE_FUTURES.ws.1.0": Counts(
        frames=1535,
        kinds={"Event": 1535},
        events={"bookTicker": 613, "depthUpdate": 764, "kline": 67, "aggTrade": 91},
        channels={
            "akrousdt@aggTrade": 8,
            "akrousdt@bookTicker": 88,
            "akrousdt@depth@100ms": 189,
            "akrousdt@kline_1m": 8,
            "ctkusdt@aggTrade": 38,
            "ctkusdt@bookTicker": 145,
            "ctkusdt@depth@100ms": 185,
            "ctkusdt@kline_1m": 32,
            "keepusdt@aggTrade": 5,
            "keepusdt@bookTicker": 75,
            "keepusdt@depth@100ms": 135,
            "keepusdt@kline_1m": 5,
            "sushiusdt@aggTrade": 40,
            "sushiusdt@bookTicker": 305,
            "sushiusdt@depth@100ms": 255,
            "sushiusdt@kline_1m": 22,
        },
    ),
    "COINBASE.ws.28.0": Counts(
        frames=9946,
        kinds={"Subscribed": 3, "Event": 9943},
        events={"snapshot": 10, "ticker": 107, "last_match": 10, "l2update": 9719, "match": 97},
        channels={
            "level2:BAND-BTC": 1006,
            "level2:BAND-GBP": 472,
            "level2:CRV-EUR": 671,
            "level2:DASH-BTC": 1926,
            "level2:NMR-EUR": 666,
            "level2:NU-GBP": 77,
            "level2:SKL-BTC": 1540,
            "level2:SKL-GBP": 290,
            "level2:SKL-USD": 2593,
            "level2:YFI-BTC": 488,
            "matches:BAND-BTC": 9,
            "matches:BAND-GBP": 5,
            "matches:CRV-EUR": 1,
            "matches:DASH-BTC": 16,
            "matches:NMR-EUR": 9,
            "matches:NU-GBP": 2,
            "matches:SKL-BTC": 9,
            "matches:SKL-GBP": 2,
            "matches:SKL-USD": 53,
            "matches:YFI-BTC": 1,
            "ticker:BAND-BTC": 9,
            "ticker:BAND-GBP": 5,
            "ticker:CRV-EUR": 1,
            "ticker:DASH-BTC": 16,
            "ticker:NMR-EUR": 9,
            "ticker:NU-GBP": 2,
            "ticker:SKL-BTC": 9,
            "ticker:SKL-GBP": 2,
            "ticker:SKL-USD": 53,
            "ticker:YFI-BTC": 1,
        },
    ),
    "KRAKEN.ws.48.0": Counts(
        frames=49,
        kinds={"Notice": 31, "Subscribed": 10, "Event": 8},
        events={"trade": 8},
        channels={"trade:SC/EUR": 5, "trade:XMR/USD": 3},
    ),
    "KRAKEN.ws.49.0": Counts(
        frames=60,
        kinds={"Notice": 32, "Subscribed": 10, "Event": 18},
        events={"ticker": 18},
        channels={
            "ticker:ADA/XBT": 1,
            "ticker:ETH/CHF": 1,
            "ticker:GRT/ETH": 1,
            "ticker:KSM/XBT": 1,
            "ticker:OCEAN/XBT": 1,
            "ticker:OMG/USD": 1,
            "ticker:SC/EUR": 6,
            "ticker:WAVES/EUR": 1,
            "ticker:XBT/CHF": 1,
            "ticker:XMR/USD": 4,
        },
    ),
    "KRAKEN.ws.50.0": Counts(
        frames=4321,
        kinds={"Notice": 32, "Subscribed": 10, "Event": 4279},
        events={"book-1000": 4279},
        channels={
            "book-1000:ADA/XBT": 348,
            "book-1000:ETH/CHF": 318,
            "book-1000:GRT/ETH": 21,
            "book-1000:KSM/XBT": 336,
            "book-1000:OCEAN/XBT": 149,
            "book-1000:OMG/USD": 574,
            "book-1000:SC/EUR": 819,
            "book-1000:WAVES/EUR": 577,
            "book-1000:XBT/CHF": 290,
            "book-1000:XMR/USD": 847,
        },
    ),
    "OKX.ws.1.0": Counts(
        frames=410,
        kinds={"Subscribed": 18, "Event": 392},
        events={"tickers": 28, "trades": 74, "snapshot": 3, "update": 287},
        channels={
            "books:BTC-USD-220527": 99,
            "books:BTC-USDT": 98,
            "books:UNI-USD-SWAP": 93,
            "tickers:BTC-USD-220527": 2,
            "tickers:BTC-USDT": 25,
            "tickers:UNI-USD-SWAP": 1,
            "trades:BTC-USD-220527": 4,
            "trades:BTC-USDT": 69,
            "trades:UNI-USD-SWAP": 1,
        },
    ),
    "BYBIT.ws.26.0": Counts(
        frames=1098,
        kinds={"Subscribed": 4, "Event": 1094},
        events={"snapshot": 2, "delta": 1016, "trade": 76},
        channels={"orderBookL2_25.BTCUSD": 507, "orderBookL2_25.EOSUSD": 511, "trade.BTCUSD": 63, "trade.EOSUSD": 13},
    ),
}

Message = tuple[str, int | None, float | None, str | float | None]
"""event, seq, time and price"""

FIRST_AND_LAST: list[tuple[str, str, Message, Message]] = [
    (
        "BINANCE.ws.1.0",
        "nknusdt@depth@100ms",
        ("depthUpdate", 499869752, 1633998512.068, None),
        ("depthUpdate", 499870179, 1633998542.082, None),
    ),
    (
        "BINANCE.ws.1.0",
        "nknusdt@bookTicker",
        ("bookTicker", 499869768, None, None),
        ("bookTicker", 499870151, None, None),
    ),
    (
        "BINANCE.ws.1.0",
        "lrcbtc@aggTrade",
        ("aggTrade", 9213679, 1633998534.486, "0.00000638"),
        ("aggTrade", 9213679, 1633998534.486, "0.00000638"),
    ),
    (
        "BINANCE.ws.1.0",
        "nknusdt@kline_1m",
        ("kline", None, 1633998523.963, "0.35280000"),
        ("kline", None, 1633998523.963, "0.35280000"),
    ),
    (
        "BINANCE_FUTURES.ws.1.0",
        "sushiusdt@depth@100ms",
        ("depthUpdate", 600859600917, 1626992741.037, None),
        ("depthUpdate", 600860425198, 1626992771.042, None),
    ),
    (
        "BINANCE_FUTURES.ws.1.0",
        "sushiusdt@bookTicker",
        ("bookTicker", 600859600576, 1626992741.017, None),
        ("bookTicker", 600860427282, 1626992771.154, None),
    ),
    (
        "BINANCE_FUTURES.ws.1.0",
        "ctkusdt@aggTrade",
        ("aggTrade", 16599292, 1626992741.575, "1.01100"),
        ("aggTrade", 16599329, 1626992770.521, "1.01200"),
    ),
    (
        "BINANCE_FUTURES.ws.1.0",
        "akrousdt@kline_1m",
        ("kline", None, 1626992742.139, "0.01731"),
        ("kline", None, 1626992769.319, "0.01734"),
    ),
    ("COINBASE.ws.28.0", "level2:SKL-BTC", ("snapshot", None, None, None), ("l2update", None, 1618677847.835854, None)),
    (
        "COINBASE.ws.28.0",
        "ticker:BAND-GBP",
        ("ticker", 333938798, 1618677810.244075, "14.7775"),
        ("ticker", 333939600, 1618677845.646013, "14.7646"),
    ),
    (
        "COINBASE.ws.28.0",
        "matches:SKL-USD",
        ("last_match", 201390042, None, "0.7904"),
        ("match", 201393867, 1618677846.669388, "0.7902"),
    ),
    (
        "KRAKEN.ws.48.0",
        "trade:XMR/USD",
        ("trade", None, 1618678142.557535, "354.11000000"),
        ("trade", None, 1618678150.827816, "353.81000000"),
    ),
    ("KRAKEN.ws.49.0", "ticker:SC/EUR", ("ticker", None, None, "0.042900"), ("ticker", None, None, "0.043040")),
    (
        "KRAKEN.ws.50.0",
        "book-1000:SC/EUR",
        ("book-1000", None, 1618678133.307583, None),
        ("book-1000", None, 1618678163.32776, None),
    ),
    (
        "OKX.ws.1.0",
        "trades:BTC-USDT",
        ("trades", 338476307, 1652459224.818, "30236"),
        ("trades", 338476375, 1652459235.576, "30227.6"),
    ),
    (
        "OKX.ws.1.0",
        "tickers:BTC-USDT",
        ("tickers", None, 1652459224.956, "30236"),
        ("tickers", None, 1652459235.637, "30227.6"),
    ),
    (
        "OKX.ws.1.0",
        "books:UNI-USD-SWAP",
        ("snapshot", None, 1652459225.363, None),
        ("update", None, 1652459236.094, None),
    ),
    (
        "BYBIT.ws.26.0",
        "trade.BTCUSD",
        ("trade", 5938955347, 1618677786.66, 60621.5),
        ("trade", 5938958626, 1618677816.319, 60622.5),
    ),
    (
        "BYBIT.ws.26.0",
        "orderBookL2_25.BTCUSD",
        ("snapshot", 5938954538, 1618677785.357289, None),
        ("delta", 5938958627, 1618677816.417381, None),
    ),
]

LINKS = [
    ("BINANCE.ws.1.0", "nknusdt@depth@100ms", Link(499869750), Link(499870179)),
    (
        "BINANCE_FUTURES.ws.1.0",
        "sushiusdt@depth@100ms",
        Link(600859599090, 600859598061),
        Link(600860422707, 600860421380),
    ),
]

TRADES = [
    ("trades-binance-futures.csv", "BINANCE_FUTURES.ws.1.0", "aggTrade"),
    ("trades-coinbase.csv", "COINBASE.ws.28.0", "match"),
    ("trades-okx.csv", "OKX.ws.1.0", "trades"),
]
"""trades as somebody else read them out of the same sessions"""


@pytest.mark.parametrize("name", COUNTS)
def test_every_line_is_understood(name: str) -> None:
    capture = captures.read(name)
    counted = Counts(
        len(capture.frames),
        dict(capture.kinds()),
        dict(Counter(event.name for event in capture.events)),
        dict(sorted(Counter(str(event.channel) for event in capture.events).items())),
    )
    assert counted == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_payloads_stay_as_they_came(name: str) -> None:
    """Nothing is lost or changed on the way into an Event, and a server sends it on in the same words."""
    capture = captures.read(name)
    server = capture.dialect.server("ws://localhost/stream")
    for frame, found in capture.frames:
        sent = json.loads(frame)
        for event in (received for received in found if type(received).__name__ == "Event"):
            wrapped = capture.dialect.name == "binance"
            assert event.data == (sent["data"] if wrapped else sent)
            assert json.loads(server.publish(event.channel, event.data)) == sent


@pytest.mark.parametrize(("name", "channel", "first", "last"), FIRST_AND_LAST)
def test_first_and_last_of_a_channel(name: str, channel: str, first: Message, last: Message) -> None:
    capture = captures.read(name)
    events = capture.channel(channel)
    read = [
        (event.name, event.seq, event.sent_at, capture.dialect.quote(channel, event.data).price)
        for event in (events[0], events[-1])
    ]
    assert read == [first, last]


@pytest.mark.parametrize(("name", "channel", "first", "last"), LINKS)
def test_links(name: str, channel: str, first: Link, last: Link) -> None:
    capture = captures.read(name)
    events = capture.channel(channel)
    assert [capture.dialect.link(channel, event.data) for event in (events[0], events[-1])] == [first, last]


@pytest.mark.parametrize(("trades", "name", "event"), TRADES)
def test_trades_are_those_that_others_read(trades: str, name: str, event: str) -> None:
    capture = captures.read(name)
    read = []
    for one in capture.events:
        if one.name == event:
            quote = capture.dialect.quote(str(one.channel), one.data)
            read.append((_letters(str(quote.symbol)), float(quote.price or 0)))
    with captures.find(trades).open() as file:
        known = [(_letters(row["symbol"]), float(row["price"])) for row in csv.DictReader(file)]
    assert sorted(read) == sorted(known)


@pytest.mark.parametrize("name", ["BINANCE.ws.1.0", "BINANCE_FUTURES.ws.1.0"])
def test_what_the_url_asked_for(name: str) -> None:
    """All sixteen streams; those of quiet markets never spoke."""
    capture = captures.read(name)
    (subscribed,) = capture.opened
    assert isinstance(subscribed, Subscribed)
    assert len(subscribed.channels) == 16
    assert {event.channel for event in capture.events} <= {*subscribed.channels}


@pytest.mark.parametrize("name", [name for name in COUNTS if not name.startswith("BINANCE")])
def test_acknowledged_channels_are_the_events_channels(name: str) -> None:
    """Acknowledgements and messages call a channel the same."""
    capture = captures.read(name)
    taken = {
        channel
        for _, found in capture.frames
        for received in found
        if isinstance(received, Subscribed)
        for channel in received.channels
    }
    assert {event.channel for event in capture.events} <= taken


def _letters(symbol: str) -> str:
    return symbol.replace("/", "").replace("-", "")

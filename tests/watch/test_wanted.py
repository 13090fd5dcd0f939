"""What is asked of a feed that speaks a dialect: its own names, by its own events or frames."""

from pathlib import Path
from typing import Any

import pytest

from tests.peers.bourse import DIALECT
from wsctl.client.subscription import Subscription
from wsctl.client.target import Target
from wsctl.errors import UsageError
from wsctl.watch.options import WatchOptions

TICKER = "btcusdt@ticker"


def options(dialect: str, url: str = "ws://x", **more: Any) -> WatchOptions:
    return WatchOptions(target=Target(url=url, dialect=dialect), **more)


@pytest.mark.parametrize(
    ("dialect", "channel"),
    [
        ("binance", TICKER),
        ("coinbase", "ticker:BTC-USDT"),
        ("okx", "tickers:BTC-USDT"),
        ("kraken-v1", "ticker:XBT/USDT"),
    ],
)
def test_symbols_are_tickers(dialect: str, channel: str) -> None:
    """Beside channels by name, each once, in one subscription; they are the ones expected to speak."""
    other = {"kraken-v1": "trade:ETH/USD"}.get(dialect, "trades:ETH-USD")
    asked = options(dialect, symbols=("BTC/USDT",), channels=(other, channel))
    assert asked.subscriptions() == [Subscription("subscribe", (channel, other))]
    assert asked.expected() == (channel, other)


def test_what_the_url_asks_for_is_enough() -> None:
    """And expected to speak."""
    asked = options("binance", f"wss://x/stream?streams={TICKER}")
    assert asked.subscriptions() == []
    assert asked.expected() == (TICKER,)


def test_an_event_is_enough() -> None:
    """A feed may push what nobody asked for."""
    assert options("okx", events=("notice",)).subscriptions() == []


def test_requests_over_socketio(tmp_path: Path) -> None:
    """Each frame of the file is an event with its arguments; names are told where one frame asks for all."""
    file = tmp_path / "bourse.yaml"
    file.write_text(DIALECT)
    one = options(str(file), symbols=("BTC/USDT", "ETH/USDT"))
    names = ("ticks.BTCUSDT", "ticks.ETHUSDT")
    assert one.subscriptions() == [Subscription("listen", names, ({"pairs": ["BTCUSDT", "ETHUSDT"]}, 2))]
    several = options(str(file), symbols=("BTC/USDT",), channels=("book.A", "book.B"))
    assert several.subscriptions() == [
        Subscription("listen", (), ({"pairs": ["BTCUSDT"]}, 2)),
        Subscription("open book", (), ("A",)),
        Subscription("open book", (), ("B",)),
    ]
    assert several.expected() == ("ticks.BTCUSDT", "book.A", "book.B")


@pytest.mark.parametrize("symbol", ["BTCUSDT", "/USDT", "BTC/"])
def test_a_symbol_is_a_pair(symbol: str) -> None:
    with pytest.raises(UsageError, match="is no pair; expected one such as BTC/USDT"):
        options("binance", symbols=(symbol,)).subscriptions()


def test_ordered_where_channels_count() -> None:
    """Coinbase's full channel counts one by one; its tickers leave numbers out."""
    options("coinbase", channels=("full:BTC-USD",), ordered=True).subscriptions()
    with pytest.raises(UsageError, match="coinbase does not number ticker:BTC-USD one by one"):
        options("coinbase", symbols=("BTC/USD",), ordered=True).subscriptions()

"""SimulatedSource: believable prices of any symbol, the same for the same seed."""

import hashlib
import math
import re
from collections.abc import Iterable, Iterator
from itertools import count
from random import Random

from wsctl.errors import UsageError
from wsctl.model.channel import is_name
from wsctl.server.sources.grid import HIGHEST, LOWEST, Grid
from wsctl.server.sources.market import Market
from wsctl.server.sources.tick import Tick

_YEAR = 365.25 * 86_400
_VOLATILITY = (0.6, 0.85)
"""of a year; clustering adds about an eighth"""
_PULL = 7 * 86_400
"""seconds in which a price finds most of its way back to its start: it strays by some 8 %, never away"""
_CLUSTER = 60.0
"""seconds for which a calm or a storm lasts"""
_CLUSTER_STRENGTH = 0.35
_TRADE_WORTH = 1500.0
"""US dollars of a typical trade"""
_DAY_TRADES = (2e5, 1e6)
"""typical trades in the volume that a symbol starts with"""

# fmt: off
_DOLLARS = {
    "USDT": 1.0, "USDC": 1.0, "USD": 1.0, "FDUSD": 1.0, "BUSD": 1.0, "DAI": 1.0, "TUSD": 1.0,
    "EUR": 1.08, "GBP": 1.27, "JPY": 0.0067, "KRW": 0.00072, "TRY": 0.03,
    "BTC": 65_000.0, "ETH": 3_200.0, "BNB": 580.0, "SOL": 150.0, "XRP": 0.52, "DOGE": 0.125, "ADA": 0.45,
    "TRX": 0.12, "AVAX": 35.0, "DOT": 7.2, "LINK": 14.5, "LTC": 84.0, "BCH": 460.0, "MATIC": 0.7, "POL": 0.7,
    "UNI": 7.8, "ATOM": 8.4, "XLM": 0.11, "ETC": 26.0, "NEAR": 6.3, "APT": 8.9, "ARB": 1.05, "OP": 2.4,
    "FIL": 5.8, "SUI": 1.1, "TON": 6.1, "SHIB": 0.000024, "PEPE": 0.000009, "AAVE": 92.0, "XMR": 130.0,
}
# fmt: on
"""what one of each is worth, in US dollars"""
_UNSEPARATED = re.compile(r"([A-Z0-9]+)(USDT|USDC|USD|EUR|BTC)")


class SimulatedSource:
    """A random walk per symbol, `rate` ticks per second and symbol, for ever.

    The symbols tick in turn, spread over the period: symbol i of n at (k + i/n)/rate. What a symbol does
    depends on the seed and its name only, not on its neighbours.
    """

    def __init__(self, symbols: Iterable[str], rate: float, seed: int) -> None:
        """Raises UsageError for no symbols, a name that cannot be one, or a rate that is not above 0."""
        if not (rate > 0 and math.isfinite(rate)):
            raise UsageError(f"rate {rate:g}; expected updates per second above 0")
        self.rate = rate
        self._walks = {symbol: _Walk(symbol, rate, seed) for symbol in map(_checked, symbols)}
        if not self._walks:
            raise UsageError("no symbols; expected at least one, such as BTC/USDT")
        self.symbols = tuple(self._walks)

    def ticks(self) -> Iterator[Tick]:
        """All ticks in order of `due`, without end."""
        turns = [(place / len(self._walks), walk.tick) for place, walk in enumerate(self._walks.values())]
        rate = self.rate
        for period in count():
            for offset, tick in turns:
                yield tick((period + offset) / rate)

    def set_price(self, symbol: str, price: float) -> None:
        """Move a market: the symbol's next tick has exactly this price, later ones walk on from there."""
        if not LOWEST <= price <= HIGHEST:
            raise UsageError(f"price {price:g} of {symbol}; expected a number from {LOWEST:g} to {HIGHEST:g}")
        self._walk(symbol).set(float(price))

    def _walk(self, symbol: str) -> "_Walk":
        try:
            return self._walks[symbol]
        except KeyError:
            raise UsageError(f"unknown symbol {symbol!r}; expected one of {', '.join(self.symbols)}") from None


class _Walk:
    """One symbol: the logarithm of its price wanders about an anchor, in calms and storms.

    Both walks are Ornstein-Uhlenbeck processes in their exact discrete form, so that any rate suits.
    """

    def __init__(self, symbol: str, rate: float, seed: int) -> None:
        self._random = Random(f"{seed}:{symbol}")  # noqa: S311 - repeatable on purpose; a text is seeded by SHA-512
        price, dollar = _start(symbol)
        typical = _TRADE_WORTH / dollar / price
        self._typical = typical
        self._lots = Grid(max(0, 3 - math.floor(math.log10(typical))))
        self.market = Market(
            symbol,
            price,
            decimals=max(2, 4 - math.floor(math.log10(price))),
            lots=self._lots,
            typical=typical,
            random=self._random,
            volume=round(typical * self._random.uniform(*_DAY_TRADES), self._lots.decimals),
        )
        volatility = self._random.uniform(*_VOLATILITY)
        self._price_decay, price_step = _discrete(1 / rate, _PULL)
        self._price_step = price_step * volatility * math.sqrt(_PULL / 2 / _YEAR)
        self._heat_decay, heat_step = _discrete(1 / rate, _CLUSTER)
        self._heat_step = heat_step * _CLUSTER_STRENGTH
        self._heat = 0.0
        self._anchor = math.log(price)
        self._strayed = 0.0
        self._set_to: float | None = None

    def set(self, price: float) -> None:
        """Make `price` the next one, and the new anchor."""
        self._set_to = price
        self._anchor = math.log(price)
        self._strayed = 0.0

    def tick(self, due: float) -> Tick:
        """Go on by one interval."""
        price = self._next_price() if self._set_to is None else self._set_to
        self._set_to = None
        return self.market.trade(due, price, self._quantity())

    def _next_price(self) -> float:
        gauss = self._random.gauss
        self._heat = self._heat * self._heat_decay + self._heat_step * gauss(0, 1)
        step = self._price_step * math.exp(self._heat) * gauss(0, 1)
        self._strayed = self._strayed * self._price_decay + step
        return self.market.round(math.exp(self._anchor + self._strayed))

    def _quantity(self) -> float:
        lots = self._lots
        return lots.value(max(1, lots.nearest(self._typical * math.exp(self._random.gauss(0, 1)))))


def _start(symbol: str) -> tuple[float, float]:
    """What a symbol costs at first, known or from its name, and what its quote is worth in dollars."""
    base, quote = _parts(symbol)
    dollar = _DOLLARS.get(quote, 1.0)
    if base in _DOLLARS and quote in _DOLLARS:
        return _DOLLARS[base] / dollar, dollar
    number = int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8], "big") / 2**64
    return 10 ** (4 * number - 1) / dollar, dollar  # 0.1 to 1000 dollars


def _parts(symbol: str) -> tuple[str, str]:
    """Base and quote of `BTC/USDT`, `BTC-USD` or `BTCUSDT`."""
    parts = re.split(r"[/_-]", symbol.upper())
    if len(parts) == 1 and (match := _UNSEPARATED.fullmatch(parts[0])) and match[1] in _DOLLARS:
        return match[1], match[2]
    return parts[0], parts[1] if len(parts) > 1 else ""


def _discrete(interval: float, memory: float) -> tuple[float, float]:
    """Decay per interval of a process of this memory (seconds), and the noise that keeps its variance 1."""
    return math.exp(-interval / memory), math.sqrt(-math.expm1(-2 * interval / memory))


def _checked(symbol: str) -> str:
    if not is_name(symbol):
        raise UsageError(f"bad symbol {symbol!r}; expected letters, digits and . _ / -")
    return symbol

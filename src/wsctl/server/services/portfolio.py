"""What bots and their users own, exactly: decimals that never round inside, JSON numbers only at the edge.

No fees, no credit, long only. Orders fill at once, so nothing is ever locked. A user's starting balance of a quote
currency is shared out evenly among the bots that trade in it, and a bot spends only its own share and what it earned:
what one bot does never depends on another, and a user's balance is the sum of what the bots have.
"""

import math
import re
from collections.abc import Sequence
from decimal import ROUND_05UP, ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation
from functools import lru_cache

from msgspec import Struct

from wsctl.wire.payload import Payload

PLACES = 8
"""decimals of sizes, balances and profits in JSON"""

DEFAULT_QUOTE = "USDT"
"""the quote currency of a symbol that names none"""

_ZERO = Decimal(0)
_EXACT = Context(prec=10_000, traps=[Inexact, InvalidOperation])
"""adds and multiplies; that a result does not fit is a mistake of ours"""
_plus, _minus, _times = _EXACT.add, _EXACT.subtract, _EXACT.multiply
_QUOTIENT = Context(prec=80, rounding=ROUND_05UP, traps=[InvalidOperation, DivisionByZero])
"""divides; 05UP keeps what lies below the last digit visible, so that rounding a quotient again rounds it rightly"""
_NEAREST = Context(prec=10_000, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])
_DOWN = Context(prec=10_000, rounding=ROUND_DOWN, traps=[InvalidOperation])
_PLACE = Decimal(1).scaleb(-PLACES)
_START = 100_000
_STARTS = {"BTC": 2, "ETH": 30, "BNB": 200, "SOL": 700, "JPY": 15_000_000, "KRW": 140_000_000, "TRY": 3_000_000}
"""where 100,000 would not be believable"""
_LOTS_IN_START = 50_000
"""a user's starting balance buys at least so many lots, unless that takes more than PLACES decimals"""
_MOST_LOTS = Decimal(10**15)
"""a float holds any number of lots up to this exactly"""
_UNSEPARATED = re.compile(r"(.{2,}?)(USDT|USDC|FDUSD|USD|EUR|GBP|JPY|BTC|ETH)")


class Pair(Struct, frozen=True):
    """The two assets of a symbol, in capitals."""

    base: str
    quote: str


def pair_of(symbol: str) -> Pair:
    """What a symbol trades for what.

    The last `/`, else the last `-`, else the last `_` separates base and quote: `BTC/USDT`, `BTC-USD`, `btc_eur`.
    Without one, a well-known quote currency at the end is the quote if two characters or more come before it
    (`ETHBTC`, but not `WBTC`). Any other symbol is itself the base, in USDT: `ACME`.
    """
    name = symbol.upper()
    for separator in "/-_":
        base, _, quote = name.rpartition(separator)
        if base and quote:
            return Pair(base, quote)
    if match := _UNSEPARATED.fullmatch(name):
        return Pair(match[1], match[2])
    return Pair(name, DEFAULT_QUOTE)


def starting_balance(quote: str) -> int:
    """What a user has of a quote currency at first: about 100,000 dollars' worth."""
    return _STARTS.get(quote, _START)


@lru_cache(maxsize=256)
def exact(price: float) -> Decimal:
    """The very number that a float is written as: 0.1 is a tenth."""
    return Decimal(repr(price))


def number(value: Decimal) -> float:
    """A size, balance or profit as a JSON number: PLACES decimals, ties to even."""
    return float(value.quantize(_PLACE, context=_NEAREST)) + 0.0  # a tiny loss is 0, not -0


def average_price(value: Decimal) -> float:
    """An average price as a JSON number: PLACES decimals; below 1 as many significant digits."""
    if not 0 < value < 1:
        return number(value)
    return float(value.quantize(_PLACE.scaleb(value.adjusted() + 1), context=_NEAREST))


class Lots(Struct, frozen=True):
    """The sizes in which a symbol is traded: whole multiples of 10**-decimals."""

    decimals: int

    @classmethod
    def for_price(cls, price: float, quote: str) -> "Lots":
        """Steps worth at most some 2 dollars: 0.00001 BTC, 1 DOGE. Never finer than PLACES, never above 1."""
        steps = price * _LOTS_IN_START / starting_balance(quote)
        return cls(min(PLACES, max(0, math.ceil(math.log10(steps)))))

    def floor(self, quantity: Decimal) -> Decimal:
        """The largest size that is not above a quantity."""
        lot = Decimal(1).scaleb(-self.decimals)
        return min(quantity.quantize(lot, context=_DOWN), _times(_MOST_LOTS, lot))


class Wallet:
    """One user's balances: per asset, in the order in which they came, what is free. Never below zero."""

    __slots__ = ("_free",)

    def __init__(self) -> None:
        self._free: dict[str, Decimal] = {}

    @property
    def assets(self) -> tuple[str, ...]:
        """All assets, those of which nothing is left included."""
        return tuple(self._free)

    def move(self, asset: str, change: Decimal) -> None:
        """Add to an asset, or take from it. Raises ValueError where there is less."""
        free = _plus(self._free.get(asset, _ZERO), change)
        if free < 0:
            raise ValueError(f"{asset} would fall to {free:g}; expected no less than 0")
        self._free[asset] = free

    def payload(self, asset: str) -> Payload:
        """`{asset, free, locked}`, in units of the asset."""
        return {"asset": asset, "free": number(self._free[asset]), "locked": 0.0}


class Account:
    """One bot's share of its user's wallet: cash in the quote currency and a long position in the base.

    The average price of what is held is a ratio of two decimals, as a quotient would have to be rounded: `paid` is
    what `units` cost together. Sells leave it as it is. It grows by some digits with every buy that follows a sell,
    until everything is sold.
    """

    __slots__ = ("_start", "_wallet", "cash", "paid", "pair", "size", "units")

    def __init__(self, wallet: Wallet, pair: Pair, cash: Decimal) -> None:
        """Pays `cash` into the wallet."""
        self._wallet = wallet
        self._start = cash
        self.pair = pair
        self.cash = cash
        self.size = _ZERO
        """what is held, in the base"""
        self.paid = self.units = _ZERO
        wallet.move(pair.quote, cash)
        wallet.move(pair.base, _ZERO)

    def affords(self, price: Decimal, percent: int, lots: Lots) -> Decimal:
        """The size that a part of the cash buys; may be 0."""
        return lots.floor(_QUOTIENT.divide(_percent(self.cash, percent), price))

    def part(self, percent: int, lots: Lots) -> Decimal:
        """The size of a part of what is held; may be 0."""
        return lots.floor(_percent(self.size, percent))

    def buy(self, price: Decimal, quantity: Decimal) -> None:
        """Pay for some of the base. Raises ValueError for no quantity, or more than the cash is worth."""
        cost = _times(price, quantity)
        if quantity <= 0 or cost > self.cash:
            raise ValueError(f"cannot buy {quantity:g} for {cost:g}; {self.cash:g} is there")
        size = _plus(self.size, quantity)
        if self.units == self.size:
            self.paid, self.units = _plus(self.paid, cost), size
        else:  # what is left after a sell cost paid * self.size / units
            self.paid = _plus(_times(self.paid, self.size), _times(cost, self.units))
            self.units = _times(self.units, size)
        self._exchange(cost.copy_negate(), quantity)

    def sell(self, price: Decimal, quantity: Decimal) -> None:
        """Give some of the base for its price. Raises ValueError for no quantity, or more than is held."""
        if not 0 < quantity <= self.size:
            raise ValueError(f"cannot sell {quantity:g}; {self.size:g} is held")
        self._exchange(_times(price, quantity), quantity.copy_negate())
        if not self.size:
            self.paid = self.units = _ZERO

    def _exchange(self, money: Decimal, quantity: Decimal) -> None:
        self.cash = _plus(self.cash, money)
        self.size = _plus(self.size, quantity)
        self._wallet.move(self.pair.quote, money)
        self._wallet.move(self.pair.base, quantity)

    @property
    def entry(self) -> Decimal:
        """What one of what is held cost on average; 0 when nothing is held."""
        return _QUOTIENT.divide(self.paid, self.units) if self.units else _ZERO

    @property
    def realized(self) -> Decimal:
        """Profit of all that was sold, over what it had cost; in the quote currency."""
        gain = _minus(self.cash, self._start)
        if not self.units:
            return gain
        return _QUOTIENT.divide(_plus(_times(gain, self.units), _times(self.paid, self.size)), self.units)

    def unrealized(self, bid: Decimal) -> Decimal:
        """Profit if all that is held were sold at the bid; in the quote currency."""
        if not self.units:
            return _ZERO
        return _QUOTIENT.divide(_times(_minus(_times(bid, self.units), self.paid), self.size), self.units)


def open_accounts(symbols: Sequence[str]) -> tuple[Wallet, list[Account]]:
    """A user's wallet, and an account per symbol.

    Accounts of one quote currency share the starting balance evenly; the first gets the cents that are left over.
    """
    wallet = Wallet()
    pairs = [pair_of(symbol) for symbol in symbols]
    purses: dict[str, list[Decimal]] = {}
    for quote in dict.fromkeys(pair.quote for pair in pairs):
        purses[quote] = _shares(starting_balance(quote), sum(pair.quote == quote for pair in pairs))
    return wallet, [Account(wallet, pair, purses[pair.quote].pop(0)) for pair in pairs]


def _shares(amount: int, count: int) -> list[Decimal]:
    cents, rest = divmod(amount * 100, count)
    return [Decimal(cents + (rest if place == 0 else 0)).scaleb(-2) for place in range(count)]


def _percent(value: Decimal, percent: int) -> Decimal:
    return _times(value, Decimal(percent).scaleb(-2))

"""Tick: one movement of one symbol's market. Source: where ticks come from."""

from collections.abc import Iterator
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

Side: TypeAlias = Literal["buy", "sell"]

Level: TypeAlias = tuple[float, float]
"""price and size; in a change, size 0 removes the level"""


class Trade(Struct, frozen=True):
    """A trade of one symbol. Ids start at 1 and grow by 1 per symbol."""

    id: int
    price: float
    quantity: float
    side: Side
    """who took: up is a buy, down a sell, unchanged as before"""


class Tick(Struct, frozen=True):
    """What one movement of a symbol's market changed. `bid <= price <= ask` and `bid < ask`."""

    symbol: str
    due: float
    """seconds since the source started at which this tick is due"""
    source_at: float | None
    """unix seconds at the source (the recorded time); None where the source only knows `due`"""
    price: float
    bid: float
    ask: float
    volume: float
    """traded so far, in units of quantity; never falls"""
    trade: Trade | None
    bids: list[Level]
    """changes since the symbol's previous tick (on the first: the whole book); apply bids and asks as one"""
    asks: list[Level]


class Source(Protocol):
    """A place where prices come from. It holds the state of its markets and knows no clock."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols it has, each once."""
        ...

    def ticks(self) -> Iterator[Tick]:
        """All ticks in order of `due`, possibly for ever. Ask once: the markets move as it is read."""
        ...

    def set_price(self, symbol: str, price: float) -> None:
        """Move a market: the symbol's next tick has exactly this price, later ones go on from there.

        Raises UsageError for an unknown symbol, an impossible price, or a source that cannot be moved.
        """
        ...

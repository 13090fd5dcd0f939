"""Market: what both sources put around one symbol's price."""

from random import Random

from wsctl.server.sources.book import Book
from wsctl.server.sources.grid import Grid
from wsctl.server.sources.tick import Level, Side, Tick, Trade

_LEVEL_TRADES = 3.0
"""the size of a level near the touch, in typical trades"""
_SPREAD = (1e-4, 5e-4)
"""bid to ask as a share of the price: 1 to 5 basis points, but at least one step"""
_SPREAD_CHANGES = 0.02
"""how often the spread changes, per tick"""


class Market:
    """One symbol's spread, side, trade ids, volume and order book, moved by each trade."""

    def __init__(
        self,
        symbol: str,
        price: float,
        *,
        decimals: int,
        lots: Grid,
        typical: float,
        random: Random,
        volume: float = 0.0,
    ) -> None:
        """Around a first price, with `decimals` or more; trades are about `typical`, on the grid `lots`."""
        self._symbol = symbol
        self._decimals = decimals
        self._lots = lots
        self._typical = typical
        self._random = random
        self._volume = volume
        self._spread = random.uniform(*_SPREAD)
        self._price: float | None = None
        self._side: Side = "buy"
        self._trades = 0
        self._grid = Grid.for_price(price, decimals)
        self._book = self._new_book()

    def round(self, price: float) -> float:
        """A price as this market prints it: on its grid."""
        return self._grid.value(self._grid.nearest(price))

    def trade(self, due: float, price: float, quantity: float, source_at: float | None = None) -> Tick:
        """Somebody traded: everything moves. The price is kept as given, on the grid or not."""
        gone = None if self._grid.fits(price) else self._change_grid(price)
        bid, ask = self._touch(price)
        bids, asks = self._book.move(bid, ask)
        if gone is not None:
            bids, asks = _replacing(gone[0], bids), _replacing(gone[1], asks)
        self._volume = round(self._volume + quantity, self._lots.decimals)
        self._trades += 1
        return Tick(
            symbol=self._symbol,
            due=due,
            source_at=source_at,
            price=price,
            bid=self._grid.value(bid),
            ask=self._grid.value(ask),
            volume=self._volume,
            trade=Trade(self._trades, price, quantity, self._taker(price)),
            bids=bids,
            asks=asks,
        )

    def _new_book(self) -> Book:
        return Book(self._grid, self._lots, _LEVEL_TRADES * self._typical, self._random)

    def _change_grid(self, price: float) -> tuple[list[Level], list[Level]]:
        """Begin a new book, as the price is too far from what the grid was made for; answers the old one."""
        gone = self._book.levels()
        self._grid = Grid.for_price(price, self._decimals)
        self._book = self._new_book()
        return gone

    def _touch(self, price: float) -> tuple[int, int]:
        """Bid and ask around a price, in steps: `bid <= price <= ask`, `bid < ask`."""
        if self._random.random() < _SPREAD_CHANGES:
            self._spread = self._random.uniform(*_SPREAD)
        steps = self._grid.floor(price)
        width = max(1, int(steps * self._spread))
        bid = steps - width // 2
        return bid, bid + width

    def _taker(self, price: float) -> Side:
        """The tick rule: up is a buy, down a sell, unchanged as before."""
        if self._price is not None and price != self._price:
            self._side = "buy" if price > self._price else "sell"
        self._price = price
        return self._side


def _replacing(gone: list[Level], levels: list[Level]) -> list[Level]:
    """The changes that make `levels` of what was `gone` (a price may be in both)."""
    return list({**{price: 0.0 for price, _ in gone}, **dict(levels)}.items())

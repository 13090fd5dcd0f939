"""Book: an order book that follows a bid and an ask, and says what changed."""

from random import Random

from wsctl.server.sources.grid import Grid
from wsctl.server.sources.tick import Level

DEPTH = 15
_STEEPNESS = 0.3
"""how much larger a level is for each place away from the touch, as a share of the first"""


class Book:
    """The best levels of both sides, on a grid of prices and one of sizes; empty until its first move.

    Every bid is at or below the touch's bid and every ask at or above its ask, so that the book is never
    crossed or locked, and neither is that of a client who applies each move's changes as one.
    """

    __slots__ = ("_asks", "_bids", "_prices", "_sizes")

    def __init__(self, prices: Grid, sizes: Grid, typical: float, random: Random) -> None:
        """`typical` is the size of the levels nearest to the touch, on average."""
        self._prices = prices
        self._sizes = sizes
        steps = typical * sizes.scale
        self._bids = _Ladder(steps, random, last=-1)
        self._asks = _Ladder(steps, random, last=None)

    def move(self, bid: int, ask: int) -> tuple[list[Level], list[Level]]:
        """Follow the market to a bid and an ask, in steps of the price grid; answers what changed, by side.

        Sizes in changes are absolute, 0 removes a level; no price comes twice.
        """
        if not 0 < bid < ask:
            raise ValueError(f"bid {bid} and ask {ask}; expected 0 < bid < ask")
        return self._bid_levels(self._bids.move(-bid)), self._ask_levels(self._asks.move(ask))

    def levels(self) -> tuple[list[Level], list[Level]]:
        """Bids and asks, best first."""
        return self._bid_levels(self._bids.levels()), self._ask_levels(self._asks.levels())

    # Bids are kept under their negated price, so that on either side the best level is the lowest key.

    def _bid_levels(self, steps: dict[int, int]) -> list[Level]:
        prices, sizes = self._prices.scale, self._sizes.scale
        return [(-key / prices, size / sizes) for key, size in steps.items()]

    def _ask_levels(self, steps: dict[int, int]) -> list[Level]:
        prices, sizes = self._prices.scale, self._sizes.scale
        return [(key / prices, size / sizes) for key, size in steps.items()]


class _Ladder:
    """One side of a book: sizes by key, where the best level has the lowest key. All in whole steps."""

    __slots__ = ("_keys", "_last", "_random", "_sizes", "_typical")

    def __init__(self, typical: float, random: Random, *, last: int | None) -> None:
        """`last` is the highest key there may be (bids end above a price of 0)."""
        self._typical = typical
        self._random = random.random
        self._last = last
        self._keys: list[int] = []
        self._sizes: dict[int, int] = {}

    def levels(self) -> dict[int, int]:
        """Sizes by key, best first."""
        return {key: self._sizes[key] for key in self._keys}

    def move(self, touch: int) -> dict[int, int]:
        """Make `touch` the best level; answers the new sizes of the levels that changed, 0 for those gone."""
        gap = max(1, abs(touch) // 10_000)  # levels are about a basis point apart
        changes: dict[int, int] = {}
        self._drop(touch, touch + 4 * DEPTH * gap, changes)
        if len(self._keys) < DEPTH:
            self._fill(gap, changes)
        place = int(self._random() * len(self._keys))  # somebody changed their mind
        self._set(place, self._keys[place], changes)
        return changes

    def _drop(self, touch: int, far: int, changes: dict[int, int]) -> None:
        """Drop what is better than the touch or lies too far behind it, and put the touch in front."""
        keys = self._keys
        while keys and keys[0] < touch:
            self._remove(keys.pop(0), changes)
        if not keys or keys[0] != touch:
            keys.insert(0, touch)
            self._set(0, touch, changes)
        while len(keys) > DEPTH or keys[-1] > far:
            self._remove(keys.pop(), changes)

    def _fill(self, gap: int, changes: dict[int, int]) -> None:
        """Add levels behind the last until the book is as deep as it should be."""
        keys = self._keys
        while len(keys) < DEPTH:
            key = keys[-1] + gap // 2 + 1 + int(self._random() * gap)
            if self._last is not None and key > self._last:
                return
            self._set(len(keys), key, changes)
            keys.append(key)

    def _set(self, place: int, key: int, changes: dict[int, int]) -> None:
        spread = 0.3 + 1.4 * self._random()
        size = 1 + int(self._typical * (1 + _STEEPNESS * place) * spread)
        self._sizes[key] = changes[key] = size

    def _remove(self, key: int, changes: dict[int, int]) -> None:
        del self._sizes[key]
        changes[key] = 0

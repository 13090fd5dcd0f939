"""Grid: prices or sizes with a fixed number of decimals, as exchanges have them."""

import math
from typing import Final

LOWEST: Final = 1e-18
HIGHEST: Final = 1e15
"""prices and quantities from LOWEST to HIGHEST can be told apart on some grid"""

MAX_DECIMALS: Final = 22
"""10**22 is the largest power of ten that a float holds exactly"""

_MIN_STEPS: Final = 100
_MAX_STEPS: Final = 10**15


class Grid:
    """Whole steps inside, floats outside: steps / scale is the very float that the decimal text reads as."""

    __slots__ = ("decimals", "scale")

    def __init__(self, decimals: int) -> None:
        self.decimals = decimals
        self.scale: int = 10**decimals

    @classmethod
    def for_price(cls, price: float, decimals: int) -> "Grid":
        """A grid of `decimals`, or of as many as it takes for a step to be at most 0.1 % of the price."""
        magnitude = math.floor(math.log10(price))
        fine_enough = max(decimals, 3 - magnitude)
        return cls(max(0, min(fine_enough, 14 - magnitude, MAX_DECIMALS)))

    def fits(self, value: float) -> bool:
        """Whether the grid suits values of this size: not too coarse for them, and not finer than floats."""
        return _MIN_STEPS <= value * self.scale <= _MAX_STEPS

    def nearest(self, value: float) -> int:
        """The step nearest to a value."""
        return round(value * self.scale)

    def floor(self, value: float) -> int:
        """The highest step that is not above a value."""
        steps = round(value * self.scale)
        return steps if steps / self.scale <= value else steps - 1

    def value(self, steps: int) -> float:
        """The float of a step."""
        return steps / self.scale


def decimals_of(text: str) -> int:
    """How many decimals a number is written with, trailing zeros aside: 3 for `1.01100`, 7 for `1e-7`."""
    mantissa, _, exponent = text.lower().partition("e")
    fraction = mantissa.partition(".")[2].rstrip("0")
    return max(0, min(len(fraction) - int(exponent or 0), MAX_DECIMALS))

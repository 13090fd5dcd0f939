"""Numbers of a feed, read and written."""

import math
from decimal import Decimal
from typing import Any

MOST_DECIMALS = 12
"""decimals of a price or amount that are shown"""


def number_of(value: Any) -> float | None:
    """A number, also as text (many feeds quote theirs); None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def decimals_of(number: float) -> int:
    """How many decimals a number is written with."""
    exponent = Decimal(str(number)).normalize().as_tuple().exponent
    return min(MOST_DECIMALS, max(0, -exponent)) if isinstance(exponent, int) else 0


def rounded(number: float, digits: int) -> float:
    """To so many significant digits, but never to tens: what is before the point stays."""
    return round(number, max(0, digits - 1 - Decimal(str(number)).adjusted()))


def written(number: float) -> str:
    """As people write it: without exponent, with separated thousands and no more decimals than it takes."""
    return f"{number:,.{decimals_of(number)}f}"

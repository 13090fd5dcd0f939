"""Recorded prices to play: real ones where they are at hand, and a small file with every awkward case."""

import csv
from pathlib import Path
from typing import NamedTuple

CAPTURE = Path(__file__).parents[3] / "shared" / "captures" / "trades-okx.csv"
"""beside the repository, where somebody keeps captures there"""

SMALL = """\
time_ms,symbol,price,quantity
1652459200000,BTC/USDT,30236,0.0002
1652459200000,BTC/USDT,30236,0.0002
1652459200000,BTC/USDT,30236.5,0.1
1652459200000,ETH/USDT,2000.01,3
1652459200100,ETH/USDT,2000.01,3
1652459200100,BTC-USD-220527,30218.8,1
1652459200050,BTC/USDT,30236,7
1652459201000,ETH/USDT,1999.99,0.5
1652459202000,BTC/USDT,0.00000123,1000000
1652459202000,BTC/USDT,123456789.5,1
1652459203000,ETH/USDT,2000.01,3
"""


class Recording(NamedTuple):
    """A file of trades and what a client of it must receive: each symbol's prices, in order."""

    file: Path
    prices: dict[str, list[float]]
    speed: str

    @property
    def symbols(self) -> list[str]:
        """All of them."""
        return list(self.prices)

    @property
    def count(self) -> int:
        """Trades in all."""
        return sum(map(len, self.prices.values()))


def read(file: Path, speed: str) -> Recording:
    """The prices per symbol, read without any of wsctl's own code."""
    prices: dict[str, list[float]] = {}
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            prices.setdefault(row["symbol"], []).append(float(row["price"]))
    return Recording(file, prices, speed)

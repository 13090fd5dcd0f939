"""RecordedSource: the trades of a CSV file, each with exactly its price and quantity."""

import csv
import math
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import BinaryIO, Final, NoReturn

from wsctl.errors import UsageError
from wsctl.model.channel import is_name
from wsctl.server.sources.grid import HIGHEST, LOWEST, Grid, decimals_of
from wsctl.server.sources.market import Market
from wsctl.server.sources.tick import Tick

HEADER: Final = ["time_ms", "symbol", "price", "quantity"]

_YEAR_9999_MS: Final = 253_402_300_800_000
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_NO_NUMBERS = {"nan", "inf", "infinity"}


class RecordedSource:
    """Real trades from a CSV file of `time_ms,symbol,price,quantity`: one tick for every row, in its order.

    A row is due when its recorded time says, counted from the first row; one that is dated before an
    earlier row follows that row at once. Recorded trades carry neither quotes nor order book nor side: bid,
    ask and book are simulated around the price, the side follows the tick rule (up is a buy, down a sell,
    unchanged as before; the first a buy), and the volume is what was traded since the start.

    With `loop`, the first row follows the last after one mean interval (a second where the file has none);
    trade ids and volume go on.
    """

    def __init__(self, path: Path, speed: float = 1.0, loop: bool = False, *, seed: int = 0) -> None:
        """Reads and validates the whole file; `speed` 2 plays it in half the time.

        Raises UsageError, with file and row, for a file that cannot be played, or a speed not above 0.
        """
        if not (speed > 0 and math.isfinite(speed)):
            raise UsageError(f"speed {speed:g}; expected a number above 0")
        self._rows = _read(path)
        self._speed = speed
        self._loop = loop
        self.symbols = tuple(self._rows.symbols)
        self._markets = [column.market(symbol, f"{seed}:{symbol}") for symbol, column in self._rows.symbols.items()]

    def ticks(self) -> Iterator[Tick]:
        """All ticks in order of `due`; without end if it loops."""
        lap_ms = self._rows.span_ms() + self._rows.mean_interval_ms()
        lap = 0
        while True:
            yield from self._play(lap * lap_ms)
            if not self._loop:
                return
            lap += 1

    def set_price(self, symbol: str, price: float) -> NoReturn:
        """Raises UsageError: what was recorded stays as it was."""
        raise UsageError(
            f"the price of {symbol} is recorded and cannot be set; expected a simulated symbol",
            hint="serve without --prices to simulate",
        )

    def _play(self, start_ms: float) -> Iterator[Tick]:
        """The rows once, the first of them due at `start_ms` (before speed)."""
        rows, markets, pace = self._rows, self._markets, 1000 * self._speed
        first = latest = rows.times[0]
        for time, which, price, quantity in zip(rows.times, rows.which, rows.prices, rows.quantities, strict=True):
            latest = max(latest, time)
            yield markets[which].trade((start_ms + latest - first) / pace, price, quantity, time / 1000)


class _Column:
    """What the rows of one symbol have in common."""

    __slots__ = ("count", "decimals", "first_price", "index", "lot_decimals", "traded")

    def __init__(self, index: int, first_price: float) -> None:
        self.index = index
        self.first_price = first_price
        self.decimals = 0
        self.lot_decimals = 0
        self.traded = 0.0
        self.count = 0

    def market(self, symbol: str, seed: str) -> Market:
        """A market that quotes as this symbol's rows are written."""
        return Market(
            symbol,
            self.first_price,
            decimals=self.decimals,
            lots=Grid(self.lot_decimals),
            typical=self.traded / self.count,
            random=Random(seed),  # noqa: S311 - repeatable on purpose
        )


class _Rows:
    """Parsed rows as four arrays, 28 bytes a row: files may have millions."""

    __slots__ = ("prices", "quantities", "symbols", "times", "which")

    def __init__(self) -> None:
        self.symbols: dict[str, _Column] = {}
        self.times = array("d")  # milliseconds, as recorded
        self.which = array("I")  # index of the symbol
        self.prices = array("d")
        self.quantities = array("d")

    def add(self, row: list[str]) -> None:
        """Parse one row; raises ValueError with what is wrong with it."""
        if len(row) != len(HEADER):
            raise ValueError(f"{len(row)} columns; expected {len(HEADER)}: {','.join(HEADER)}")
        time = _time(row[0])
        if not is_name(row[1]):
            raise ValueError(f"bad symbol {row[1]!r}; expected letters, digits and . _ / -")
        price, quantity = _positive("price", row[2]), _positive("quantity", row[3])
        column = self.symbols.get(row[1])
        if column is None:
            column = self.symbols[row[1]] = _Column(len(self.symbols), price)
        column.decimals = max(column.decimals, decimals_of(row[2]))
        column.lot_decimals = max(column.lot_decimals, decimals_of(row[3]))
        column.traded += quantity
        column.count += 1
        self.times.append(time)
        self.which.append(column.index)
        self.prices.append(price)
        self.quantities.append(quantity)

    def span_ms(self) -> float:
        """From the first row to the latest."""
        return max(self.times) - self.times[0]

    def mean_interval_ms(self) -> float:
        """Between two rows; a second if all are simultaneous, so that a loop takes time."""
        return self.span_ms() / max(1, len(self.times) - 1) or 1000.0


def _read(path: Path) -> _Rows:
    try:
        with path.open("rb") as file:
            return _parse(path, file)
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot read {path}: {reason.lower()}; expected a CSV file of {','.join(HEADER)}") from error


def _parse(path: Path, file: BinaryIO) -> _Rows:
    rows = _Rows()
    reader = csv.reader(_lines(path, file), strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise UsageError(f"{path} is empty; expected the header {','.join(HEADER)}")
        if header != HEADER:
            raise ValueError(f"header {','.join(header)!r}; expected {','.join(HEADER)}")
        for row in reader:
            if row:  # a blank line is no row
                rows.add(row)
    except (ValueError, csv.Error) as error:
        raise UsageError(f"{path}, row {reader.line_num}: {error}") from error
    if not rows.times:
        raise UsageError(f"{path} has no rows below its header; expected at least one trade")
    return rows


def _lines(path: Path, file: BinaryIO) -> Iterator[str]:
    """Decoded line by line, so that a bad byte is found in its row."""
    for number, line in enumerate(file, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            bad = line[error.start]
            raise UsageError(f"{path}, row {number}: byte 0x{bad:02x} is not UTF-8; expected UTF-8 text") from error


def _time(text: str) -> float:
    time = _number("time_ms", text)
    if not 0 <= time < _YEAR_9999_MS:
        raise ValueError(f"time_ms {text!r} is no date; expected milliseconds since 1970")
    return time


def _positive(name: str, text: str) -> float:
    value = _number(name, text)
    if not value > 0 or math.isinf(value):
        raise ValueError(f"{name} {text!r} is not positive and finite; expected a number above 0")
    if not LOWEST <= value <= HIGHEST:
        raise ValueError(f"{name} {text!r} is out of range; expected {LOWEST:g} to {HIGHEST:g}")
    return value


def _number(name: str, text: str) -> float:
    """A float as files write it: no `1_000`, no blanks. NaN and Infinity are left to the caller's bounds."""
    if _NUMBER.fullmatch(text) or text.lower().lstrip("+-") in _NO_NUMBERS:
        return float(text)
    raise ValueError(f"{name} {text!r} is not a number; expected digits such as 30236.5")

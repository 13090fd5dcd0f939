"""Trades in a CSV file of `time_ms,symbol,price,quantity`, as `wsctl serve --prices` reads it.

Each row becomes a `price:update` of the platform's own dialect, its price and quantity as precise as they were
written. Nobody numbered the rows, so there is no `seq`: their order cannot be verified, only their times.
"""

import csv
import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain

import msgspec

from wsctl.errors import UsageError
from wsctl.model.channel import is_name, ticker
from wsctl.model.event import PRICE_UPDATE
from wsctl.tape.format import Header, TapeFrame
from wsctl.tape.reader import STREAM_CUT
from wsctl.tape.source import Source

HEADER = "time_ms,symbol,price,quantity"

_YEAR_9999_MS = 253_402_300_800_000
_NUMBER = re.compile(r"\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_encode = msgspec.json.Encoder(decimal_format="number").encode


def recognises(line: bytes) -> bool:
    """Whether a file's first line is this header."""
    return line.strip() == HEADER.encode()


class TradesReader:
    """Iterates a CSV file's rows as a TapeReader does: one connection, and a message for every row.

    Raises UsageError, with the line's number, for a row that is no trade.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.line = 0
        self.truncated: str | None = None
        rows = self._read()
        first = next(rows, None)
        if first is None:
            raise UsageError(f"{source.name} has no rows below its header; expected at least one trade")
        self._rows = chain([first], rows)
        self.header = Header(started_ns=first[0], dialect="socketio", clock="wall")

    @property
    def place(self) -> str:
        """The latest record's file and line."""
        return f"{self._source.name}:{self.line}"

    def __iter__(self) -> Iterator[TapeFrame]:
        yield TapeFrame(0, "c1", "open")
        for unix_ns, text in self._rows:
            yield TapeFrame(unix_ns - self.header.started_ns, "c1", "in", text)

    def _read(self) -> Iterator[tuple[int, str]]:
        """Unix time in ns and the frame of each row."""
        for line in self._source:
            self.line += 1
            if line.isspace() or recognises(line):
                continue
            try:
                yield _trade(line)
            except (ValueError, csv.Error) as error:
                raise UsageError(f"{self.place}: {error}") from error
        if self._source.cut:
            self.truncated = STREAM_CUT


def _trade(line: bytes) -> tuple[int, str]:
    row = next(csv.reader([line.decode().rstrip("\r\n")], strict=True))
    if len(row) != 4:
        raise ValueError(f"{len(row)} columns; expected {HEADER}")
    time_ms, symbol = _number("time_ms", row[0]), row[1]
    if not time_ms < _YEAR_9999_MS:
        raise ValueError(f"time_ms {row[0]!r} is no date; expected milliseconds since 1970")
    if not is_name(symbol):
        raise ValueError(f"bad symbol {symbol!r}; expected letters, digits and . _ / -")
    payload = {
        "symbol": symbol,
        "price": _number("price", row[2]),
        "quantity": _number("quantity", row[3]),
        "channel": ticker(symbol),
        "timestamp": time_ms,
    }
    # 4: an Engine.IO message; 2: a Socket.IO event
    return int(time_ms.scaleb(6)), "42" + _encode([PRICE_UPDATE, payload]).decode()


def _number(name: str, text: str) -> Decimal:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{name} {text!r} is not a positive number; expected digits such as 30236.5")
    value = Decimal(text)
    if not value:
        raise ValueError(f"{name} {text!r}; expected a number above 0")
    return value

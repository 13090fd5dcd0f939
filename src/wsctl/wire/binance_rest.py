"""Binance over HTTP: order books that agree with the stream, `ping` and `time`.

Source: binance-spot-api-docs, rest-api.md ("order book", "how to manage a local order book correctly"); errors.md.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Struct

from wsctl.model.event import Event
from wsctl.wire.rest import Answer, as_json, key_of

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 5000

_BASES: Final = ("/api/v3/", "/api/v1/", "/fapi/v1/", "/fapi/v2/")

Levels = list[tuple[Decimal, Decimal]]
"""price and quantity; a Decimal keeps the zeros that the exchange wrote"""


class _Depth(Struct):
    """What is recorded of an answer to `depth`."""

    lastUpdateId: int
    bids: Levels
    asks: Levels
    E: int | None = None
    T: int | None = None


class _Diff(Struct):
    """What a book needs of a `depthUpdate`."""

    s: str
    u: int
    b: Levels
    a: Levels
    E: int | None = None
    T: int | None = None


class Book:
    """A recorded snapshot with the stream's diffs applied."""

    def __init__(self, recorded: _Depth) -> None:
        self.last_id = recorded.lastUpdateId
        self._bids = dict(recorded.bids)
        self._asks = dict(recorded.asks)
        self._times = recorded.E, recorded.T

    def apply(self, diff: _Diff) -> None:
        """Take a diff that is news; what the snapshot covers changes nothing."""
        if diff.u <= self.last_id:
            return
        self.last_id = diff.u
        for side, levels in ((self._bids, diff.b), (self._asks, diff.a)):
            for price, quantity in levels:
                if quantity:
                    side[price] = quantity
                else:
                    side.pop(price, None)
        if self._times != (None, None):  # futures
            self._times = diff.E, diff.T

    def as_json(self, limit: int) -> dict[str, Any]:
        """As the exchange answers, best prices first."""
        emitted, traded = self._times
        times = {} if emitted is None else {"E": emitted, "T": traded}
        return {
            "lastUpdateId": self.last_id,
            **times,
            "bids": _best(self._bids, limit, highest=True),
            "asks": _best(self._asks, limit, highest=False),
        }


class BinanceRest:
    """Spot's `/api/v3` and USD-M futures' `/fapi/v1` alike."""

    def __init__(self) -> None:
        self._books: dict[str, Book] = {}
        self._symbols: set[str] = set()

    def recorded(self, url: str, body: str | bytes) -> None:
        """An answer to `depth` begins the book of its symbol, or takes its place if it is newer."""
        path, query = key_of(url)
        symbol = dict(query).get("symbol")
        if _name_of(path) != "depth" or symbol is None:
            return
        try:
            depth = msgspec.json.decode(body, type=_Depth)
        except msgspec.DecodeError:  # an error was recorded
            return
        book = self._books.get(symbol)
        if book is None or book.last_id < depth.lastUpdateId:
            self._books[symbol] = Book(depth)

    def event(self, event: Event) -> None:
        """Symbols are known by their messages; diffs go into their books."""
        data = event.data
        symbol = data.get("s") if isinstance(data, dict) else None
        if not isinstance(symbol, str):
            return
        self._symbols.add(symbol)
        book = self._books.get(symbol)
        if book is None or event.name != "depthUpdate":
            return
        try:
            book.apply(msgspec.convert(data, _Diff))
        except msgspec.ValidationError:  # no diff of a book, whatever it calls itself
            return

    def answer(self, target: str, now: float) -> Answer | None:
        path, pairs = key_of(target)
        name, query = _name_of(path), dict(pairs)
        if name == "ping":
            return as_json(200, {})
        if name == "time":
            return as_json(200, {"serverTime": int(now * 1000)})
        return self._depth(query) if name == "depth" else None

    def _depth(self, query: dict[str, str]) -> Answer:
        symbol, limit = query.get("symbol"), query.get("limit", str(DEFAULT_LIMIT))
        if not symbol:
            return _refusal(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        if not (limit.isascii() and limit.isdigit() and len(limit) < 10):
            return _refusal(-1100, "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'.")
        book = self._books.get(symbol)
        if book is not None:
            return as_json(200, book.as_json(min(int(limit) or DEFAULT_LIMIT, MAX_LIMIT)))
        if symbol in self._symbols:
            return as_json(404, {"code": -1000, "msg": f"wsctl: the tape holds no depth snapshot of {symbol}."})
        return _refusal(-1121, "Invalid symbol.")


def _refusal(code: int, message: str) -> Answer:
    return as_json(400, {"code": code, "msg": message})


def _name_of(path: str) -> str | None:
    """`depth` of `/api/v3/depth`; None for other paths."""
    return next((path.removeprefix(base) for base in _BASES if path.startswith(base)), None)


def _best(side: dict[Decimal, Decimal], limit: int, *, highest: bool) -> list[list[str]]:
    return [[f"{price:f}", f"{side[price]:f}"] for price in sorted(side, reverse=highest)[:limit]]

"""Binance's streams: their names, the URLs that ask for them, and what payloads say about themselves.

Source: binance-spot-api-docs, web-socket-streams.md; for futures, the USD-M market streams' pages.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from wsctl.wire.dialect import NO_LINK, NO_QUOTE, Link, Price, Quote, Scheme
from wsctl.wire.values import instant, integer, text, written

ALL = "!"
"""begins the name of a stream about all symbols"""

_WORD = re.compile(r"(?:^!|@)([A-Za-z]+)([0-9]*)")
_EVENT_WORDS = {"depthUpdate": "depth", "24hrTicker": "ticker", "24hrMiniTicker": "miniTicker"}
_EVENT_WORDS |= {"markPriceUpdate": "markPrice"} | {
    f"{window}Ticker": f"ticker_{window}" for window in ("1h", "4h", "1d")
}
_SEQ_KEYS = {"depthUpdate": "u", "bookTicker": "u", "trade": "t", "aggTrade": "a", "depth": "lastUpdateId"}
_MONOTONIC = frozenset({"trade", "aggTrade", "bookTicker"})
_MICROSECONDS_FROM = 10**14
"""as milliseconds the year 5138, as microseconds 1973"""


class Endpoint(Struct, frozen=True):
    """What a URL asks for."""

    streams: tuple[str, ...]
    combined: bool
    """whether payloads are wrapped: `{"stream": …, "data": …}`"""


def read_url(url: str) -> Endpoint:
    """`/ws/<stream>/…`, `/stream?streams=<stream>/…`, or no stream at all, percent-encoded or not.

    Clients put folders before that and number their sockets after it (`/stream/ws/0`).
    """
    parts = urlsplit(url)
    asked = [value for key, _, value in (pair.partition("=") for pair in parts.query.split("&")) if key == "streams"]
    folders = [unquote(folder) for folder in parts.path.split("/") if folder]
    if "ws" in folders:
        streams = [name for name in folders[folders.index("ws") + 1 :] if not name.isdigit()]
        return Endpoint(_unique([*streams, *_joined(asked)]), False)
    return Endpoint(_unique(_joined(asked)), "stream" in folders)


def event_name(stream: str | None, payload: Any) -> str:
    """A payload's own type word (`e`); where it has none, that of its stream, or the one its keys give away."""
    first = payload[0] if isinstance(payload, list) and payload else payload
    if not isinstance(first, dict):
        first = {}
    named = text(first.get("e"))
    if named is None and stream is not None and (match := _WORD.search(stream)):
        named = match[1]
    return named or _given_away(first) or "message"


def stream_of(payload: Any, subscribed: Iterable[str]) -> str | None:
    """Which stream an unwrapped payload is of: the first subscribed one it fits, else the one its kind is called.

    None where it does not say: a partial book names no symbol, so that only the one such stream can be meant.
    """
    if isinstance(payload, list):
        return _matching(ALL + _word_of(event_name(None, payload), {}), subscribed)
    name, symbol = event_name(None, payload), text(payload.get("s"))
    if name == "message" or symbol is None:
        streams = tuple(subscribed)
        fitting = [stream for stream in streams if name == "depth" and _is_partial_book(stream)] or streams
        return fitting[0] if len(fitting) == 1 else None
    bare = f"{symbol.lower()}@{_word_of(name, payload)}"
    return _matching(bare, subscribed) or bare


def seq_of(stream: str | None, name: str, payload: Any) -> int | None:
    """The last id that a payload covers: of book updates, or of trades. None where its stream counts nothing."""
    if not isinstance(payload, dict) or (stream is not None and stream.startswith(ALL)):
        return None
    return integer(payload.get(_SEQ_KEYS.get(name, "")))


def sent_at_of(payload: Any) -> float | None:
    """The event time, unix seconds; the trade's where there is no other."""
    first = payload[0] if isinstance(payload, list) and payload else payload
    if not isinstance(first, dict):
        return None
    moment = integer(first.get("E", first.get("T")))
    return None if moment is None else instant(moment, _unit_of(moment))


def restamped(payload: Any, sent_at: float) -> Any:
    """A payload, or each of a list, with another event time; without one it stays as it is."""
    if isinstance(payload, list):
        return [restamped(each, sent_at) for each in payload]
    moment = integer(payload.get("E")) if isinstance(payload, dict) else None
    return payload if moment is None else {**payload, "E": written(sent_at, _unit_of(moment), moment)}


def scheme_of(stream: str) -> Scheme:
    """Diffs of the book cover ranges; ids of trades and of whole books only rise; streams about all count nothing."""
    match = None if stream.startswith(ALL) else _WORD.search(stream)
    if match is None:
        return "none"
    if match[1] == "depth":
        return "monotonic" if match[2] else "range"
    return "monotonic" if match[1] in _MONOTONIC else "none"


def link_of(data: Any) -> Link:
    """Of a diff of the book: its first id, and on futures the last one of the diff before."""
    if not isinstance(data, dict) or data.get("e") != "depthUpdate":
        return NO_LINK
    return Link(integer(data.get("U")), integer(data.get("pu")))


def quote_of(data: Any) -> Quote:
    """The price of a trade, the last one of a ticker, the closing one of a candle."""
    if not isinstance(data, dict):
        return NO_QUOTE
    name, candle = data.get("e"), data.get("k")
    price: Any = None
    if name in ("trade", "aggTrade", "markPriceUpdate"):
        price = data.get("p")
    elif isinstance(candle, dict):
        price = candle.get("c")
    elif isinstance(name, str) and name.endswith("Ticker"):
        price = data.get("c")
    return Quote(text(data.get("s")), _price(price))


def _unit_of(moment: int) -> str:
    return "ms" if moment < _MICROSECONDS_FROM else "us"


def _price(value: Any) -> Price | None:
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _joined(values: list[str]) -> list[str]:
    """`+` stays: it is no blank here but part of a candle's time zone."""
    return [name for value in values for name in unquote(value).split("/")]


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


def _given_away(payload: dict[str, Any]) -> str | None:
    if "lastUpdateId" in payload:
        return "depth"
    return "bookTicker" if {"u", "s", "b", "B", "a", "A"} <= payload.keys() else None


def _word_of(name: str, payload: dict[str, Any]) -> str:
    candle = payload.get("k")
    if name == "kline" and isinstance(candle, dict):
        return f"kline_{candle.get('i')}"
    return _EVENT_WORDS.get(name, name)


def _is_partial_book(stream: str) -> bool:
    match = _WORD.search(stream)
    return match is not None and match[1] == "depth" and match[2] != ""


def _matching(bare: str, streams: Iterable[str]) -> str | None:
    """The first stream that is called so, perhaps with a depth and a speed behind it."""
    fits = re.compile(rf"{re.escape(bare)}(?:[0-9]*(?:@.*)?)")
    return next((stream for stream in streams if fits.fullmatch(stream)), None)

"""The platform's events inside Socket.IO: its two payload forms for the server, and a reader for clients.

The reader takes feeds of others as well: where a fact has no agreed place, it looks where such feeds
usually put it, or where the user says (JMESPath).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from msgspec import Struct

from wsctl.errors import UsageError
from wsctl.model.channel import ticker
from wsctl.model.event import PRICE_UPDATE, Event

Payload = dict[str, Any]

SEQ_KEYS = ("seq", "q", "sequence")
TIME_KEYS = ("timestamp", "t", "ts", "time")
_platform = itemgetter("channel", "epoch", "seq", "timestamp")


class Stamp(Struct, frozen=True):
    """What the hub adds to a payload: the common fields. Times are unix seconds."""

    channel: str
    epoch: str
    seq: int
    sent_at: float
    source_at: float | None = None
    snapshot: bool = False


def full(name: str, payload: Payload, stamp: Stamp) -> Payload:
    """The payload with every common field."""
    filled = {
        **payload,
        "channel": stamp.channel,
        "seq": stamp.seq,
        "epoch": stamp.epoch,
        "timestamp": _milliseconds(stamp.sent_at),
    }
    if stamp.source_at is not None:
        filled["sourceTime"] = _milliseconds(stamp.source_at)
    if stamp.snapshot:
        filled["snapshot"] = True
    return filled


def compact(name: str, payload: Payload, stamp: Stamp) -> Payload:
    """Prices as `{s, p, v, t, q, e}`, with `c` outside the ticker channel and `n: 1` on snapshots; the rest in full."""
    if name != PRICE_UPDATE:
        return full(name, payload, stamp)
    symbol = payload["symbol"]
    short = {
        "s": symbol,
        "p": payload["price"],
        "v": payload["volume"],
        "t": _milliseconds(stamp.sent_at),
        "q": stamp.seq,
        "e": stamp.epoch,
    }
    if stamp.channel != ticker(symbol):
        short["c"] = stamp.channel
    if stamp.snapshot:
        short["n"] = 1
    return short


FORMS: Mapping[str, Callable[[str, Payload, Stamp], Payload]] = {"full": full, "compact": compact}
"""How one event can be written; a client picks with `format` in its handshake auth."""


class EventReader:
    """Reads (event name, arguments) as an Event, whatever feed it came from.

    `seq_path`, `time_path` and `channel_path` are JMESPath expressions on the first argument; they replace
    the places looked at otherwise. Raises UsageError for a path that does not parse.
    """

    def __init__(
        self, *, seq_path: str | None = None, time_path: str | None = None, channel_path: str | None = None
    ) -> None:
        self._seq = _compile(seq_path)
        self._time = _compile(time_path)
        self._channel = _compile(channel_path)
        self._usual = seq_path is time_path is channel_path is None

    def read(self, name: str, args: Sequence[Any]) -> Event:
        """The Event in one Socket.IO event; what is not there stays None."""
        body = args[0] if args else None
        data = body if len(args) <= 1 else list(args)
        if not isinstance(body, dict):
            return Event(name=name, data=data)
        return (self._usual and _of_platform(name, body, data)) or Event(
            name=name,
            channel=self._find_channel(name, body),
            epoch=_text(body.get("epoch", body.get("e"))),
            seq=_integer(self._seq(body) if self._seq else _first(body, SEQ_KEYS)),
            sent_at=_instant(self._time(body) if self._time else _find_time(body)),
            data=data,
        )

    def _find_channel(self, name: str, body: Payload) -> str | None:
        if self._channel:
            return _text(self._channel(body))
        if "channel" in body:
            return _text(body["channel"])
        if name == PRICE_UPDATE and "symbol" not in body and "s" in body:  # compact
            return _text(body.get("c")) or ticker(str(body["s"]))
        return None


def _of_platform(name: str, body: Payload, data: Any) -> Event | None:
    """What the platform itself says need not be looked for. Tapes are read at some hundred thousand a second."""
    try:
        channel, epoch, seq, time = _platform(body)
    except KeyError:
        return None
    if type(channel) is type(epoch) is str and type(seq) is int and type(time) is float and 1e11 <= time < 1e14:
        return Event(name=name, channel=channel, epoch=epoch, seq=seq, sent_at=time / 1e3, data=data)
    return None


def source_time(data: Any) -> float | None:
    """When a value was due at its source, unix seconds; None where a payload does not say."""
    return _instant(data.get("sourceTime")) if isinstance(data, dict) else None


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _first(body: Payload, keys: Sequence[str]) -> Any:
    for key in keys:  # a generator would take three times as long
        if key in body:
            return body[key]
    return None


def _find_time(body: Payload) -> Any:
    """A time in the body or, in an envelope `{seq, payload}`, inside it."""
    inner = body.get("payload")
    found = _first(body, TIME_KEYS)
    return _first(inner, TIME_KEYS) if found is None and isinstance(inner, dict) else found


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: Any) -> int | None:
    """An int, also as text (some feeds quote large numbers); a bool is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return None


def _instant(value: Any) -> float | None:
    """Unix seconds from seconds, ms, µs or ns (told apart by size) or from ISO 8601 text with a zone."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        return moment.timestamp() if moment.tzinfo else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 1e9:
        return None
    for limit, unit in ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9)):
        if value < limit:
            return value / unit
    return None


def _compile(path: str | None) -> Callable[[Payload], Any] | None:
    if path is None:
        return None
    try:
        expression = jmespath.compile(path)
    except JMESPathError as error:
        cause = str(error).splitlines()[0].removeprefix("Invalid jmespath expression: ").rstrip(":")
        raise UsageError(
            f"bad path {path!r}: {cause[:1].lower()}{cause[1:]}", hint="paths are JMESPath, such as meta.seq"
        ) from error

    def search(body: Payload) -> Any:
        try:
            return expression.search(body)
        except JMESPathError as error:  # an expression that parses and cannot be applied, such as abs(symbol)
            raise UsageError(f"path {path!r} cannot be applied: {str(error).splitlines()[0]}") from error

    return search

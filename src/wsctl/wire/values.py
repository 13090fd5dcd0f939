"""Reading what exchanges write: JSON, whole numbers of any size, instants."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from wsctl.errors import WireError
from wsctl.wire.dialect import Frame

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""units of time, by how many make a second"""

_WHOLE = re.compile(r"-?[0-9]{1,4000}")  # int() refuses to read more
_DECIMAL = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_LARGEST = 10**21
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def decode_json(frame: Frame) -> Any:
    """The object or list in a frame; whole numbers stay exact. Raises WireError for anything else."""
    try:
        value = _decode(frame)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise WireError(f"a frame that is not JSON: {error}") from error
    if not isinstance(value, dict | list):
        raise WireError(f"a frame that is {value!r:.40}; expected an object or a list")
    return value


def encode_json(value: Any) -> str:
    """A value as the text of a frame."""
    return _encode(value).decode()


def integer(value: Any) -> int | None:
    """A whole number, also as text, of any size; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else None


def instant(value: Any, unit: str) -> float | None:
    """Unix seconds from a number (or its text) in a unit of `UNITS`, or from ISO 8601 with a zone (`iso`).

    None for anything else. What a float can hold of a present-day instant is a quarter of a microsecond.
    """
    if unit == "iso":
        return from_iso(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST < value < _LARGEST:
        return None
    return float(value / UNITS[unit])  # between whole numbers rounded once


def written(seconds: float, unit: str, like: Any) -> Any:
    """Unix seconds as a feed writes them: in a unit of `UNITS` or `iso`, a text or a number as `like` is one."""
    if unit == "iso":
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    fraction = isinstance(like, float) or (isinstance(like, str) and "." in like)
    number = round(seconds * UNITS[unit], 6 if fraction else None)
    return str(number) if isinstance(like, str) else number


def from_iso(value: Any) -> float | None:
    """Unix seconds from ISO 8601 with a zone, down to the microsecond; None for anything else."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return (moment - _EPOCH) / _MICROSECOND / 1e6 if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def text(value: Any) -> str | None:
    """A text that says something; None for anything else."""
    return value if isinstance(value, str) and value else None

"""The tape's lines: a header, then a line for each thing that happened. docs/tape.md specifies them."""

from decimal import Decimal
from typing import Any, Literal, cast, get_args

import msgspec
from msgspec import Struct

from wsctl.errors import UsageError

VERSION = 1

Direction = Literal["in", "out", "open", "close", "http"]
"""in: from server to client; out: from client to server, whoever recorded it; http: an answer to a request"""

_DIRECTIONS = frozenset(get_args(Direction))
_WITH_FRAME = frozenset({"in", "out", "http"})
_YEAR_9999 = 253_402_300_800


class Header(Struct, frozen=True, kw_only=True):
    """What a tape says about itself. Facts that nobody knows are None."""

    started_ns: int
    """the instant that offsets count from, unix nanoseconds"""
    dialect: str | None = None
    url: str | None = None
    clock: str = "monotonic"
    """what measured the offsets: `monotonic`, or `wall`, whose offsets may fall where it was set back"""
    part: int = 1
    """2, 3 and so on after a rotation; offsets run on from the first part's start"""
    conns: dict[str, str | None] = {}
    """connections that were open already when this part began, and their URLs"""

    def unix_seconds(self, at_ns: int) -> float:
        """An offset as an instant, as precise as a float can be."""
        return (self.started_ns + at_ns) / 1_000_000_000  # 1e9 would round twice


class TapeFrame(Struct, frozen=True):
    """One line of a tape: a frame, an opened or closed connection, or an HTTP answer."""

    at_ns: int
    """since the header's start"""
    conn: str
    """`c1`, and `c1.2` when that client came back; empty for HTTP answers"""
    direction: Direction
    frame: str | bytes | None = None
    """a text frame as str, a binary one as bytes; the body of an HTTP answer"""
    url: str | None = None
    """of `open` and `http`"""
    code: int | None = None
    """of `close`, as received or 1006; None where nobody noted it"""
    reason: str | None = None
    """of `close`"""
    status: int | None = None
    """of `http`; None where nobody noted it"""
    headers: tuple[tuple[str, str], ...] = ()
    """of the handshake's request (`open`) or of the answer (`http`)"""
    method: str = "GET"
    """of the request that was answered (`http`)"""


class _Line(Struct, kw_only=True, omit_defaults=True):
    """A TapeFrame as it stands in the file."""

    at: int
    conn: str = ""
    dir: str
    text: str | None = None
    base64: bytes | None = None
    url: str | None = None
    code: int | None = None
    reason: str | None = None
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"


class _HeaderLine(Struct, kw_only=True):
    started_at: Decimal
    dialect: str | None = None
    url: str | None = None
    clock: str = "monotonic"
    part: int = 1
    conns: dict[str, str | None] = {}


class _Mark(Struct):
    """What tells a header from every other line of JSON."""

    wsctl: Literal["tape"]
    version: Any = None


_encode = msgspec.json.Encoder().encode
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_header = msgspec.json.Decoder(_HeaderLine).decode
_decode_mark = msgspec.json.Decoder(_Mark).decode


def encode_header(header: Header) -> bytes:
    """The first line, with its newline."""
    seconds, rest = divmod(header.started_ns, 1_000_000_000)
    line: dict[str, Any] = {
        "wsctl": "tape",
        "version": VERSION,
        "dialect": header.dialect,
        "url": _sayable(header.url),
        "started_at": msgspec.Raw(f"{seconds}.{rest:09}".encode()),
        "clock": header.clock,
    }
    if header.part > 1:
        line |= {"part": header.part, "conns": {conn: _sayable(url) for conn, url in header.conns.items()}}
    return _encode(line) + b"\n"


def decode_header(line: bytes, place: str) -> Header:
    """Raises UsageError, beginning with `place`, for a header that cannot be read or is of a newer version."""
    try:
        version = _decode_mark(line).version
        if isinstance(version, int) and version > VERSION:
            raise UsageError(
                f"{place}: a tape of version {version}; this wsctl reads up to version {VERSION}",
                hint="a newer wsctl wrote it, and reads it",
            )
        if version != VERSION or version is True:
            raise UsageError(f"{place}: version {version!r}; expected {VERSION}")
        header = _decode_header(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"{place}: not a tape's header: {str(error)[:120].lower()}") from error
    start = header.started_at
    if not (start.is_finite() and 0 <= start < _YEAR_9999):
        raise UsageError(f"{place}: started_at is no date; expected unix seconds")
    return Header(
        started_ns=int(start.scaleb(9)),
        dialect=header.dialect,
        url=header.url,
        clock=header.clock,
        part=header.part,
        conns=header.conns,
    )


def is_header(line: bytes) -> bool:
    """Whether a line begins a tape, of whatever version."""
    try:
        _decode_mark(line)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def encode_frame(frame: TapeFrame) -> bytes:
    """One line, with its newline."""
    try:
        return _encode(_to_line(frame)) + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair: Python can hold it, a WebSocket cannot carry it as text
        return _encode(_to_line(_without_surrogates(frame))) + b"\n"


def decode_frame(line: bytes) -> TapeFrame | None:
    """A line's TapeFrame; None for a `dir` that this version does not know. Raises msgspec.DecodeError."""
    read = _decode_line(line)
    text, direction = read.text, read.dir
    if text is not None and (direction == "in" or direction == "out"):  # most lines by far
        return TapeFrame(read.at, read.conn, cast("Direction", direction), text)
    if direction not in _DIRECTIONS:
        return None
    frame = read.base64 if text is None else text
    if frame is None and direction in _WITH_FRAME:
        raise msgspec.ValidationError(f"`{direction}` without `text` or `base64`")
    kind = cast("Direction", direction)
    return TapeFrame(
        read.at, read.conn, kind, frame, read.url, read.code, read.reason, read.status, read.headers, read.method
    )


def _to_line(frame: TapeFrame) -> _Line:
    content = frame.frame
    return _Line(
        at=frame.at_ns,
        conn=frame.conn,
        dir=frame.direction,
        text=content if isinstance(content, str) else None,
        base64=content if isinstance(content, bytes) else None,
        url=frame.url,
        code=frame.code,
        reason=frame.reason,
        status=frame.status,
        headers=frame.headers,
        method=frame.method,
    )


def _without_surrogates(frame: TapeFrame) -> TapeFrame:
    """The same with text that UTF-8 cannot say as bytes, and `?` in what is no frame."""
    content = frame.frame
    if isinstance(content, str) and _sayable(content) != content:
        content = content.encode(errors="surrogatepass")
    return msgspec.structs.replace(
        frame,
        frame=content,
        url=_sayable(frame.url),
        reason=_sayable(frame.reason),
        headers=tuple((name, _sayable(value) or "") for name, value in frame.headers),
    )


def _sayable(text: str | None) -> str | None:
    return None if text is None else text.encode(errors="replace").decode()

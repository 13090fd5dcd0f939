"""Raw captures of cryptofeed (AsyncFileCallback), the `.ws.` and the `.http.` files.

A record is one line: `URL <-> T` a connection was opened, `URL <- T: text` sent, `T: text` received, `URL -> T: body`
an HTTP answer, perhaps with ` header: {json}` behind it. T is unix seconds in decimal. What was binary stands as a
Python literal (`b'…'`). A file is about one connection; when it was opened again, the client came back.
"""

import ast
import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

import msgspec

from wsctl.errors import UsageError
from wsctl.tape.format import Header, TapeFrame
from wsctl.tape.reader import LINE_CUT, STREAM_CUT
from wsctl.tape.source import Source

DialectOf = Callable[[str], str | None]

_RECORD = re.compile(rb"(?:(\S+) (<->|<-|->) )?(\d{1,11})(?:\.(\d{1,9}))?(?:: (.*))?", re.DOTALL)
_BINARY = re.compile(r"b(['\"]).*\1", re.DOTALL)
_CONFIGURATION = b"configuration: "
"""a line that tells cryptofeed how to play the files back"""

_DIALECTS = {
    "binance.com": "binance",
    "binance.us": "binance",
    "pro.coinbase.com": "coinbase",
    "exchange.coinbase.com": "coinbase",
    "kraken.com": "kraken",
    "okx.com": "okx",
    "okex.com": "okx",
    "bybit.com": "bybit",
}


def dialect_of(url: str) -> str | None:
    """The dialect that an exchange's host speaks."""
    host = urlsplit(url).hostname or ""
    return next((name for known, name in _DIALECTS.items() if f".{host}".endswith(f".{known}")), None)


def recognises(line: bytes) -> bool:
    """Whether a file's first line is cryptofeed's."""
    match = _RECORD.match(line)
    is_record = match is not None and (match[2] == b"<->" or match[5] is not None)
    return is_record or line.startswith(_CONFIGURATION)


class CryptofeedReader:
    """Iterates a capture's records as a TapeReader does; offsets count from the first one, by the wall clock.

    Raises UsageError, with the line's number, for a line that is no record.
    """

    _started_ns: int | None = None

    def __init__(self, source: Source, dialect_of: DialectOf = dialect_of) -> None:
        self._source = source
        self.line = 0
        self.truncated: str | None = None
        self._opened = 0
        self._conn = "c1"
        records = self._read()
        first = next(records, None)
        if first is None or self._started_ns is None:
            raise UsageError(f"{source.name} holds no whole record")
        self._records: Iterator[TapeFrame] = chain([first], records)
        self.header = Header(
            started_ns=self._started_ns,
            dialect=dialect_of(first.url) if first.url else None,
            url=first.url if first.direction == "open" else None,
            clock="wall",
        )

    @property
    def place(self) -> str:
        """The latest record's file and line."""
        return f"{self._source.name}:{self.line}"

    def __iter__(self) -> Iterator[TapeFrame]:
        return self._records

    def _read(self) -> Iterator[TapeFrame]:
        for line in self._source:
            self.line += 1
            if line.isspace() or line.startswith(_CONFIGURATION):
                continue
            if not line.endswith(b"\n") and not _is_whole(line):
                self.truncated = LINE_CUT
                return
            try:
                record = self._parse(line.removesuffix(b"\n"))
            except ValueError as error:  # UnicodeDecodeError is one
                raise UsageError(f"{self.place}: not a record of cryptofeed: {error}") from error
            yield record
        if self._source.cut:
            self.truncated = STREAM_CUT

    def _parse(self, line: bytes) -> TapeFrame:
        match = _RECORD.fullmatch(line)
        if match is None:
            raise ValueError("expected `URL <-> T`, `URL <- T: text`, `T: text` or `URL -> T: body`")
        url, kind, seconds, fraction, content = match.groups()
        if (content is None) is not (kind == b"<->"):
            raise ValueError("no text behind the time" if content is None else "text behind an opened connection")
        # exactly: a float knows these instants to 240 ns only
        unix_ns = int(seconds) * 1_000_000_000 + int((fraction or b"").ljust(9, b"0"))
        if self._started_ns is None:
            self._started_ns = unix_ns
        at_ns = unix_ns - self._started_ns
        if kind is None:
            return TapeFrame(at_ns, self._conn, "in", _frame(content))
        if kind == b"<-":
            return TapeFrame(at_ns, self._conn, "out", _frame(content))
        if kind == b"->":
            body, headers = _split_headers(content.decode())
            return TapeFrame(at_ns, "", "http", body, url.decode(), headers=headers)
        self._opened += 1
        if self._opened > 1:
            self._conn = f"c1.{self._opened}"
        return TapeFrame(at_ns, self._conn, "open", url=url.decode())


def _frame(content: bytes) -> str | bytes:
    text = content.decode()
    if _BINARY.fullmatch(text):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return text
        if isinstance(value, bytes):
            return value
    return text


def _split_headers(content: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    body, mark, text = content.rpartition(" header: ")
    if mark:
        try:
            headers = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError:
            return content, ()  # the words were the body's own
        return body, tuple((name, str(value)) for name, value in headers.items())
    return content, ()


def _is_whole(line: bytes) -> bool:
    """Whether a line without a newline was cut off: nobody can tell, unless its text is JSON."""
    _, found, content = line.partition(b": ")
    try:
        return bool(found) and isinstance(msgspec.json.decode(content), dict | list)
    except msgspec.DecodeError:
        return False

"""Body: where an HTTP message ends, by its head and what comes (RFC 9112, 6 and 7). No I/O; nothing is changed."""

import re
from collections.abc import Callable

from wsctl.chaos.heads import Head
from wsctl.errors import WireError

MAX_LINE = 4096
"""bytes of a line between chunks"""
_NO_BODY = (204, 304)
_HEX = re.compile(rb"[0-9A-Fa-f]{1,16}")
_LENGTH = re.compile(r"[0-9]{1,18}")


class Body:
    """What follows a head. `is_whole` once all of it was taken; one that `lasts` ends with its connection."""

    def __init__(self, length: int | None, *, chunked: bool = False, lasts: bool = False) -> None:
        self.lasts = lasts
        self.is_whole = length == 0 and not chunked and not lasts
        self._left = length or 0
        """bytes of the body, or of a chunk with its line end"""
        self._line = b""
        self._next: Callable[[bytes], None] | None = self._size if chunked else None

    def take(self, data: bytes) -> int:
        """How many of these bytes belong to it. Raises WireError for chunks that are none."""
        if self.lasts:
            return len(data)
        at = 0
        while at < len(data) and not self.is_whole:
            at = self._skip(data, at) if self._left else self._read_line(data, at)
        return at

    def _skip(self, data: bytes, at: int) -> int:
        taken = min(self._left, len(data) - at)
        self._left -= taken
        self.is_whole = not self._left and self._next is None
        return at + taken

    def _read_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at) + 1
        self._line += data[at : end or len(data)]
        if len(self._line) > MAX_LINE:
            raise WireError(f"a line of {len(self._line):,} bytes between chunks; expected at most {MAX_LINE:,}")
        if not end:
            return len(data)
        line, self._line = self._line.strip(), b""
        assert self._next is not None, "it is chunked"
        self._next(line)
        return end

    def _size(self, line: bytes) -> None:
        """`1a;extension`: so many bytes and a line end; after `0` come the trailers."""
        number = line.partition(b";")[0].strip()
        if not _HEX.fullmatch(number):
            raise WireError(f"a chunk of size {number[:40]!r}; expected a hexadecimal number")
        if size := int(number, 16):
            self._left = size + 2
        else:
            self._next = self._trailer

    def _trailer(self, line: bytes) -> None:
        self.is_whole = not line


def of_request(head: Head) -> Body:
    """Without a length it has none. Raises WireError."""
    if head.has("transfer-encoding", "chunked"):
        return Body(None, chunked=True)
    return Body(_length(head) or 0)


def of_answer(head: Head, method: str) -> Body:
    """Without a length it lasts. Raises WireError."""
    if method == "HEAD" or head.status in _NO_BODY:
        return Body(0)
    if head.has("transfer-encoding", "chunked"):
        return Body(None, chunked=True)
    length = _length(head)
    return Body(length, lasts=length is None)


def _length(head: Head) -> int | None:
    text = head.get("content-length")
    if not text:
        return None
    if not _LENGTH.fullmatch(text):
        raise WireError(f"a content-length of {text[:40]!r}; expected a number")
    return int(text)

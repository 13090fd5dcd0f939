"""WebSocket frames as bytes, lawful or not, and the frames that come back. No I/O.

By hand, as libraries refuse to write what this is for. Source of the layout: RFC 6455, section 5.2, and RFC 7692 where
it is compressed.
"""

import struct
import zlib
from collections.abc import Iterator

from msgspec import Struct

from wsctl.fuzz.steps import Frame, expand

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
RSV1 = 4
KEY = b"\x00\x00\x00\x00"
"""of masks: it is as lawful as any, and leaves the bytes as they are"""
_TAIL = b"\x00\x00\xff\xff"
"""left out at the end of a compressed message (RFC 7692, section 7.2.1)"""


def build(frame: Frame, *, client: bool) -> bytes:
    """A frame's bytes, once."""
    content = expand(frame.data)
    if frame.deflated:
        content = deflate(content)
    return head(frame, len(content), client=client) + content


def head(frame: Frame, size: int, *, client: bool) -> bytes:
    """What stands before a content of so many bytes."""
    masked = client if frame.masked is None else frame.masked
    length = size if frame.length is None else frame.length
    first = frame.fin << 7 | (frame.rsv & 7) << 4 | frame.opcode & 15
    mask = 0x80 if masked else 0
    if length > 0xFFFF or frame.wide:
        parts = struct.pack("!BBQ", first, mask | 127, length)
    elif length > 125:
        parts = struct.pack("!BBH", first, mask | 126, length)
    else:
        parts = bytes((first, mask | length))
    return parts + (KEY if masked else b"")


def deflate(content: bytes) -> bytes:
    """As a compressed message: raw deflate, flushed, without its tail."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return (packer.compress(content) + packer.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)


def inflate(content: bytes, most: int) -> bytes:
    """A compressed message, at most so many bytes of it. Raises zlib.error."""
    return zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(content + _TAIL, most)


class Seen(Struct, frozen=True):
    """A frame that came."""

    opcode: int
    content: bytes
    fin: bool
    rsv: int


class Reader:
    """Makes frames of bytes. What is longer than `most` bytes is cut short, and still skipped whole."""

    def __init__(self, most: int = 1 << 20) -> None:
        self._most = most
        self._bytes = bytearray()
        self._skip = 0
        """bytes left of a frame that is longer than anybody wants to see"""

    def feed(self, received: bytes) -> Iterator[Seen]:
        """The frames that are complete now."""
        self._bytes += received
        while self._bytes:
            if self._skip:
                gone = min(self._skip, len(self._bytes))
                del self._bytes[:gone]
                self._skip -= gone
                continue
            parsed = self._parse()
            if parsed is None:
                return
            yield parsed

    def _parse(self) -> Seen | None:
        buffer = self._bytes
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 0x7F, 2
        if length >= 126:
            width = 2 if length == 126 else 8
            if len(buffer) < start + width:
                return None
            length, start = int.from_bytes(buffer[start : start + width], "big"), start + width
        masked = buffer[1] & 0x80
        begin = start + (4 if masked else 0)
        shown = min(length, self._most)
        if len(buffer) < begin + shown:
            return None
        content = bytes(buffer[begin : begin + shown])
        if masked:
            content = _unmask(content, bytes(buffer[start:begin]))
        seen = Seen(opcode=buffer[0] & 15, content=content, fin=bool(buffer[0] & 0x80), rsv=buffer[0] >> 4 & 7)
        del buffer[: begin + shown]
        self._skip = length - shown
        return seen


def _unmask(content: bytes, key: bytes) -> bytes:
    long = (key * (len(content) // 4 + 1))[: len(content)]
    return (int.from_bytes(content, "big") ^ int.from_bytes(long, "big")).to_bytes(len(content), "big")

"""WebSocket frames as they stand on the wire: taken apart without being changed. No I/O.

By hand, as a proxy hands on the bytes that came, mask and all. Source of the layout: RFC 6455, section 5.2.
"""

import struct
from collections.abc import Iterator

from msgspec import Struct

from wsctl.errors import WireError

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NO_FRAME = -1
"""the opcode of bytes that are no frame where none is compressed: reserved bits or a reserved opcode"""
_NO_MASK = b"\x00\x00\x00\x00"
"""a lawful mask that leaves the bytes as they are"""


class RawFrame(Struct, frozen=True):
    """A frame that came."""

    raw: bytes
    """all of it"""
    opcode: int
    fin: bool
    start: int
    """where its content begins"""
    masked: bool

    @property
    def is_control(self) -> bool:
        """Close, ping and pong: they may stand between the frames of a message."""
        return self.opcode >= CLOSE

    @property
    def content(self) -> bytes:
        """Without its mask."""
        content = self.raw[self.start :]
        return unmask(content, self.raw[self.start - 4 : self.start]) if self.masked else content


class Splitter:
    """Makes frames of bytes. Raises WireError for one that is longer than `most` bytes.

    What is no frame, and all behind it, comes as NO_FRAME: where it would end nobody knows.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = bytearray()
        """of a frame that is not complete"""
        self._need = 0
        """bytes until it can be, so that a long frame that comes in pieces is looked at once"""
        self._is_lost = False

    def give_up(self) -> None:
        """From here on nothing is a frame."""
        self._is_lost = True

    def feed(self, received: bytes) -> Iterator[RawFrame]:
        """The frames that are complete now, one by one; take them all."""
        if self._left:
            self._left += received
            if len(self._left) < self._need:
                return
            received = bytes(self._left)
            self._left.clear()
        self._need = 0
        at, end = 0, len(received)
        while at < end:
            first = received[at]
            if self._is_lost or first & 0x70 or first & 7 > BINARY:
                self.give_up()
                yield RawFrame(received[at:], NO_FRAME, True, 0, False)
                return
            if end - at < 2:
                break
            second = received[at + 1]
            size, start = second & 0x7F, at + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                if end - start < width:
                    break
                size, start = int.from_bytes(received[start : start + width], "big"), start + width
                if size > self._most:
                    raise WireError(f"a frame of {size:,} bytes; expected at most {self._most:,}")
            masked = second >= 0x80
            if masked:
                start += 4
            if end - start < size:
                self._need = start + size - at
                break
            yield RawFrame(received[at : start + size], first & 15, first >= 0x80, start - at, masked)
            at = start + size
        self._left += received[at:]


def build(opcode: int, content: bytes, *, mask: bool) -> RawFrame:
    """A whole message in one frame."""
    size, bit = len(content), 0x80 if mask else 0
    if size > 0xFFFF:
        head = struct.pack("!BBQ", 0x80 | opcode, bit | 127, size)
    elif size > 125:
        head = struct.pack("!BBH", 0x80 | opcode, bit | 126, size)
    else:
        head = bytes((0x80 | opcode, bit | size))
    if mask:
        head += _NO_MASK
    return RawFrame(head + content, opcode, True, len(head), mask)


def unmask(content: bytes, key: bytes) -> bytes:
    """A content with its mask on or off: the same."""
    if key == _NO_MASK:
        return content
    size = len(content)
    long = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(content, "big") ^ int.from_bytes(long, "big")).to_bytes(size, "big")

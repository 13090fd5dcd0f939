"""Frames as bytes, against the library that reads them strictly, and against what it writes."""

import struct

import pytest
from websockets.exceptions import ProtocolError
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame as LibraryFrame
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side

from wsctl.fuzz import frames
from wsctl.fuzz.frames import Reader, Seen, build, head
from wsctl.fuzz.steps import Frame, data

SIZES = (0, 1, 125, 126, 65535, 65536)


def read(written: bytes, *, client: bool, deflate: bool = False) -> list[LibraryFrame]:
    """What the library makes of it, at the other side. Raises ProtocolError."""
    protocol = Protocol(Side.SERVER if client else Side.CLIENT)
    protocol.extensions = [PerMessageDeflate(True, True, 15, 15)] if deflate else []
    protocol.receive_data(written)
    if protocol.parser_exc is not None:
        raise protocol.parser_exc
    return [event for event in protocol.events_received() if isinstance(event, LibraryFrame)]


@pytest.mark.parametrize("client", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_lawful_frames_are_read(size: int, client: bool) -> None:
    """Each way to write a length, masked by a client and only by it."""
    content = bytes(index % 251 for index in range(size))
    (seen,) = read(build(Frame(opcode=2, data=data(content)), client=client), client=client)
    assert (seen.opcode, bytes(seen.data), seen.fin) == (Opcode.BINARY, content, True)
    with pytest.raises(ProtocolError, match="masking"):
        read(build(Frame(opcode=2, data=data(content), masked=not client), client=client), client=client)


@pytest.mark.parametrize("opcode", [1, 2, 8, 9, 10])
@pytest.mark.parametrize("size", SIZES[:3])
def test_they_are_those_that_the_library_writes(opcode: int, size: int) -> None:
    """Without a mask there is one way to write a frame."""
    content = b"x" * size
    ours = build(Frame(opcode=opcode, data=data(content)), client=False)
    assert ours == LibraryFrame(Opcode(opcode), content).serialize(mask=False)


def test_a_message_in_fragments_is_read() -> None:
    """A text, its continuation, and a ping between them."""
    parts = (
        Frame(data=data("é", ("x", 3)), fin=False),
        Frame(opcode=9, data=data("p")),
        Frame(opcode=0, data=data("y")),
    )
    seen = read(b"".join(build(part, client=True) for part in parts), client=True)
    assert [(one.opcode, bytes(one.data), one.fin) for one in seen] == [
        (Opcode.TEXT, "éxxx".encode(), False),
        (Opcode.PING, b"p", True),
        (Opcode.CONT, b"y", True),
    ]


def test_compressed_frames_are_read() -> None:
    """RFC 7692: what is deflated here is inflated there, and the other way round."""
    built = build(Frame(data=data(("wsctl", 100)), rsv=4, deflated=True), client=True)
    assert len(built) < 50
    (seen,) = read(built, client=True, deflate=True)
    assert bytes(seen.data) == b"wsctl" * 100
    theirs = LibraryFrame(Opcode.TEXT, b"wsctl" * 100).serialize(
        mask=False, extensions=[PerMessageDeflate(True, True, 15, 15)]
    )
    (back,) = Reader().feed(theirs)
    assert back.rsv == 4
    assert frames.inflate(back.content, 1000) == b"wsctl" * 100


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (Frame(data=data("x"), rsv=2), "reserved bits"),
        (Frame(opcode=5, data=data("x")), "opcode"),
        (Frame(opcode=9, data=data(("x", 126))), "too long"),
        (Frame(opcode=8, data=data(b"\x03\xe8"), fin=False), "fragmented"),
        (Frame(opcode=8, data=data(b"\x03")), "close frame"),
        (Frame(opcode=0, data=data("x")), "continuation"),
    ],
)
def test_unlawful_frames_are_refused(frame: Frame, error: str) -> None:
    """Each rule that is broken is the one that was meant."""
    with pytest.raises(ProtocolError, match=error):
        read(build(frame, client=True), client=True)


def test_a_head_claims_what_it_is_told() -> None:
    """Any length of 64 bits, in eight bytes where it is asked for."""
    assert head(Frame(length=2**64 - 1), 0, client=False) == b"\x81\x7f" + b"\xff" * 8
    assert head(Frame(wide=True), 5, client=False) == b"\x81\x7f" + struct.pack("!Q", 5)
    assert head(Frame(length=300), 5, client=True) == b"\x81\xfe\x01\x2c\0\0\0\0"


def test_a_reader_reads_what_comes_byte_by_byte() -> None:
    """Frames of either side, in any pieces."""
    sent = [LibraryFrame(Opcode.TEXT, b"a" * size).serialize(mask=mask) for size in SIZES[:5] for mask in (True, False)]
    whole = b"".join(sent)
    reader, seen = Reader(), []
    for start in range(0, len(whole), 7):
        seen += reader.feed(whole[start : start + 7])
    sizes = [size for size in SIZES[:5] for _ in range(2)]
    assert seen == [Seen(opcode=1, content=b"a" * size, fin=True, rsv=0) for size in sizes]


def test_a_reader_keeps_no_more_than_it_may() -> None:
    """What is longer is cut short, skipped whole, and what follows is read."""
    long = build(Frame(opcode=2, data=data(("x", 5000))), client=False)
    after = build(Frame(data=data("after")), client=False)
    reader, seen = Reader(100), []
    for start in range(0, len(long), 64):
        seen += reader.feed(long[start : start + 64])
    seen += reader.feed(after)
    assert [(one.opcode, one.content) for one in seen] == [(2, b"x" * 100), (1, b"after")]

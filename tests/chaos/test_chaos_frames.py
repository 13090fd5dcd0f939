"""Bytes to frames to messages: however they are cut, the same comes out, and the same bytes go on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from wsctl.chaos.body import Body, of_answer, of_request
from wsctl.chaos.heads import Head, parse
from wsctl.chaos.message import Assembler, Message, Reader
from wsctl.errors import WireError
from wsctl.wire import frames
from wsctl.wire.frames import RawFrame, Splitter, build, unmask

sizes = st.sampled_from((0, 1, 2, 124, 125, 126, 127, 300, 65535, 65536))
contents = st.one_of(st.binary(max_size=40), sizes.map(lambda size: b"x" * size))
opcodes = st.sampled_from((Opcode.TEXT, Opcode.BINARY, Opcode.CONT))
written = st.lists(
    st.one_of(
        st.builds(Frame, opcodes, contents, st.booleans()),
        st.builds(Frame, st.sampled_from((Opcode.PING, Opcode.PONG)), st.binary(max_size=125)),
    ),
    max_size=8,
)


def cut(draw: st.DataObject, whole: bytes) -> list[bytes]:
    """Bytes in pieces."""
    places = sorted(draw.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    return [whole[start:end] for start, end in zip([0, *places], [*places, len(whole)], strict=True)]


def split(pieces: list[bytes]) -> list[RawFrame]:
    """The frames of bytes that come in pieces."""
    splitter = Splitter(1 << 20)
    return [frame for piece in pieces for frame in splitter.feed(piece)]


@given(written, st.booleans(), st.data())
def test_any_cut_gives_the_same_frames(sent: list[Frame], mask: bool, data: st.DataObject) -> None:
    """As another implementation wrote them, to the byte."""
    raws = [frame.serialize(mask=mask) for frame in sent]
    got = split(cut(data, b"".join(raws)))
    assert [frame.raw for frame in got] == raws
    assert [(frame.opcode, frame.content, frame.fin, frame.masked) for frame in got] == [
        (frame.opcode, frame.data, frame.fin, mask) for frame in sent
    ]


@given(contents, st.binary(min_size=4, max_size=4))
def test_mask(content: bytes, key: bytes) -> None:
    """On and off again; and as the definition has it (RFC 6455, 5.3)."""
    assert unmask(content, key) == bytes(byte ^ key[at % 4] for at, byte in enumerate(content))
    assert unmask(unmask(content, key), key) == content


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_a_frame_that_is_built_is_read_again(size: int, mask: bool) -> None:
    content = b"y" * size
    [got] = split([build(frames.TEXT, content, mask=mask).raw])
    assert (got.content, got.opcode, got.fin, got.masked) == (content, frames.TEXT, True, mask)


def test_a_long_frame_in_small_pieces_is_looked_at_once() -> None:
    """What is missing is known: bytes that come are not copied again and again."""
    raw = build(frames.BINARY, b"z" * 100_000, mask=False).raw
    splitter = Splitter(1 << 20)
    list(splitter.feed(raw[:10]))
    before = splitter._left
    assert not [frame for at in range(10, len(raw) - 1) for frame in splitter.feed(raw[at : at + 1])]
    assert splitter._left is before
    assert [frame.raw for frame in splitter.feed(raw[-1:])] == [raw]


def test_a_frame_that_is_too_long() -> None:
    """It is refused by its head; what came before it goes on."""
    splitter = Splitter(1000)
    frames_of = splitter.feed(build(frames.TEXT, b"a", mask=False).raw + b"\x82\x7f" + (1 << 40).to_bytes(8))
    assert next(frames_of).content == b"a"
    with pytest.raises(WireError, match=r"a frame of 1,099,511,627,776 bytes; expected at most 1,000"):
        next(frames_of)


def messages(sent: list[bytes]) -> list[Message]:
    """The messages of frames."""
    assembler = Assembler("down", Reader())
    got = [assembler.add(frame) for frame in split(sent)]
    return [message for message in got if message is not None]


def raw(data: str | bytes, fin: bool = True, opcode: Opcode | None = None) -> bytes:
    """One frame as a server writes it."""
    usual = Opcode.TEXT if isinstance(data, str) else Opcode.BINARY
    return Frame(opcode or usual, data.encode() if isinstance(data, str) else data, fin).serialize(mask=False)


def test_fragments_are_one_message() -> None:
    """And its frames stay as they were."""
    sent = [raw('42["a', fin=False), raw('",', fin=False, opcode=Opcode.CONT), raw("1]", opcode=Opcode.CONT), raw("2")]
    first, second = messages(sent)
    assert (first.content, first.kind, first.raw) == (b'42["a",1]', "event", b"".join(sent[:3]))
    assert (second.content, second.kind) == (b"2", "transport")


def test_attachments_belong_to_their_message() -> None:
    """However many, fragmented or not; with another content they stay; a heartbeat between them stands for itself."""
    head = raw('452-["price:update",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]')
    attached = [raw(b"one"), raw(b"tw", fin=False), raw(b"o", opcode=Opcode.CONT)]
    ping, event = messages([head, attached[0], raw("2"), *attached[1:]])
    assert ping.content == b"2"
    assert event.raw == head + b"".join(attached)
    assert event.event is not None
    assert event.event.name == "price:update"
    assert event.replaced(b"451").raw == raw("451") + b"".join(attached)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('0{"sid":"x"}', "transport"),
        ("2probe", "transport"),
        ("1", "transport"),
        ("5", "transport"),
        ('40{"sid":"x"}', "join"),
        ("41", "join"),
        ('42["price:update",{}]', "event"),
        ('42/admin,["price:update",{}]', "event"),
        ('42["channel:heartbeat",{}]', "heartbeat"),
        ('42["channel:skipped",{}]', "heartbeat"),
        ('42["chat","channel:heartbeat"]', "event"),
        ('431["ok"]', "ack"),
        ("49", "other"),
        ("", "transport"),
    ],
)
def test_kinds(text: str, kind: str) -> None:
    [message] = messages([raw(text)])
    assert message.kind == kind


def test_an_endless_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put together is bounded."""
    monkeypatch.setattr("wsctl.chaos.message.MAX_MESSAGE", 1000)
    with pytest.raises(WireError, match=r"a message of more than 1,000 bytes"):
        messages([raw("4" * 400, fin=False), *[raw("x" * 400, fin=False, opcode=Opcode.CONT)] * 3])


# HTTP


def test_a_head_stays_as_it_is_where_nothing_is_changed() -> None:
    """Whatever its spaces and cases."""
    text = b"GET /x HTTP/1.1\r\nhOsT:a\r\nX:  two  spaces \r\nX: again\r\nSec-WebSocket-Extensions: y\r\n\r\n"
    head = parse(text)
    assert head.encode() == text
    changed = head.changed(host="b", without=("sec-websocket-extensions",))
    assert changed.encode() == b"GET /x HTTP/1.1\r\nhOsT: b\r\nX:  two  spaces \r\nX: again\r\n\r\n"


chunks = st.lists(st.binary(min_size=1, max_size=30), max_size=5).map(
    lambda parts: b"".join(b"%x;e=1\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\nTrailer: x\r\n\r\n"
)


@given(chunks, st.data())
def test_a_chunked_body_ends_where_it_ends(body: bytes, data: st.DataObject) -> None:
    """Not one byte of what is behind it belongs to it."""
    rest, taken = Body(None, chunked=True), b""
    pieces = cut(data, body + b"GET /next")
    while not rest.is_whole:
        piece = pieces.pop(0)
        taken += piece[: rest.take(piece)]
    assert taken == body


def head(*fields: str, line: str = "HTTP/1.1 200 OK") -> Head:
    """A head."""
    return Head(line, fields)


def test_where_bodies_end() -> None:
    """By their head and the request's method (RFC 9112, 6.3)."""
    assert of_request(head()).is_whole
    assert of_answer(head("Content-Length: 0"), "GET").is_whole
    assert of_answer(head("Content-Length: 10"), "HEAD").is_whole
    assert of_answer(head("Transfer-Encoding: chunked", line="HTTP/1.1 304 Not Modified"), "GET").is_whole
    assert of_answer(head(), "GET").lasts
    ten = of_answer(head("Content-Length: 10"), "GET")
    assert (ten.take(b"1234567"), ten.take(b"890and more"), ten.is_whole) == (7, 3, True)


@pytest.mark.parametrize("size", [b"-5", b"+5", b"0x5", b"1_0", b"", b"g"])
def test_chunks_that_are_none(size: bytes) -> None:
    with pytest.raises(WireError, match="a chunk of size"):
        Body(None, chunked=True).take(size + b"\r\nhello\r\n")


def test_lengths_that_are_none() -> None:
    with pytest.raises(WireError, match="a content-length of '5, 6'"):
        of_answer(head("Content-Length: 5", "Content-Length: 6"), "GET")
    with pytest.raises(WireError, match="a line of 5,000 bytes between chunks"):
        Body(None, chunked=True).take(b"1" * 5000)

"""Messages: what passes in one direction of a connection, put together from frames, and what each is about.

An event of Socket.IO with binary attachments is one message, however many frames it has.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from wsctl.errors import WireError
from wsctl.model.channel import symbol_of
from wsctl.model.event import HEARTBEAT, SKIPPED, Event
from wsctl.wire import dialect, socketio
from wsctl.wire.frames import CONTINUATION, TEXT, RawFrame, build
from wsctl.wire.payload import EventReader

Direction = Literal["down", "up"]
"""from the server to its client; from the client to its server"""

Kind = Literal["event", "heartbeat", "ack", "join", "transport", "other"]
"""an event; one about a channel's numbers (channel:heartbeat, channel:skipped); an acknowledgement; joining and
leaving; the transport's own (Engine.IO's OPEN, PING, probes …); nobody knows"""

MAX_MESSAGE = 64 * 1024 * 1024
"""bytes of one that is put together, its attachments and what its frames cost included"""
_FRAME_COSTS = 128
"""bytes of memory that a frame takes beside its own"""
_SAYS_NUMBERS = tuple(b'["%b"' % name.encode() for name in (HEARTBEAT, SKIPPED))


class Message:
    """One message: its frames as they came, and, asked for, what it is about."""

    __slots__ = ("_event", "_find", "attached", "content", "direction", "frames", "is_text", "kind")

    def __init__(
        self,
        direction: Direction,
        frames: Sequence[RawFrame],
        content: bytes,
        *,
        kind: Kind,
        find: Callable[[bytes], Event | None],
        attached: Sequence[RawFrame] = (),
    ) -> None:
        self.direction = direction
        self.frames = frames
        self.attached = attached
        """the frames of its attachments"""
        self.content = content
        """of its frames without attachments, put together"""
        self.is_text = frames[0].opcode == TEXT
        self.kind = kind
        self._find = find
        self._event: Event | Literal[False] | None = False

    @property
    def event(self) -> Event | None:
        """What it says, as far as anybody knows."""
        if self._event is False:
            self._event = self._find(self.content)
        return self._event

    @property
    def channel(self) -> str | None:
        """That it is about."""
        return None if self.event is None else self.event.channel

    @property
    def symbol(self) -> str | None:
        """Of that channel."""
        return None if self.channel is None else symbol_of(self.channel)

    @property
    def raw(self) -> bytes:
        """As it came."""
        if len(self.frames) == 1 and not self.attached:
            return self.frames[0].raw
        return b"".join(frame.raw for frame in (*self.frames, *self.attached))

    def replaced(self, content: bytes) -> "Message":
        """The same message with another content, and about what that says; attachments stay."""
        only = build(self.frames[0].opcode, content, mask=self.direction == "up")
        return Message(self.direction, [only], content, kind=self.kind, find=self._find, attached=self.attached)


class Assembler:
    """Makes messages of a direction's frames. Raises WireError for those that are longer than MAX_MESSAGE."""

    def __init__(self, direction: Direction, reader: "Reader") -> None:
        self._direction: Direction = direction
        self._reader = reader
        self._fragments: list[RawFrame] = []
        self._frames: list[RawFrame] = []
        """of a packet whose attachments are still to come"""
        self._content = b""
        self._attached: list[RawFrame] = []
        self._missing = 0
        self._size = 0
        """bytes of what is not complete"""

    @property
    def is_idle(self) -> bool:
        """Whether the next frame begins a message."""
        return not self._fragments and not self._missing

    def fits(self, frame: RawFrame) -> bool:
        """Whether it may come now: a continuation of something, or the beginning of something (RFC 6455, 5.4)."""
        return (frame.opcode == CONTINUATION) is bool(self._fragments)

    @property
    def begun(self) -> bytes:
        """What is not complete, as it came."""
        return b"".join(frame.raw for frame in (*self._frames, *self._attached, *self._fragments))

    def add(self, frame: RawFrame) -> Message | None:
        """The message that a frame completes, if it does."""
        if frame.fin and self.is_idle:
            return self._begin([frame], frame.content)
        self._size += len(frame.raw) + _FRAME_COSTS
        if self._size > MAX_MESSAGE:
            raise WireError(f"a message of more than {MAX_MESSAGE:,} bytes")
        self._fragments.append(frame)
        if not frame.fin:
            return None
        frames, self._fragments = self._fragments, []
        if self._missing and frames[0].opcode != TEXT:
            return self._attach(frames)
        content = b"".join(one.content for one in frames)
        if self._missing:  # a heartbeat of Engine.IO may stand between a packet and its attachments
            return self._reader.read(self._direction, frames, content)
        return self._begin(frames, content)

    def _begin(self, frames: list[RawFrame], content: bytes) -> Message | None:
        self._missing = self._reader.attachments(content) if frames[0].opcode == TEXT else 0
        if self._missing:
            self._frames, self._content = frames, content
            return None
        self._size = 0
        return self._reader.read(self._direction, frames, content)

    def _attach(self, frames: list[RawFrame]) -> Message | None:
        self._attached += frames
        self._missing -= 1
        if self._missing:
            return None
        first, self._frames = self._frames, []
        attached, self._attached, self._size = self._attached, [], 0
        return self._reader.read(self._direction, first, self._content, attached)


class Reader:
    """What messages of Socket.IO are about. Stateless; what it cannot read is `other`."""

    def __init__(self) -> None:
        self._events = EventReader()

    def attachments(self, text: bytes) -> int:
        """Binary messages that belong to this one: `451-[…` has one."""
        if text[:2] not in (b"45", b"46"):
            return 0
        count, dash, _ = text[2:8].partition(b"-")
        return int(count) if dash and count.isdigit() else 0

    def read(
        self, direction: Direction, frames: Sequence[RawFrame], content: bytes, attached: Sequence[RawFrame] = ()
    ) -> Message:
        """A message, its kind told by its first characters."""
        kind: Kind = "other"
        if frames[0].opcode == TEXT:
            kind = _kind_of(content[:2])
            if kind == "event" and any(name in content[:_EARLY] for name in _SAYS_NUMBERS):
                kind = "heartbeat"
        return Message(
            direction, frames, content, kind=kind, find=lambda content: self._event(content, kind), attached=attached
        )

    def _event(self, content: bytes, kind: Kind) -> Event | None:
        """An event with attachments is read without them: they are not what it is about."""
        if kind not in ("event", "heartbeat"):
            return None
        try:
            packet = socketio.Decoder().add(_without_attachments(content))
        except (WireError, UnicodeError):
            return None
        if packet is None or not isinstance(packet.data, list):
            return None
        name, *args = packet.data
        return self._events.read(name, args)


class DialectReader(Reader):
    """What messages of a raw dialect are about: both directions of one connection."""

    def __init__(self, spoken: dialect.Dialect, url: str) -> None:
        super().__init__()
        self._session = spoken.client(url)

    def attachments(self, text: bytes) -> int:
        """A message is a frame."""
        return 0

    def read(
        self, direction: Direction, frames: Sequence[RawFrame], content: bytes, attached: Sequence[RawFrame] = ()
    ) -> Message:
        """The session sees every message, so that it knows what was asked for, and none twice: what a message is about
        stays as its server said it, also where a fault changes it.
        """
        said = _text_or_bytes(content, frames[0])
        event: Event | None = None
        kind: Kind = "other"
        if direction == "up":
            self._session.sent(said)
        else:
            try:
                for received in self._session.receive(said):
                    if isinstance(received, Event):
                        event, kind = event or received, "event"
                    elif isinstance(received, dialect.Subscribed | dialect.Unsubscribed | dialect.Objected):
                        kind = "ack"
            except WireError:
                pass  # other
        return Message(direction, frames, content, kind=kind, find=lambda _: event)


_EARLY = 80
"""bytes within which a packet's namespace and event name begin"""
_KINDS: Mapping[bytes, Kind] = {
    b"42": "event",
    b"45": "event",
    b"43": "ack",
    b"46": "ack",
    b"40": "join",
    b"41": "join",
    b"44": "join",
}


def client_name(packet: bytes) -> str | None:
    """What a client calls itself in the auth of its CONNECT, `40{"client":"alice"}`; None: nothing."""
    start = packet.find(b"{")
    if start < 0:
        return None
    try:
        auth = json.loads(packet[start:])
    except ValueError:
        return None
    name = auth.get("client") if isinstance(auth, dict) else None
    return name if isinstance(name, str) else None


def _kind_of(first: bytes) -> Kind:
    return _KINDS.get(first, "other") if first[:1] == b"4" else "transport"


def _without_attachments(content: bytes) -> str:
    """`451-/ns,["x",{"_placeholder":true,"num":0}]` as `2/ns,[…]`."""
    text = content.decode()[1:]
    return "2" + text.partition("-")[2] if text[:1] == "5" else text


def _text_or_bytes(content: bytes, frame: RawFrame) -> str | bytes:
    return content.decode("utf-8", "replace") if frame.opcode == TEXT else content

"""Recorded frames as Events: what each connection on a tape said, by the dialect that it spoke."""

from collections.abc import Callable
from typing import Final

from wsctl.errors import WireError
from wsctl.model.event import Event
from wsctl.tape.format import Header, TapeFrame
from wsctl.wire import engineio, socketio
from wsctl.wire.dialect import ClientSession, Dialect, Received, Subscribed
from wsctl.wire.over_socketio import DialectReader
from wsctl.wire.payload import EventReader

MALFORMED_KEPT: Final = 10
"""objections to frames that are remembered; all are counted"""

_EVENT_HEAD: Final = f"{engineio.MESSAGE.value}{socketio.EVENT_HEAD}"
_EVENT: Final = _EVENT_HEAD + "["

Reader = Callable[[TapeFrame], list[Event]]
"""the events that a frame of one connection carries"""


class Reading:
    """The sessions of a recording. A frame that its dialect cannot read is counted, and carries nothing.

    Without a `dialect` it is the platform's Socket.IO, or whatever feed its events are told like.
    """

    def __init__(self, dialect: Dialect | None, header: Header) -> None:
        self.malformed: list[str] = []
        """`file:line: what is wrong`, the first ones"""
        self.malformed_count = 0
        self.subscribed: set[str] = set()
        """channels that a server said it would send, though it may never have"""
        self.namespace = "/"
        """of Socket.IO, where the latest event came"""
        self._dialect = dialect
        self._header = header
        self._readers: dict[str, Reader] = {}
        """by connection"""

    def events(self, frame: TapeFrame, place: str) -> list[Event]:
        """What a record says; nothing, unless a server sent it. `place` is its file and line."""
        try:
            return self.read(frame)
        except WireError as error:
            self.note(error, place)
            return []

    def read(self, frame: TapeFrame) -> list[Event]:
        """The same, for who makes no place of each record; `note` is to be told of the WireErrors that it raises."""
        direction = frame.direction
        if direction == "open":
            self._readers[frame.conn] = self._reader(frame.url)
        if direction != "in" and direction != "out":
            return []
        reader = self._readers.get(frame.conn)
        if reader is None:  # a tape that begins in the middle of a connection
            reader = self._readers[frame.conn] = self._reader(self._header.conns.get(frame.conn))
        return reader(frame)

    def note(self, error: WireError, place: str) -> None:
        """A record could not be read."""
        self.malformed_count += 1
        if len(self.malformed) < MALFORMED_KEPT:
            self.malformed.append(f"{place}: {error.message}")

    def _reader(self, url: str | None) -> Reader:
        if self._dialect is None:
            return _SocketIO(EventReader(), self)
        if self._dialect.over == "socketio":
            return _SocketIO(DialectReader(self._dialect), self)
        return _Raw(self._dialect.client(url or self._header.url or ""), self.subscribed)


class _Raw:
    """One connection in a raw WebSocket dialect; what its client sent says what is subscribed."""

    def __init__(self, session: ClientSession, subscribed: set[str]) -> None:
        self._session = session
        self._subscribed = subscribed
        self._events(session.open())

    def __call__(self, frame: TapeFrame) -> list[Event]:
        assert frame.frame is not None
        if frame.direction == "out":
            self._session.sent(frame.frame)
            return []
        return self._events(self._session.receive(frame.frame))

    def _events(self, found: list[Received]) -> list[Event]:
        for received in found:
            if isinstance(received, Subscribed):
                self._subscribed.update(received.channels)
        return [received for received in found if isinstance(received, Event)]


class _SocketIO:
    """One connection over Socket.IO. Only its events are looked at: a tape may begin after the handshake."""

    def __init__(self, reader: EventReader | DialectReader, reading: Reading) -> None:
        self._decoder = socketio.Decoder()
        self._reader = reader
        self._reading = reading

    def __call__(self, frame: TapeFrame) -> list[Event]:
        content = frame.frame
        assert content is not None
        if frame.direction == "out":
            return []
        if type(content) is str and content.startswith(_EVENT) and not self._decoder.waits:
            # the common path, at some hundred thousand a second
            name, *args = socketio.decode_event(content[len(_EVENT_HEAD) :])
            self._reading.namespace = "/"
            return [self._reader.read(name, args)]
        packet = engineio.decode(content)
        if packet.type is not engineio.MESSAGE:
            return []
        decoded = self._decoder.add(packet.data)
        if decoded is None or decoded.type is not socketio.EVENT:
            return []
        name, *args = decoded.data
        self._reading.namespace = decoded.namespace
        return [self._reader.read(name, args)]

"""Recorded frames as Observations: what the streams on a tape said, by the dialect that they were in."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from wsctl.errors import WireError
from wsctl.model.event import Event
from wsctl.model.observation import Observation
from wsctl.tape.format import TapeFrame
from wsctl.tape.recording import Recording
from wsctl.wire import engineio, socketio
from wsctl.wire.dialect import ClientSession, Dialect
from wsctl.wire.payload import EventReader

MALFORMED_KEPT: Final = 10
"""objections to frames that are remembered; all are counted"""

Reader = Callable[[TapeFrame], list[Event]]
"""the events that a frame of one connection carries"""


class Observing:
    """Iterates the Observations in a recording, once.

    Latencies are absent: whose clocks wrote the times, a tape cannot say. A frame that its dialect cannot read is
    counted and told by `malformed`; it does not end the reading. Raises UsageError for a line that cannot be read.
    """

    def __init__(self, recording: Recording, dialect: Dialect | None) -> None:
        self.recording = recording
        self.malformed: list[str] = []
        """`file:line: what is wrong`, the first ones"""
        self.malformed_count = 0
        self._dialect = dialect
        self._readers: dict[str, Reader] = {}
        """by connection"""
        self._url = recording.header.url or ""

    def __iter__(self) -> Iterator[Observation]:
        for frame in self.recording:
            if frame.direction == "open":
                self._readers[frame.conn] = self._reader(frame.url or self._url)
            elif frame.direction in ("in", "out") and frame.frame is not None:
                yield from self._observe(frame)

    def _observe(self, frame: TapeFrame) -> Iterator[Observation]:
        reader = self._readers.get(frame.conn)
        if reader is None:  # a tape that begins in the middle of a connection
            reader = self._readers[frame.conn] = self._reader(self._url)
        try:
            events = reader(frame)
        except WireError as error:
            self.malformed_count += 1
            if len(self.malformed) < MALFORMED_KEPT:
                self.malformed.append(f"{self.recording.place}: {error.message}")
            return
        at = self.recording.header.unix_seconds(frame.at_ns)
        for event in events:
            yield Observation(
                at, frame.conn, event.channel, event.name, event.epoch, event.seq, event.sent_at, None, event.data
            )

    def _reader(self, url: str) -> Reader:
        return _Raw(self._dialect.client(url)) if self._dialect is not None else _SocketIO()


class _Raw:
    """One connection in a raw WebSocket dialect; what its client sent says what is subscribed."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    def __call__(self, frame: TapeFrame) -> list[Event]:
        assert frame.frame is not None
        if frame.direction == "out":
            self._session.sent(frame.frame)
            return []
        return [received for received in self._session.receive(frame.frame) if isinstance(received, Event)]


class _SocketIO:
    """One connection over Socket.IO. Only its events are looked at: a tape may begin after the handshake."""

    def __init__(self) -> None:
        self._decoder = socketio.Decoder()
        self._reader = EventReader()

    def __call__(self, frame: TapeFrame) -> list[Event]:
        if frame.direction == "out":
            return []
        packet = engineio.decode(_frame(frame))
        if packet.type is not engineio.MESSAGE:
            return []
        decoded = self._decoder.add(packet.data)
        if decoded is None or decoded.type is not socketio.EVENT:
            return []
        name, *args = decoded.data
        return [self._reader.read(name, args)]


def _frame(frame: TapeFrame) -> Any:
    return frame.frame

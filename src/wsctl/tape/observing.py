"""Recorded frames as Observations: what the streams on a tape said, by the dialect that they were in."""

from collections.abc import Iterator

from wsctl.errors import WireError
from wsctl.model.event import Event
from wsctl.model.observation import Observation
from wsctl.tape.reading import Reading
from wsctl.tape.recording import Recording
from wsctl.wire.dialect import Dialect
from wsctl.wire.dialects import SOCKETIO


class Observing:
    """Iterates the Observations in a recording, once.

    A frame that its dialect cannot read does not end the reading; `reading` tells of them. Raises UsageError for a line
    that cannot be read.
    """

    def __init__(self, recording: Recording, dialect: Dialect | None) -> None:
        self.recording = recording
        self.reading = Reading(dialect, recording.header)

    def __iter__(self) -> Iterator[Observation]:
        for frame in self.recording:
            try:
                events = self.reading.read(frame)
            except WireError as error:
                self.reading.note(error, self.recording.place)
                continue
            if events:
                at = self.recording.header.unix_seconds(frame.at_ns)
                for event in events:
                    yield observed(event, frame.conn, at)


def left_out(reading: Reading, dialect: Dialect | None) -> str | None:
    """How many frames could not be read, and why the first could not, in a sentence; None: all could."""
    count = reading.malformed_count
    if not count:
        return None
    name = SOCKETIO if dialect is None else dialect.name
    return f"{count:,} {'frame is' if count == 1 else 'frames are'} not {name}; left out: {reading.malformed[0]}"


def observed(event: Event, conn: str, at: float, dialect: str | None = None) -> Observation:
    """A recorded Event as an Observation. Its latency is absent: whose clocks wrote the times, a tape cannot say."""
    return Observation(
        at, conn, event.channel, event.name, event.epoch, event.seq, event.sent_at, None, event.data, dialect
    )

"""Recorded frames as Observations: what the streams on a tape said, by the dialect that they were in."""

from collections.abc import Iterator

from wsctl.model.observation import Observation
from wsctl.tape.reading import Reading
from wsctl.tape.recording import Recording
from wsctl.wire.dialect import Dialect


class Observing:
    """Iterates the Observations in a recording, once.

    Latencies are absent: whose clocks wrote the times, a tape cannot say. A frame that its dialect cannot read does
    not end the reading; `reading` tells of them. Raises UsageError for a line that cannot be read.
    """

    def __init__(self, recording: Recording, dialect: Dialect | None) -> None:
        self.recording = recording
        self.reading = Reading(dialect, recording.header.url)

    def __iter__(self) -> Iterator[Observation]:
        for frame in self.recording:
            events = self.reading.events(frame, self.recording.place)
            if not events:
                continue
            at = self.recording.header.unix_seconds(frame.at_ns)
            for event in events:
                yield Observation(
                    at, frame.conn, event.channel, event.name, event.epoch, event.seq, event.sent_at, None, event.data
                )

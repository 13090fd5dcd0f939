"""What is on a tape, looked at before it is played: a server has to know which channels it has."""

from msgspec import Struct

from wsctl.errors import UsageError
from wsctl.tape.format import TapeFrame
from wsctl.tape.pace import timed
from wsctl.tape.reading import Reading
from wsctl.tape.recording import Recording
from wsctl.wire.dialect import Dialect
from wsctl.wire.rest import Key, key_of


class Contents(Struct, frozen=True):
    """What a tape holds."""

    channels: frozenset[str]
    """that its events are of, or that were subscribed and stayed silent"""
    answers: dict[Key, TapeFrame]
    """the first answer to each HTTP request"""
    seconds: float
    """from its first record to its last"""
    reading: Reading
    """what could not be read"""


def contents_of(recording: Recording, dialect: Dialect | None) -> Contents:
    """Read a recording to its end. Raises UsageError for a tape without a single event of its dialect."""
    reading = Reading(dialect, recording.header)
    channels: set[str] = set()
    answers: dict[Key, TapeFrame] = {}
    events, seconds = 0, 0.0
    for seconds, frame in timed(recording):  # noqa: B007 - the last one is the tape's length
        if frame.direction == "http" and frame.url is not None:
            answers.setdefault(key_of(frame.url), frame)
        for event in reading.events(frame, recording.place):
            events += 1
            if event.channel is not None:
                channels.add(event.channel)
    if not events:
        spoken = "socketio" if dialect is None else dialect.name
        why = f"; {reading.malformed[0]}" if reading.malformed else ""
        raise UsageError(f"the tape holds no event of {spoken}{why}", hint="--dialect says what it speaks")
    return Contents(frozenset(channels | reading.subscribed), answers, seconds, reading)

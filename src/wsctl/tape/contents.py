"""What is on a tape, looked at before it is played: a server has to know which channels it has."""

from collections import Counter

from msgspec import Struct

from wsctl.errors import UsageError
from wsctl.tape.format import TapeFrame
from wsctl.tape.pace import timed
from wsctl.tape.reading import Reading
from wsctl.tape.recording import Recording
from wsctl.tape.retelling import Retelling
from wsctl.wire.dialect import Dialect
from wsctl.wire.rest import Key, key_of

Place = tuple[str, str | None]
"""where an event is to be heard: the namespace (`/` where there are none) and the channel, None where it has none"""


class Contents(Struct, frozen=True):
    """What a tape holds."""

    channels: frozenset[str]
    """that its events are of, or that were subscribed and stayed silent"""
    messages: dict[tuple[Place, str], int]
    """how many events there are, by their place and the client that heard them (`c1` of `c1.2`)"""
    answers: dict[Key, TapeFrame]
    """the first answer to each GET"""
    seconds: float
    """from its first record to its last"""
    reading: Reading
    """what could not be read"""


def contents_of(recording: Recording, dialect: Dialect | None, *, restamp: bool = False) -> Contents:
    """Read a recording to its end.

    Raises UsageError for a tape without a single event of its dialect; to `restamp`, where a time cannot be written.
    """
    reading = Reading(dialect, recording.header)
    channels: set[str] = set()
    tried: set[str] = set()
    messages: Counter[tuple[Place, str]] = Counter()
    answers: dict[Key, TapeFrame] = {}
    seconds = 0.0
    for seconds, frame in timed(recording):  # noqa: B007 - the last one is the tape's length
        if frame.url is not None and answers_get(frame):
            answers.setdefault(key_of(frame.url), frame)
        for event in reading.events(frame, recording.place):
            messages[(reading.namespace, event.channel), client_of(frame.conn)] += 1
            if event.channel is not None:
                channels.add(event.channel)
                if restamp and event.sent_at is not None and event.channel not in tried:
                    tried.add(event.channel)
                    Retelling(dialect, restamp=True).tell([event], event.sent_at, lap=1)
    if not messages:
        spoken = "socketio" if dialect is None else dialect.name
        why = f"; {reading.malformed[0]}" if reading.malformed else ""
        raise UsageError(f"the tape holds no event of {spoken}{why}", hint="--dialect says what it speaks")
    return Contents(frozenset(channels | reading.subscribed), dict(messages), answers, seconds, reading)


def client_of(conn: str) -> str:
    """`c1` of `c1.2`."""
    return conn.partition(".")[0]


def answers_get(frame: TapeFrame) -> bool:
    """Whether a record is what was answered to a GET: other methods ask the same URL for something else."""
    return frame.direction == "http" and frame.method == "GET"

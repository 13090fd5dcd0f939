"""Recordings on the command line: which dialect one is in, and what to say of what could not be read."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from wsctl.cli.console import say
from wsctl.tape.reading import Reading
from wsctl.tape.recording import Merged, Recording, read_frames
from wsctl.tape.source import Source, open_source
from wsctl.wire.dialect import Dialect
from wsctl.wire.dialects import dialect_named, dialect_of

SOCKETIO = "socketio"


def frames_of(source: Source) -> Recording:
    """The frames of a tape or a capture. Raises UsageError for anything else."""
    return read_frames(source, _name_of)


@contextmanager
def opened(paths: Sequence[Path]) -> Iterator[Recording]:
    """Several recordings of one time as one."""
    with ExitStack() as stack:
        recordings = [frames_of(stack.enter_context(open_source(path))) for path in paths]
        yield recordings[0] if len(recordings) == 1 else Merged(recordings)


def spoken(asked: str | None, recording: Recording) -> Dialect | None:
    """What was asked for, else what the recording says; None for Socket.IO, which more than frames makes."""
    name = asked or recording.header.dialect
    return None if name is None or name == SOCKETIO else dialect_named(name)


def tell_malformed(reading: Reading, dialect: Dialect | None) -> None:
    """Say how many frames were left out, and why the first was."""
    if reading.malformed_count:
        name = SOCKETIO if dialect is None else dialect.name
        say(f"{reading.malformed_count:,} frames are not {name}; left out: {reading.malformed[0]}")


def tell_cut(cut: str | None) -> None:
    """Say what was cut off at the end."""
    if cut is not None:
        say(cut)


def _name_of(url: str) -> str | None:
    known = dialect_of(url)
    return None if known is None else known.name

"""Recordings on the command line: which dialect one is in, and what to say of what could not be read."""

from wsctl.cli.console import say
from wsctl.tape.observing import left_out
from wsctl.tape.reading import Reading
from wsctl.tape.recording import Recording
from wsctl.wire.dialect import Dialect
from wsctl.wire.dialects import spoken


def dialect_on(recording: Recording, asked: str | None) -> Dialect | None:
    """What was asked for, else what the recording says; None for Socket.IO, which more than frames makes."""
    return spoken(asked or recording.header.dialect)


def tell_malformed(reading: Reading, dialect: Dialect | None) -> None:
    """Say how many frames were left out, and why the first was."""
    what = left_out(reading, dialect)
    if what is not None:
        say(what)


def tell_cut(cut: str | None) -> None:
    """Say what was cut off at the end."""
    if cut is not None:
        say(cut)

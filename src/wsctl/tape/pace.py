"""A recording's own clock."""

from collections.abc import Iterator

from wsctl.tape.format import TapeFrame
from wsctl.tape.recording import Recording


def timed(recording: Recording) -> Iterator[tuple[float, TapeFrame]]:
    """The records, each with the seconds since the first.

    They never fall: where a wall clock was set back, a record follows the one before at once, and those after it as
    they did.
    """
    elapsed_ns, before_ns = 0, None
    for frame in recording:
        if before_ns is not None:
            elapsed_ns += max(0, frame.at_ns - before_ns)
        before_ns = frame.at_ns
        yield elapsed_ns / 1_000_000_000, frame

"""Opening recordings by their files: a tape, a capture, or several of one time as one."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from wsctl.tape.recording import Merged, Recording, read_frames
from wsctl.tape.source import Source, open_source
from wsctl.wire.dialects import dialect_of


def frames_of(source: Source) -> Recording:
    """The frames of a tape or a capture. Raises UsageError for anything else."""
    return read_frames(source, _name_of)


@contextmanager
def opened(paths: Sequence[Path]) -> Iterator[Recording]:
    """Several recordings of one time as one. Raises UsageError for what cannot be read."""
    with ExitStack() as stack:
        recordings = [frames_of(stack.enter_context(open_source(path))) for path in paths]
        yield recordings[0] if len(recordings) == 1 else Merged(recordings)


def _name_of(url: str) -> str | None:
    known = dialect_of(url)
    return None if known is None else known.name

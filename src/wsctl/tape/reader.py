"""TapeReader: a tape of ours, record by record."""

from collections.abc import Iterator

import msgspec

from wsctl.errors import UsageError
from wsctl.tape.format import Header, TapeFrame, decode_frame, decode_header, is_header
from wsctl.tape.source import Source

LINE_CUT = "the last line was cut off; left out"
STREAM_CUT = "the compressed stream was cut off; read as far as it goes"


class TapeReader:
    """Iterates a tape's records, once, also over parts that were joined (`cat`).

    `line` is the number of the latest one's line, for messages. `truncated` says, at the end, what a killed writer
    left unfinished. Raises UsageError, with the line's number, for anything else that is wrong.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lines = iter(source)
        self.line = 0
        self.truncated: str | None = None
        self.header = self._read_header()

    def __iter__(self) -> Iterator[TapeFrame]:
        for line in self._lines:
            self.line += 1
            try:
                frame = decode_frame(line)
            except (msgspec.DecodeError, RecursionError) as error:
                if self._passes(line, error):
                    continue
                break
            if frame is not None:
                yield frame
        if self.truncated is None and self._source.cut:
            self.truncated = STREAM_CUT

    @property
    def place(self) -> str:
        """The latest record's file and line."""
        return f"{self._source.name}:{self.line}"

    def _read_header(self) -> Header:
        for line in self._lines:
            self.line += 1
            if not line.isspace():
                return decode_header(line, self.place)
        raise AssertionError("a source has a line that is not blank")

    def _passes(self, line: bytes, error: Exception) -> bool:
        """Whether to go on after a line that is no record: blank, or the next part's header. False: it was cut off."""
        if line.isspace():
            return True
        if is_header(line):
            header = decode_header(line, self.place)
            if (header.started_ns, header.part) != (self.header.started_ns, self.header.part + 1):
                raise UsageError(
                    f"{self.place}: another tape begins; expected records, or part {self.header.part + 1} of this one",
                    hint="read tapes one at a time",
                )
            self.header = header
            return True
        if not line.endswith(b"\n"):
            self.truncated = LINE_CUT
            return False
        raise UsageError(f"{self.place}: not a tape's record: {str(error)[:120].lower()}") from error

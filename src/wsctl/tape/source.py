"""Where a recording is read from: a file or stdin, plain or compressed, as lines."""

import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from wsctl.errors import UsageError
from wsctl.tape.packing import UNPACKERS, Damaged, Unpacker

_CHUNK = 64 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Empty(UsageError):
    """There is nothing to read: an error of a file, and what a pipe brings from a feed that said nothing."""


class Source:
    """Iterates lines of bytes, once, from a stream that need not be seekable.

    Compressed ones are told by their first bytes.

    `first` is the first line that is not blank, which the iteration yields as well; waits for it.
    Raises Empty, and UsageError for what cannot be read, then and during the iteration.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self._file = file
        self._unpacker: Unpacker | None = None
        self._rest = self._lines()
        self._began: list[bytes] = []
        for line in self._rest:
            self._began.append(line)
            if not line.isspace():
                self.first = line
                return
        raise Empty(f"{name} is empty; expected a recording")

    @property
    def cut(self) -> bool:
        """Compressed data ended before its stream did, as a killed recorder leaves it; known at the end."""
        return self._unpacker is not None and self._unpacker.cut

    def __iter__(self) -> Iterator[bytes]:
        return chain(self._began, self._rest)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not sys.stdin.buffer:
            self._file.close()

    def _lines(self) -> Iterator[bytes]:
        number = 0
        try:
            for number, line in enumerate(self._raw_lines(), 1):  # noqa: B007 - for the message
                yield line
        except Damaged as error:
            raise UsageError(f"{self.name}: its compressed data is damaged after line {number}: {error}") from error
        except OSError as error:
            raise UsageError(f"cannot read {self.name}: {(error.strerror or str(error)).lower()}") from error

    def _raw_lines(self) -> Iterator[bytes]:
        head = self._file.read(4)
        for magic, unpacker in UNPACKERS.items():
            if head.startswith(magic):
                self._unpacker = unpacker(chain([head], self._chunks()))
                return _split(self._unpacker)
        head = head.removeprefix(_BYTE_ORDER_MARK)
        return chain(_split([head + self._file.readline()]), self._file)

    def _chunks(self) -> Iterator[bytes]:
        """As they come: a pipe's data is not waited for until a chunk is full."""
        while chunk := self._file.read1(_CHUNK):  # type: ignore[attr-defined]
            yield chunk


def open_source(path: Path) -> Source:
    """A file; `-` is stdin. Raises UsageError."""
    if str(path) == "-":
        return Source(sys.stdin.buffer, "stdin")
    try:
        file = path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot read {path}: {reason.lower()}") from error
    try:
        return Source(file, str(path))
    except BaseException:
        file.close()
        raise


def _split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of a text as lines with their newlines; the last may lack it."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest

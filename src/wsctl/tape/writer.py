"""TapeWriter: appends what happens to a file, so that whatever was written stays readable, however the writer ends."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import structs

from wsctl.errors import UsageError, WsctlError
from wsctl.tape.format import Header, TapeFrame, encode_frame, encode_header
from wsctl.tape.packing import Plain, packer_for
from wsctl.tape.redact import redacted, redacted_url

FLUSH_BYTES = 128 * 1024
"""of lines that a compressed tape holds back at most"""
FLUSH_NS = 1_000_000_000
"""of the tape's time that a compressed tape holds back at most"""


class TapeWriter:
    """Writes a tape to a new or empty file, compressed if its name ends in `.gz` or `.zst`; `-` is stdout.

    A plain tape hands every line to the system at once: a killed writer has lost none. A compressed one does so after
    FLUSH_BYTES or FLUSH_NS and at `flush`, which `tape.spool` calls as well when nothing more comes. When the disk is
    full the file is cut back to the last whole line. Secrets are left out unless `keep_secrets` (see tape.redact).

    Raises UsageError for a file that cannot be opened or holds something already, WsctlError, naming what was kept,
    when it cannot be written, and BrokenPipeError when whoever reads stdout has left. Not for several threads.
    """

    def __init__(self, path: Path, header: Header, *, keep_secrets: bool = False) -> None:
        if not keep_secrets:
            header = _without_secrets(header)
        self.header = header
        self._keep_secrets = keep_secrets
        self._conns: dict[str, str | None] = dict(header.conns)
        self._part = _Part(path, header)

    @property
    def records(self) -> int:
        """Frames, opens, closes and answers in the file by now; of the current part, as is `size`."""
        return self._part.records

    @property
    def size(self) -> int:
        """Bytes in the file by now."""
        return self._part.size

    @property
    def held_back(self) -> int:
        """Records that a flush would bring into the file."""
        return self._part.waiting

    def write(self, frame: TapeFrame) -> None:
        """Append one record."""
        self.write_all((frame,))

    def write_all(self, frames: Sequence[TapeFrame]) -> None:
        """Append some records, at least one: plain ones in one call of the system."""
        if not self._keep_secrets:
            frames = [redacted(frame) for frame in frames]
        for frame in frames:
            if frame.direction == "open":
                self._conns[frame.conn] = frame.url
            elif frame.direction == "close":
                self._conns.pop(frame.conn, None)
        self._part.add(b"".join(map(encode_frame, frames)), len(frames), frames[-1].at_ns)

    def flush(self) -> None:
        """Make everything readable that was written."""
        self._part.flush()

    def rotate(self, path: Path) -> tuple[int, int]:
        """Go on in another file: its header has the next part number and names the connections that are open.

        Answers how many bytes and records the finished one has. Should the other not open, which is a UsageError, the
        recording is still in the current one.
        """
        header = structs.replace(self.header, part=self.header.part + 1, conns=dict(self._conns))
        part = _Part(path, header)
        finished, self._part, self.header = self._part, part, header
        finished.close()
        return finished.size, finished.records

    def discard(self) -> None:
        """Leave the file as it was found: there is nothing to tell. Only where nothing was written but the header."""
        self._part.discard()

    def close(self) -> None:
        """Write what is held back and the compressed stream's end. Later calls change nothing."""
        self._part.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Part:
    """One file of a tape."""

    def __init__(self, path: Path, header: Header) -> None:
        self.records = 0
        self.size = 0
        self._path = path
        self._ours = str(path) != "-"
        self._name = str(path) if self._ours else "stdout"
        self._fd, self._created = _open(path)
        self._packer = packer_for(path)
        self._every_line = isinstance(self._packer, Plain)
        self._packed = self._packer.add(encode_header(header))
        """for the file, as far as the packer has let go of it"""
        self.waiting = 0
        """records since the last flush"""
        self._waiting_bytes = 0
        self._flushed_at_ns = 0
        self._open = True
        try:
            self.flush()
        except BaseException:
            self._let_go()
            raise

    def add(self, lines: bytes, count: int, at_ns: int) -> None:
        """Take whole lines, the last of them of an offset."""
        if not self._open:
            raise WsctlError(f"the tape {self._name} is closed")
        self._packed += self._packer.add(lines)
        self.waiting += count
        self._waiting_bytes += len(lines)
        if (
            self._every_line
            or self._waiting_bytes >= FLUSH_BYTES
            or not 0 <= at_ns - self._flushed_at_ns < FLUSH_NS  # a wall clock may fall back
        ):
            self._flushed_at_ns = at_ns
            self.flush()

    def flush(self) -> None:
        if self._open and (self.waiting or not self.size):
            self._save(self._packer.flush())

    def close(self) -> None:
        if not self._open:
            return
        try:
            self.flush()
            self._save(self._packer.close())
        finally:
            self._let_go()

    def discard(self) -> None:
        if not self._open:
            return
        if self._created:
            self._path.unlink(missing_ok=True)
        elif self._ours:
            with suppress(OSError):  # a device
                os.ftruncate(self._fd, 0)
        self._let_go()

    def _save(self, packed: bytes) -> None:
        """To the file: all of it, or what fits of whole lines (compressed: nothing)."""
        # whatever interrupts us, nothing is written twice
        data, self._packed = self._packed + packed, b""
        waiting, self.waiting, self._waiting_bytes = self.waiting, 0, 0
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
        except BrokenPipeError:
            self._let_go()
            raise
        except OSError as error:
            whole = data[: data.rfind(b"\n", 0, len(data) - len(view)) + 1] if self._every_line and waiting else b""
            self.size += len(whole)
            self.records += whole.count(b"\n")
            waiting -= whole.count(b"\n")
            if self._ours:  # stdout may be the end of somebody's longer file
                with suppress(OSError):  # a device
                    os.ftruncate(self._fd, self.size)
            self._let_go()
            lost = f", the last {waiting:,} are not" if waiting > 1 else ""
            raise WsctlError(
                f"cannot write {self._name}: {(error.strerror or str(error)).lower()}; "
                f"its first {self.records:,} records are kept{lost}"
            ) from error
        self.size += len(data)
        self.records += waiting

    def _let_go(self) -> None:
        if self._open and self._ours:
            os.close(self._fd)
        self._open = False


def _open(path: Path) -> tuple[int, bool]:
    """A descriptor, and whether there was no such file before."""
    if str(path) == "-":
        return sys.stdout.fileno(), False
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        with suppress(FileExistsError):
            return os.open(path, flags | os.O_EXCL, 0o644), True
        fd = os.open(path, flags, 0o644)
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot write {path}: {reason.lower()}") from error
    if os.fstat(fd).st_size:
        os.close(fd)
        raise UsageError(f"{path} exists and is not empty; expected a new file", hint="a tape replaces nothing")
    return fd, False


def _without_secrets(header: Header) -> Header:
    conns = {conn: url and redacted_url(url) for conn, url in header.conns.items()}
    return structs.replace(header, url=header.url and redacted_url(header.url), conns=conns)

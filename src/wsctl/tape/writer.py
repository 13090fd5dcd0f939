"""TapeWriter: appends what happens to a file, so that whatever was written stays readable, however the writer ends."""

import os
import sys
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
    FLUSH_BYTES or FLUSH_NS and at `flush`, which a recorder calls as well when its feed falls silent. When the disk is
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

    def write(self, frame: TapeFrame) -> None:
        """Append one record."""
        if not self._keep_secrets:
            frame = redacted(frame)
        if frame.direction == "open":
            self._conns[frame.conn] = frame.url
        elif frame.direction == "close":
            self._conns.pop(frame.conn, None)
        self._part.add(encode_frame(frame), frame.at_ns)

    def flush(self) -> None:
        """Make everything readable that was written."""
        self._part.flush()

    def rotate(self, path: Path) -> None:
        """Go on in another file: its header has the next part number and names the connections that are open.

        Should it not open, the recording is still in the current one.
        """
        header = structs.replace(self.header, part=self.header.part + 1, conns=dict(self._conns))
        part = _Part(path, header)
        finished, self._part, self.header = self._part, part, header
        finished.close()

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
        self._fd = _open(path)
        self._ours = str(path) != "-"
        self._name = str(path) if self._ours else "stdout"
        self._packer = packer_for(path)
        self._every_line = isinstance(self._packer, Plain)
        self._packed = self._packer.add(encode_header(header))
        """for the file, as far as the packer has let go of it"""
        self._waiting = 0
        """records since the last flush"""
        self._waiting_bytes = 0
        self._flushed_at_ns = 0
        self._open = True
        try:
            self.flush()
        except BaseException:
            self._let_go()
            raise

    def add(self, line: bytes, at_ns: int) -> None:
        if not self._open:
            raise WsctlError(f"the tape {self._name} is closed")
        self._packed += self._packer.add(line)
        self._waiting += 1
        self._waiting_bytes += len(line)
        if (
            self._every_line
            or self._waiting_bytes >= FLUSH_BYTES
            or not 0 <= at_ns - self._flushed_at_ns < FLUSH_NS  # a wall clock may fall back
        ):
            self._flushed_at_ns = at_ns
            self.flush()

    def flush(self) -> None:
        if self._open and (self._waiting or not self.size):
            self._save(self._packer.flush())

    def close(self) -> None:
        if not self._open:
            return
        try:
            self.flush()
            self._save(self._packer.close())
        finally:
            self._let_go()

    def _save(self, packed: bytes) -> None:
        """To the file, all of it or nothing."""
        # whatever interrupts us, nothing is written twice
        data, self._packed = self._packed + packed, b""
        waiting, self._waiting, self._waiting_bytes = self._waiting, 0, 0
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
        except BrokenPipeError:
            self._let_go()
            raise
        except OSError as error:
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


def _open(path: Path) -> int:
    if str(path) == "-":
        return sys.stdout.fileno()
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot write {path}: {reason.lower()}") from error
    if os.fstat(fd).st_size:
        os.close(fd)
        raise UsageError(f"{path} exists and is not empty; expected a new file", hint="a tape replaces nothing")
    return fd


def _without_secrets(header: Header) -> Header:
    conns = {conn: url and redacted_url(url) for conn, url in header.conns.items()}
    return structs.replace(header, url=header.url and redacted_url(header.url), conns=conns)

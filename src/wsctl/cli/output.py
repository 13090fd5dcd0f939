"""Lines to stdout or a file without ever blocking the event loop."""

import os
import sys
import threading
from collections import deque
from pathlib import Path

from wsctl.errors import UsageError, WsctlError

LIMIT = 64 * 1024 * 1024
"""bytes that may wait for whoever reads our output"""


class LineOutput:
    """A daemon thread writes; a reader that stops reading can neither stall the loop nor keep the process alive."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lines: deque[bytes] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._closing = False
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._write, name="stdout", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Bytes that are not written yet. Raises as `put` does."""
        self._check()
        return self._waiting

    def put(self, line: bytes) -> None:
        """Queue one line (without its newline).

        Raises BrokenPipeError once the reader has left, and WsctlError when it is LIMIT bytes behind or the output
        cannot be written (a full disk).
        """
        self._check()
        with self._changed:
            self._lines.append(line)
            self._waiting += len(line) + 1
            if self._waiting > LIMIT:
                raise WsctlError(
                    f"whoever reads the output is {LIMIT >> 20} MiB behind", hint="write to a file instead"
                )
            self._changed.notify()

    def close(self, patience: float = 2.0) -> None:
        """Write what waits, for at most `patience` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(patience)
        self._check()

    def _check(self) -> None:
        if isinstance(self._error, BrokenPipeError):
            raise self._error
        if self._error is not None:
            reason = (self._error.strerror or str(self._error)).lower()
            raise WsctlError(f"cannot write the output: {reason}") from self._error

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._closing)
                if not self._lines:
                    return
                batch = b"".join(line + b"\n" for line in self._lines)
                self._lines.clear()
            try:
                _write_all(self._fd, batch)
            except OSError as error:
                self._error = error
                return
            with self._changed:
                self._waiting -= len(batch)


def open_lines(path: Path) -> LineOutput:
    """Lines to a file, from its beginning; `-` is stdout. Raises UsageError when it cannot be opened."""
    if str(path) == "-":
        return LineOutput(sys.stdout.fileno())
    try:
        return LineOutput(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]

"""A pipe's writing end for greenlets: whoever puts a line goes on at once, one greenlet writes."""

import contextlib
from typing import Any

import gevent
from gevent.event import Event


class LineWriter:
    """What may be put is bounded by who puts it: each waits for an answer, or comes once a second."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._lines: list[bytes] = []
        self._waiting = Event()
        """there is a line to be written, or it is to end"""
        self._ending = False
        self._greenlet = gevent.spawn(self._write)

    def put(self, line: bytes) -> None:
        """Have a line written."""
        self._lines.append(line)
        self._waiting.set()

    def close(self, patience: float) -> None:
        """Let what was put be written, within `patience` seconds, and close the pipe."""
        self._ending = True
        self._waiting.set()
        self._greenlet.join(patience)
        self._greenlet.kill()
        with contextlib.suppress(OSError):
            self._stream.close()

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # nobody reads any more; who reads the other direction knows why
            while self._lines or not self._ending:
                self._waiting.wait()
                self._waiting.clear()
                lines, self._lines = self._lines, []
                self._stream.write(b"".join(lines))
                self._stream.flush()

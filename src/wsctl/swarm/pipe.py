"""The child's side of the pipes: commands from stdin, reports to stdout.

Each has a thread of its own: neither a parent that does not read nor one that died may depend on the loop's turn.
"""

import asyncio
import contextlib
import os
import threading
from queue import SimpleQueue
from typing import IO

from wsctl.errors import ExitCode

ORPHAN_PATIENCE = 1.0
"""seconds after the end of stdin in which the process may still end in order"""
MOST_WAITING = 16
"""lines that may wait for the parent to read; beyond, those that can be spared are left out"""


class Inbox:
    """Lines from the parent, in order; None is their end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    async def next(self) -> bytes | None:
        """The next line; None when the parent is gone. From then on the process has ORPHAN_PATIENCE to end."""
        return await self._lines.get()

    def _read(self) -> None:
        with contextlib.suppress(RuntimeError, OSError):  # the loop is closed, and the process about to end
            for line in self._stream:
                self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
            self._loop.call_soon_threadsafe(self._lines.put_nowait, None)
        threading.Event().wait(ORPHAN_PATIENCE)
        os._exit(ExitCode.INTERRUPTED)  # the loop never came to it


class Outbox:
    """Reports to the parent. Never waits; `close` does, for a moment."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="stdout", daemon=True)
        self._thread.start()

    def put(self, line: bytes, *, dispensable: bool = False) -> None:
        """Send a line. A dispensable one is left out while others wait: nobody needs progress that is behind."""
        if not (dispensable and self._lines.qsize() >= MOST_WAITING):
            self._lines.put(line)

    def close(self, patience: float = 5.0) -> None:
        """Let what was put be written, within `patience` seconds."""
        self._lines.put(None)
        self._thread.join(patience)

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # the parent is gone; stdin says so as well
            while (line := self._lines.get()) is not None:
                rest = memoryview(line)
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]

"""What a local target process holds: memory, descriptors, threads. It has to give back what a case made it take."""

import asyncio
from collections.abc import Callable

import psutil
from msgspec import Struct

from wsctl.errors import UsageError

SETTLE = 3.0
"""seconds for a process to give back what it took"""
MORE_MEMORY = 48 * 1024 * 1024
"""bytes that may be taken, or stay: an allocator keeps what it was given once"""
MORE_DESCRIPTORS = 16
MORE_THREADS = 16
EVERY = 0.05
"""seconds between two looks"""
GONE = "the process is gone"


class Held(Struct, frozen=True):
    """What it holds at a moment."""

    rss: int
    descriptors: int
    threads: int


class ProcessWatch:
    """Of the process that an id is of, which may change. Raises UsageError where there is none."""

    def __init__(self, pid: Callable[[], int]) -> None:
        self._pid = pid
        self._looked_at = pid()
        self._looking: asyncio.Task[None] | None = None
        if (held := _held(pid())) is None:
            raise UsageError(f"no process {pid()} that may be looked at")
        self._before = self._most = held

    def look(self) -> None:
        """Take what it holds now as what it has to come back to, and watch it from here."""
        self.stop()
        self._looked_at = self._pid()
        self._before = self._most = _held(self._pid()) or self._before
        self._looking = asyncio.create_task(self._look_on())

    @property
    def gone(self) -> bool:
        """Whether there is no such process any more."""
        return _held(self._pid()) is None

    def stop(self) -> None:
        """Watch no longer."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def objections(self) -> list[str]:
        """What it took and did not give back in time, or took too much of."""
        for _ in range(int(SETTLE / EVERY)):
            if (found := self._growth(_held(self._pid()))) in ([], [GONE]):
                break
            await asyncio.sleep(EVERY)
        self.stop()
        return found or [f"at most: {one}" for one in self._growth(self._most)[:1] if "memory" in one]

    def _growth(self, now: Held | None) -> list[str]:
        if now is None or self._pid() != self._looked_at:
            return [GONE]
        before = self._before
        taken = (
            ("MB of memory", (now.rss - before.rss) / 1e6, MORE_MEMORY / 1e6),
            ("descriptors", now.descriptors - before.descriptors, MORE_DESCRIPTORS),
            ("threads", now.threads - before.threads, MORE_THREADS),
        )
        return [f"{more:.0f} more {what} than before" for what, more, most in taken if more > most]

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            held = _held(self._pid())
            if held is not None and held.rss > self._most.rss:
                self._most = held


def _held(pid: int) -> Held | None:
    """None: there is no such process, or it is dead and nobody has looked yet."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return Held(rss=process.memory_info().rss, descriptors=process.num_fds(), threads=process.num_threads())
    except psutil.Error:
        return None

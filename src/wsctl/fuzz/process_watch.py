"""What a local target process holds: memory, descriptors, threads. It has to give back what a case made it take.

With its children: what starts a server is often a script, and a cluster's workers are children of what was started.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

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
RELATIVES = 1.0
"""seconds for which its children are taken to be the same"""
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
        self._family = _Family(pid())
        if (held := self._held()) is None:
            raise UsageError(f"no process {pid()} that may be looked at")
        self._first = self._before = self._most = held

    def look(self) -> None:
        """Take what it holds now as what it has to come back to, and watch it from here."""
        self.stop()
        held = self._held() or self._before
        if self._pid() != self._looked_at:
            self._first = held
        self._looked_at = self._pid()
        self._before = self._most = held
        self._looking = asyncio.create_task(self._look_on())

    @property
    def gone(self) -> bool:
        """Whether there is no such process any more."""
        return self._held() is None

    def stop(self) -> None:
        """Watch no longer."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def objections(self) -> list[str]:
        """What it took and did not give back in time, or took too much of."""
        found = await self._settled(self._before)
        self.stop()
        return found or [f"at most: {one}" for one in self._growth(self._most, self._before)[:1] if "memory" in one]

    async def drift(self) -> list[str]:
        """What it has taken since it was first looked at: too little by each case to be seen, and never given back."""
        found = await self._settled(self._first)
        return [] if found == [GONE] else [f"{one} all was begun" for one in found]

    async def _settled(self, before: Held) -> list[str]:
        for _ in range(int(SETTLE / EVERY)):
            if (found := self._growth(self._held(), before)) in ([], [GONE]):
                break
            await asyncio.sleep(EVERY)
        return found

    def _growth(self, now: Held | None, before: Held) -> list[str]:
        if now is None or self._pid() != self._looked_at:
            return [GONE]
        taken = (
            ("MB of memory", (now.rss - before.rss) / 1e6, MORE_MEMORY / 1e6),
            ("descriptors", now.descriptors - before.descriptors, MORE_DESCRIPTORS),
            ("threads", now.threads - before.threads, MORE_THREADS),
        )
        return [f"{more:.0f} more {what} than before" for what, more, most in taken if more > most]

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            held = self._held()
            if held is not None and held.rss > self._most.rss:
                self._most = held

    def _held(self) -> Held | None:
        if self._family.pid != self._pid():
            self._family = _Family(self._pid())
        return self._family.held()


class _Family:
    """A process and its children, which are looked for now and then: that takes a look at every process there is."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._children: list[psutil.Process] = []
        self._looked_at = -RELATIVES

    def held(self) -> Held | None:
        """What they hold together; None: there is no such process, or it is dead and nobody has looked yet."""
        try:
            process = psutil.Process(self.pid)
            if time.monotonic() - self._looked_at >= RELATIVES:
                self._children, self._looked_at = process.children(recursive=True), time.monotonic()
            own = _held(process)
        except psutil.Error:
            return None
        if own is None:
            return None
        for child in self._children:
            with suppress(psutil.Error):  # it has ended since
                if (its := _held(child)) is not None:
                    own = Held(own.rss + its.rss, own.descriptors + its.descriptors, own.threads + its.threads)
        return own


def _held(process: psutil.Process) -> Held | None:
    """None: it is dead, or dying: its memory goes first, then its sockets. Raises psutil.Error."""
    with process.oneshot():
        rss = process.memory_info().rss
        if not rss or process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Held(rss=rss, descriptors=process.num_fds(), threads=process.num_threads())

"""Timed: work that ends when its time is up or somebody stops it; what there is by then counts."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Timed:
    """One piece of work."""

    def __init__(self) -> None:
        self.stopped = False
        """whether somebody wanted it to end"""
        self._task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """End it, now or as soon as it begins."""
        self.stopped = True
        if self._task is not None:
            self._task.cancel()

    async def run(self, work: Coroutine[Any, Any, None], seconds: float | None) -> bool:
        """Whether there was time for all of it. Raises what it raises."""
        self._task = task = asyncio.create_task(work)
        if self.stopped:
            task.cancel()
        try:
            done, _ = await asyncio.wait({task}, timeout=seconds)
        finally:
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.result()
        return bool(done)

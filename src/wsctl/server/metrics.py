"""The mock feed's own metrics, as the platform logs them: counted as things happen, sampled once a second."""

import asyncio
import os
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from wsctl.server.endpoint import Endpoint

INTERVAL = 1.0
"""seconds between two samples"""
LAG_STEP = 0.05
"""seconds between two looks at how late the loop runs a timer"""
NAMES_REMEMBERED = 100_000
"""`client` ids by which a reconnection is told from a first connection"""


class Counters:
    """What happened since the start."""

    def __init__(self) -> None:
        self.joined = 0
        self.reconnected = 0
        """of those, by a `client` id that was here before"""
        self.refused = 0
        self.left = 0
        self.evicted = 0
        self.slow = 0
        """connections closed because they did not read"""
        self.malformed = 0
        """connections closed because they broke the protocol"""
        self.events = 0
        """events received from clients"""
        self.loop_lag = 0.0
        """seconds that the loop ran a timer late, at worst, in the last INTERVAL"""
        self._names: OrderedDict[str, None] = OrderedDict()

    def note_join(self, name: str | None) -> None:
        """A client joined; `name` is the `client` of its handshake auth."""
        self.joined += 1
        if name is None:
            return
        if name in self._names:
            self.reconnected += 1
            self._names.move_to_end(name)
        else:
            self._names[name] = None
            if len(self._names) > NAMES_REMEMBERED:
                self._names.popitem(last=False)

    @property
    def errors(self) -> int:
        """What an operator wants to look at: refusals, broken protocols, readers that had to go."""
        return self.refused + self.malformed + self.slow


class Sample(Struct, frozen=True):
    """One second. Counters are totals since the start; rates and lag are of this second."""

    at: float
    """unix seconds"""
    connections: int
    messages_per_second: float
    """messages handed to connections"""
    events_per_second: float
    """events received from clients"""
    reconnections: int
    errors: int
    evictions: int
    skipped: int
    """messages left out for readers that were behind"""
    loop_lag_ms: float
    """how late the loop ran a timer, at worst"""
    rss_mb: float | None
    """resident memory; None where the system does not tell"""


class Sampler:
    """Takes a Sample a second and gives it to a listener; keeps the loop's lag among the counters."""

    def __init__(self, platform: "Endpoint", on_sample: Callable[[Sample], None]) -> None:
        self._platform = platform
        self._on_sample = on_sample
        self._messages = 0
        self._events = 0

    async def run(self) -> None:
        """Sample until cancelled."""
        clock = self._platform.clock
        began = clock.monotonic()
        while True:
            self._platform.counters.loop_lag = await self._worst_lag(began + INTERVAL)
            now = clock.monotonic()
            self._on_sample(self._sample(now - began))
            began = now

    async def _worst_lag(self, until: float) -> float:
        clock = self._platform.clock
        worst = 0.0
        while (now := clock.monotonic()) < until:
            wait = min(LAG_STEP, until - now)
            await asyncio.sleep(wait)
            worst = max(worst, clock.monotonic() - now - wait)
        return worst

    def _sample(self, seconds: float) -> Sample:
        platform, counters = self._platform, self._platform.counters
        messages, events = platform.hub.delivered, counters.events
        memory = resident_memory()
        sample = Sample(
            at=round(platform.clock.now(), 3),
            connections=len(platform.clients),
            messages_per_second=round((messages - self._messages) / seconds, 1),
            events_per_second=round((events - self._events) / seconds, 1),
            reconnections=counters.reconnected,
            errors=counters.errors,
            evictions=counters.evicted,
            skipped=platform.hub.skipped,
            loop_lag_ms=round(counters.loop_lag * 1000, 2),
            rss_mb=None if memory is None else round(memory / 2**20, 1),
        )
        self._messages, self._events = messages, events
        return sample


def resident_memory() -> int | None:
    """Bytes of resident memory of this process; None where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return None
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

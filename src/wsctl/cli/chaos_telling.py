"""What chaos says while it proxies: a line that moves on a terminal, and a line when a fault begins to strike."""

import asyncio
from collections import Counter
from collections.abc import Callable

from wsctl.chaos.firing import Firing
from wsctl.chaos.proxy import Proxy
from wsctl.report.words import counted, whole_seconds

QUIET = 5.0
"""seconds without a strike after which one is news"""
TOGETHER = 0.25
"""seconds within which strikes are told in one line"""


class Progress:
    """`12 s  3 connections  2,412 messages  201/s  loss 24, latency 2,388`; the rate is since the last look."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._began = proxy.clock.monotonic()
        self._looked = (self._began, 0)

    def __call__(self) -> str:
        now, passed = self._proxy.clock.monotonic(), self._proxy.passed.total()
        then, before = self._looked
        self._looked = now, passed
        parts = [
            whole_seconds(now - self._began),
            counted(len(self._proxy.connections), "connection"),
            counted(passed, "message"),
            f"{(passed - before) / max(now - then, 0.001):,.0f}/s",
        ]
        struck = ", ".join(f"{fault.name} {fault.applied:,}" for fault in self._proxy.faults)
        return "  ".join([*parts, struck] if self._proxy.enabled else [*parts, "down", struck])


class Strikes:
    """To be told of every firing. Says when a fault strikes after it was quiet: `loss: dropped 3 times`."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._latest: dict[str, int] = {}
        """monotonic nanoseconds, by fault"""
        self._news: dict[str, Counter[str]] = {}
        """what was done since, by a fault that was quiet"""

    def __call__(self, firing: Firing) -> None:
        """A fault struck."""
        latest = self._latest.get(firing.fault)
        self._latest[firing.fault] = firing.at
        if latest is None or firing.at - latest >= QUIET * 1e9:
            self._news[firing.fault] = Counter()
            asyncio.get_running_loop().call_later(TOGETHER, self._tell, firing.fault)
        if firing.fault in self._news:
            self._news[firing.fault][firing.action] += 1

    def _tell(self, fault: str) -> None:
        actions = self._news.pop(fault).items()
        self._say(f"{fault}: {', '.join(one if count == 1 else f'{one} {count:,} times' for one, count in actions)}")

"""At most one price per symbol and interval: the newest, on the trailing edge."""

import asyncio
from collections.abc import Callable

from wsctl.wire.payload import Payload

Publish = Callable[[Payload, float], None]
"""Takes a payload and its source time (unix seconds)."""


class Throttle:
    """Sits before the hub, so that a throttled feed has no gaps in its seq."""

    def __init__(self, interval: float, publish: Publish) -> None:
        self._interval = interval
        self._loop = asyncio.get_running_loop()
        self._publish = publish
        self._newest: dict[str, tuple[Payload, float]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def offer(self, symbol: str, payload: Payload, source_at: float) -> None:
        """Take a price; it goes out at the end of the running interval unless a newer one replaces it."""
        self._newest[symbol] = (payload, source_at)
        if symbol not in self._timers:
            self._timers[symbol] = self._loop.call_later(self._interval, self._release, symbol)

    def flush(self) -> None:
        """Send what waits, now."""
        for symbol in tuple(self._timers):
            self._release(symbol)

    def _release(self, symbol: str) -> None:
        self._timers.pop(symbol).cancel()
        self._publish(*self._newest.pop(symbol))

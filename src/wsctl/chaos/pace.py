"""Pace: bytes are handed on at a rate, in slices, as they would come over a thin line."""

import asyncio
from collections.abc import Callable

TICK = 0.05
"""seconds that a slice stands for"""


class Pace:
    """Takes bytes as they come and `hold`s their source while some wait."""

    def __init__(self, rate: float, deliver: Callable[[bytes], None], hold: Callable[[bool], None]) -> None:
        self._rate = rate
        self._deliver = deliver
        self._hold = hold
        self._waiting = b""
        self._timer: asyncio.TimerHandle | None = None
        self._then: Callable[[], None] | None = None

    @property
    def is_late(self) -> bool:
        """Whether some wait."""
        return bool(self._waiting)

    def take(self, data: bytes) -> None:
        """So much came; it is read no further before that is handed on."""
        self._waiting += data
        if self._timer is None:
            self._hold(True)
            self._go_on()

    def then(self, done: Callable[[], None]) -> None:
        """Do something once nothing waits."""
        self._then = done

    def stop(self) -> None:
        """What waits is handed on at once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._hold(False)
        rest, self._waiting = self._waiting, b""
        if rest:
            self._deliver(rest)
        self._done()

    def _go_on(self) -> None:
        self._timer = None
        if not self._waiting:
            self._hold(False)
            self._done()
            return
        size = max(1, int(self._rate * TICK))
        part, self._waiting = self._waiting[:size], self._waiting[size:]
        self._timer = asyncio.get_running_loop().call_later(len(part) / self._rate, self._go_on)
        self._deliver(part)

    def _done(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()

"""Time as an argument: everything that needs it is handed a Clock."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall-clock instants for people and messages, monotonic seconds for elapsed time."""

    def now(self) -> float:
        """Unix seconds."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""


class SystemClock:
    """The machine's clocks."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

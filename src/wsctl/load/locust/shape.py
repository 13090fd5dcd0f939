"""A course as Locust asks for it: once a second, how many users there should be now.

Told as a number for this moment and never as a ramp to come, so that one that is late skips no stage (Locust's start()
blocks until its ramp is over: locust #1715).
"""

import time
from collections.abc import Sequence

from locust import LoadTestShape

from wsctl.load.course import Leg, leg_at

RATE = 1.0
"""what Locust is told of the spawn rate: `seats.Dispatcher` has no use for it"""


class CourseShape(LoadTestShape):
    """By legs; without any, `steer` says how many users there should be."""

    def __init__(self, legs: Sequence[Leg]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._legs = tuple(legs)
        self._began: float | None = None
        """monotonic seconds"""
        self.users = 0
        """how many there should be now"""
        self.stage: int | None = None
        self.over = False
        """there is no more to come; may be set"""

    @property
    def begun(self) -> bool:
        """Whether Locust has asked."""
        return self._began is not None

    @property
    def elapsed(self) -> float:
        """Seconds since it began; 0 until then."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def steer(self, users: int) -> None:
        """There should be so many from now on."""
        self.users = users

    def tick(self) -> tuple[int, float] | None:
        """Asked by Locust."""
        if self._began is None:
            self._began = time.monotonic()
        if self._legs:
            at = self.elapsed
            leg = leg_at(self._legs, at)
            if leg is None:
                self.over, self.stage = True, None
            else:
                self.users, self.stage = leg.users(at), leg.stage
        return None if self.over else (self.users, RATE)

"""A course as Locust asks for it: once a second, how many users there should be now.

Told as a number for this moment and never as a ramp to come, so that one that is late skips no stage (Locust's start()
blocks until its ramp is over: locust #1715).
"""

import time
from collections import deque
from collections.abc import Sequence

from gevent.event import Event
from locust import LoadTestShape

from wsctl.load.course import Leg, leg_at

TICK = 1.0
"""seconds after which Locust asks again: a stage begins and ends when it does"""
BEGIN_WITHIN = 10.0
"""seconds; then the course begins with whoever is there"""
STAGES_KEPT = 10
"""of which there is one a tick at most"""
RATE = 1.0
"""what Locust is told of the spawn rate: `seats.Dispatcher` has no use for it"""


class CourseShape(LoadTestShape):
    """By legs; without any, `steer` says how many users there should be. It begins when `let_begin` was called."""

    def __init__(self, legs: Sequence[Leg]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._legs = tuple(legs)
        self._may_begin = Event()
        self._began: float | None = None
        """monotonic seconds"""
        self.users = 0
        """how many there should be now"""
        self.stage: int | None = None
        self._stages: deque[tuple[float, int | None]] = deque(maxlen=STAGES_KEPT)
        """when the latest ones began, which is when Locust was told"""
        self.over = False
        """there is no more to come; may be set"""

    @property
    def begun(self) -> bool:
        """Whether Locust has asked, and was told."""
        return self._began is not None

    @property
    def elapsed(self) -> float:
        """Seconds since it began; 0 until then."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def stage_at(self, elapsed: float) -> int | None:
        """The stage of a moment that is not long ago."""
        return next((stage for since, stage in reversed(self._stages) if since <= elapsed), None)

    def let_begin(self) -> None:
        """Somebody is there to hold connections."""
        self._may_begin.set()

    def steer(self, users: int) -> None:
        """There should be so many from now on."""
        self.users = users

    def tick(self) -> tuple[int, float] | None:
        """Asked by Locust; the first answer waits until it may begin."""
        if self._began is None:
            self._may_begin.wait(BEGIN_WITHIN)
            self._began = time.monotonic()
        if self._legs:
            self._follow(self.elapsed)
        return None if self.over else (self.users, RATE)

    def _follow(self, at: float) -> None:
        leg = leg_at(self._legs, at)
        stage = None if leg is None else leg.stage
        if stage != self.stage:
            self.stage = stage
            self._stages.append((at, stage))
        if leg is None:
            self.over = True
        else:  # those of the second to come: a ramp is at its end when its time is over, not a second later
            self.users = leg.users(at + TICK)

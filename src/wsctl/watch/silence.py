"""Which channels of a watched feed are expected to speak, and for how long none of them may be silent."""

from collections.abc import Iterable

from wsctl.checks.sequence import name_of
from wsctl.checks.silence import SilenceCheck
from wsctl.model.observation import Observation

ANY = "any channel"
"""the name under which the feed as a whole is expected to say something"""
_SELDOM = ("user:", "bot:", "announcement")
"""channels that may well be silent for hours"""


class Silence:
    """Feed it the data messages of a feed, from the first subscription on.

    Prices asked for are expected on their channels as soon as one of them is heard; feeds of others name theirs
    differently, so that there every channel is expected to go on once it spoke. Where events have no channel, one is
    expected to go on once it came twice: a greeting comes once.
    """

    def __init__(self, asked: Iterable[str], limit: float | None) -> None:
        self._check = SilenceCheck(limit)
        self._asked = [channel for channel in asked if not channel.startswith(_SELDOM)]
        self._began: float | None = None
        self._once: set[str] = set()
        """events without a channel that came"""

    def begin(self, at: float) -> None:
        """Subscribed: from now on something should come."""
        if self._began is None:
            self._began = at
            self._check.expects(ANY, at)

    def heard(self, seen: Observation) -> None:
        """A message came."""
        at, name = seen.received_at, name_of(seen)
        self._check.heard(ANY, at)
        if name.startswith(_SELDOM):
            return
        if seen.channel is None and name not in self._once:
            self._once.add(name)
            return
        if name in self._asked:
            for channel in self._asked:
                self._check.expects(channel, self._began if self._began is not None else at)
        self._check.expects(name, at)
        self._check.heard(name, at)

    def deadline(self) -> float | None:
        """When a channel will have been silent for too long; None: never."""
        return self._check.deadline()

    def overdue(self, now: float) -> tuple[str, ...]:
        """The channels that have been; the feed as a whole only where no channel of it is known."""
        channels = self._check.overdue(now)
        return tuple(channel for channel in channels if channel != ANY) or channels

    def longest(self, now: float) -> float | None:
        """Seconds; None before the first subscription."""
        return self._check.longest(now)

"""A lane whose messages cover spans of a number line, so that what is missing shows as a hole.

A counter covers one number with each message, a range several; a chain covers what lies between the id before and
its own. Where a message lies tells what it means:

    begins at last + 1, or before it and ends after it     in place
    begins beyond                                          a hole opens; a gap once the window has closed on it
    ends at or before last, in a hole                      a reorder: it came after a later one, inside the window
    ends at or before last, and came before                a duplicate
    ends at or before last, else                           a regression, and perhaps a restart: the next one tells

Holes are spans as well: a jump of millions costs what a jump of two costs.
"""

from typing import ClassVar

from wsctl.checks.channel_report import DUPLICATE, GAP, REGRESSION, REORDER, ChannelReport
from wsctl.checks.lane import Lane, Pending, Window
from wsctl.checks.link import LinkOf
from wsctl.model.observation import Observation


class _Hole(Pending, frozen=True):
    """Numbers that did not come yet, and the connection whose message showed it."""

    conn: str
    first: int
    last: int

    def part(self, first: int, last: int) -> "_Hole":
        return _Hole(self.at, self.arrival, self.conn, first, last)


class _Former(Pending, frozen=True):
    """The position before a restart, which may yet prove to have been a burst of late messages."""

    last: int


class SpanLane(Lane):
    """Bounded: a message adds at most one hole, and a window of messages later it is gone.

    `last` is the highest number that came or was declared.
    """

    __slots__ = ("candidate", "former", "holes", "top")

    proves_loss = True
    noun: ClassVar[str]
    """what one number is called"""

    def __init__(self, name: str, report: ChannelReport, window: Window, link_of: LinkOf) -> None:
        super().__init__(name, report, window, link_of)
        self.top: int | None = None
        """highest number that came; kept only while not settled (then it equals `last`)"""
        self.holes: list[_Hole] = []
        """in ascending order, which is also the order they opened in"""
        self.candidate: int | None = None
        """the number that fell, until the next message tells whether the sequence restarted there"""
        self.former: _Former | None = None

    def arrive(self, at: float) -> None:
        """Count something heard on the channel and close the window on what waited too long."""
        if self.settled:
            self.top = self.last
        self.arrivals += 1
        while self.holes and self._is_over(self.holes[0], at):
            self._lose(self.holes.pop(0))
        if self.former is not None and self._is_over(self.former, at):
            self.former = None

    def settle(self) -> None:
        """Whatever came is dealt with."""
        if self.former is not None and self.last >= self.former.last:
            self.former = None
        self.settled = (
            self.started and self.top == self.last and self.candidate is None and self.former is None and not self.holes
        )

    def lose_all(self) -> None:
        """Holes still open are gaps."""
        holes, self.holes = self.holes, []
        for hole in holes:
            self._lose(hole)

    def accept(self, observation: Observation, position: int) -> None:
        """It is the newest."""
        self.last = self.top = position
        self.remember(observation)

    def update(self, observation: Observation, first: int, last: int) -> None:
        """A message that goes on from what came, as far as the feed says."""
        if last > self.last:
            overlaps = first <= self.last
            self._go_ahead(observation, first - 1)
            if overlaps:
                self._cut(first, last)
            self.accept(observation, last)
        elif self._cut(first, last):
            self._fill(observation, first, last)
        else:
            self._behind(observation, first, last)

    def _go_ahead(self, observation: Observation, expected: int) -> None:
        """Something beyond the position came: all up to `expected` should have come before it."""
        self._return_to_former(expected + 1)
        self.candidate = None
        if expected > self.last:
            at = observation.received_at
            self.holes.append(_Hole(at, self.arrivals, observation.conn, self.last + 1, expected))

    def _fill(self, observation: Observation, first: int, last: int) -> None:
        # What a heartbeat announced before it came is late, but came after no later message.
        if self.top is not None and last < self.top:
            text = f"{self._named(first, last)} came after {self.top} on {self.name}; expected after {first - 1}"
            self._object(REORDER, observation.conn, first, last, observation.received_at, text)
        else:
            self.top = last
        self.remember(observation)

    def _behind(self, observation: Observation, first: int, last: int) -> None:
        """Not ahead and not in a hole: seen before, or fallen."""
        came, repeated = self._seen(observation)
        if not repeated and self.candidate is not None and first <= self.candidate + 1 <= last:
            self._restart(observation, last)
            self.accept(observation, last)
        elif repeated or last == self.top:
            self._repeat(observation, first, last, changed=came and not repeated)
        else:
            self._regress(observation, first, last)

    def _repeat(self, observation: Observation, first: int, last: int, *, changed: bool) -> None:
        change = " with a different payload" if changed else ""
        text = f"{self._named(first, last)} came again{change} on {self.name}; expected {self._next}"
        self._object(DUPLICATE, observation.conn, first, last, observation.received_at, text)

    def _regress(self, observation: Observation, first: int, last: int) -> None:
        self.candidate = last
        self.remember(observation)
        announced = "" if self.top is not None and last < self.top else " was announced"
        text = f"{self._named(first, last)} after {self.last}{announced} on {self.name}; expected {self._next}"
        self._object(REGRESSION, observation.conn, first, last, observation.received_at, text)

    def _restart(self, observation: Observation, position: int) -> None:
        """The sequence goes on from where it fell: one finding was enough.

        Or a burst of late messages came, and the next one takes up the former position: that is remembered
        for the length of a window, lest everything between the two be taken for lost.
        """
        self.lose_all()
        former = self.last if self.former is None else max(self.last, self.former.last)
        self.former = None
        if former > position:
            self.former = _Former(observation.received_at, self.arrivals, former)
        self._rebase(position)

    def _return_to_former(self, position: int) -> None:
        if self.former is not None and position > self.former.last:
            # Holes opened meanwhile lie below the former position, where everything has been judged already.
            self.holes.clear()
            self.last = self.top = self.former.last
            self.former = None

    def _reset(self, position: int) -> None:
        super()._reset(position)
        self.former = None

    def _rebase(self, position: int) -> None:
        self.last = position
        self.top = None
        self.candidate = None

    def _cut(self, first: int, last: int) -> bool:
        """Take `first` to `last` out of the open holes; False when none of them was in one."""
        left: list[_Hole] = []
        for hole in self.holes:
            if hole.last < first or hole.first > last:
                left.append(hole)
                continue
            if hole.first < first:
                left.append(hole.part(hole.first, first - 1))
            if hole.last > last:
                left.append(hole.part(last + 1, hole.last))
        changed = left != self.holes
        self.holes = left
        return changed

    def _lose(self, hole: _Hole) -> None:
        first, last = hole.first, hole.last
        self.report.missing += self._size(first, last)
        self._object(GAP, hole.conn, first, last, hole.at, self._absence(first, last))

    # How a scheme speaks of its numbers.

    def _size(self, first: int, last: int) -> int:
        """How much is missing with these numbers."""
        return last - first + 1

    def _absence(self, first: int, last: int) -> str:
        return f"{self._named(first, last)} never came on {self.name}; expected between {first - 1} and {last + 1}"

    def _named(self, first: int, last: int) -> str:
        return f"{self.noun} {last}" if first >= last else f"{self.noun}s {first} to {last}"

    @property
    def _next(self) -> str:
        return str(self.last + 1)

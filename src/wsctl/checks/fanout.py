"""Fan-out: how many of those who listen does a message reach, and how far apart?

A client is to be reached by the messages after the position it began at and, once it has left, by none after the
last one it received. So the number expected is exact for every message, however clients come and go.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from wsctl.checks.latency import Histogram

SETTLED_AFTER: Final = 5.0
"""seconds after its first receipt; whoever gets a message later counts as not reached"""
MOST_OPEN: Final = 65_536
"""messages followed at a time; beyond, the oldest is settled early"""


@dataclass(slots=True)
class Spread:
    """The receipts of one message. Times in unix seconds."""

    first: float
    last: float
    count: int
    """clients that received it"""
    expected: int
    """clients that are to"""

    def add(self, first: float, last: float, count: int) -> None:
        """More receipts, told in whatever order."""
        self.first = min(self.first, first)
        self.last = max(self.last, last)
        self.count += count


@dataclass(slots=True)
class _Audience:
    """Who listens to one epoch of a channel."""

    size: int = 0
    """clients to be reached by the newest message"""
    newest: int = -1
    settled: int = -1
    """highest seq that is no longer followed"""
    open: dict[int, Spread] = field(default_factory=dict)
    """by seq: the messages that are"""
    ahead: dict[int, int] = field(default_factory=dict)
    """by position, not below the newest: how many more are to be reached by what comes after it"""
    behind: dict[int, int] = field(default_factory=dict)
    """the same of positions below it, which the size has taken in, as long as older messages may be told"""

    def change(self, position: int, by: int) -> None:
        """So many more are to be reached by every message after `position`."""
        if position < self.newest:
            self._take_in(position, by)
        else:
            self.ahead[position] = self.ahead.get(position, 0) + by
        later = range(position + 1, self.newest + 1)
        # Whichever is shorter: a client is seldom far behind, but a seq may jump by more than len() can say.
        for seq in [seq for seq in self.open if seq in later] if self.newest - position > len(self.open) else later:
            if seq in self.open:
                self.open[seq].expected += by

    def follow(self, seq: int, at: float) -> Spread:
        """The first receipt that is told of a message, which later ones may have gone before."""
        if seq > self.newest:
            self.newest = seq
            for position in [position for position in self.ahead if position < seq]:
                self._take_in(position, self.ahead.pop(position))
            return Spread(at, at, 1, self.size)
        since = sum(by for position, by in self.behind.items() if position >= seq)
        return Spread(at, at, 1, self.size - since)

    def settle(self, seq: int) -> Spread:
        """Follow it no longer."""
        if seq > self.settled:
            self.settled = seq
            for position in [position for position in self.behind if position < seq]:
                del self.behind[position]
        return self.open.pop(seq)

    def _take_in(self, position: int, by: int) -> None:
        self.size += by
        self.behind[position] = self.behind.get(position, 0) + by


class FanoutCheck:
    """Follows the numbered updates of any number of clients and channels.

    Receipts and changes may be told in any order until a message is settled, for positions place them.
    Hand in updates that came in place: a snapshot, a duplicate or a replayed message says nothing about fan-out.
    A client whose channel changed its epoch has left the one and joined the other.
    """

    def __init__(self) -> None:
        self._audiences: dict[tuple[str, str | None], _Audience] = {}
        """by channel and epoch"""
        self._open: deque[tuple[_Audience, int]] = deque()
        """the messages followed, by seq, in the order of first receipt"""
        self.spreads = Histogram()
        """from the first to the last receipt of a message, in seconds"""
        self.reached = 0
        """clients that settled messages reached"""
        self.expected = 0
        """clients that they were to reach"""

    def joined(self, channel: str, epoch: str | None, position: int) -> None:
        """A client listens: to what comes after its snapshot, or from its first update on (position: seq - 1)."""
        self._audience(channel, epoch).change(position, 1)

    def left(self, channel: str, epoch: str | None, position: int) -> None:
        """A client no longer listens; `position` is the highest seq that it received, or that it joined at."""
        self._audience(channel, epoch).change(position, -1)

    def received(self, channel: str, epoch: str | None, seq: int, at: float) -> Spread:
        """A client received an update.

        Where many receive the same frame, keep the record beside what was decoded of it and `add` further receipts
        there. Telling them here comes to the same, but takes longer.
        """
        audience = self._audience(channel, epoch)
        spread = audience.open.get(seq)
        if spread is not None:
            spread.add(at, at, 1)
            return spread
        spread = audience.follow(seq, at)
        if seq > audience.settled:
            audience.open[seq] = spread
            self._open.append((audience, seq))
            self._settle_old(at)
        return spread

    def close(self) -> None:
        """No more will come: settle everything.

        Those still connected are to have left before, lest what was on its way to them counts as lost.
        """
        while self._open:
            self._settle_oldest()

    def metrics(self) -> dict[str, float]:
        """`fanout.*` of the messages that are settled; the spread, in seconds, of those that several received."""
        measured: dict[str, float] = {}
        spread = self.spreads.percentile(99)
        if spread is not None:
            measured["fanout.spread.p99"] = spread
        if self.expected:
            measured["fanout.reach"] = self.reached / self.expected
        return measured

    def _audience(self, channel: str, epoch: str | None) -> _Audience:
        audience = self._audiences.get((channel, epoch))
        if audience is None:
            audience = self._audiences[channel, epoch] = _Audience()
        return audience

    def _settle_old(self, now: float) -> None:
        while len(self._open) > MOST_OPEN or self._oldest.first < now - SETTLED_AFTER:
            self._settle_oldest()

    @property
    def _oldest(self) -> Spread:
        audience, seq = self._open[0]
        return audience.open[seq]

    def _settle_oldest(self) -> None:
        audience, seq = self._open.popleft()
        spread = audience.settle(seq)
        # One receipt too many of a message does not make up for one too few of another.
        self.reached += min(spread.count, spread.expected)
        self.expected += spread.expected
        if spread.count > 1:
            self.spreads.record(spread.last - spread.first)

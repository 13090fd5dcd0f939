"""Records: what a frame says, found out once for all connections that receive the same bytes.

And what the ordering check made of it where it came in its place, which is the same for all who stood at that place.
"""

from collections import deque
from collections.abc import Sequence
from sys import intern
from typing import Any, Self

from msgspec import Struct

from wsctl.checks.fanout import Spread
from wsctl.checks.lane import Lane
from wsctl.checks.sequence import is_control, name_of
from wsctl.model.event import Event
from wsctl.model.observation import Kind, Observation
from wsctl.wire.over_socketio import DialectReader
from wsctl.wire.payload import EventReader, source_time

KEPT = 4096
"""records kept at most"""
KEPT_FOR = 2.0
"""seconds after its first arrival in which a message may reach further connections as the same record"""


class Record:
    """One message, whoever received it."""

    __slots__ = (
        "after",
        "arrivals",
        "arrived",
        "before",
        "channel",
        "control",
        "epoch",
        "followed",
        "is_state",
        "kind",
        "numbered",
        "seen",
        "seq",
        "size",
        "source_at",
        "spread",
    )

    def __init__(self, seen: Observation, size: int, *, is_state: bool = False) -> None:
        self.seen = seen
        """as its first receiver saw it; the ordering check remembers seq and payload, which are the same for all"""
        self.kind = seen.kind
        self.channel = name_of(seen)
        """what it is counted under: its channel, or its event where a feed knows no channels"""
        self.epoch = seen.epoch
        self.seq = seen.seq
        self.before: int | None = None
        """the position of a settled lane that it takes to `after`, when that is all there is to it; None: not known"""
        self.after = 0
        self.numbered = True
        """whether that was by its number"""
        self.followed = False
        """whether numbers show whom it did not reach"""
        self.control = is_control(seen)
        self.is_state = is_state or seen.kind is Kind.SNAPSHOT
        """whether it stands for all that came before"""
        self.source_at = source_time(seen.data)
        self.size = size
        self.spread: Spread | None = None
        """its receipts in place, once there is one"""
        self.arrivals: list[float] = []
        """further ones, not counted yet; unix seconds"""
        self.arrived = self.arrivals.append

    @property
    def counts(self) -> bool:
        """Whether it is a message to count: an update or a snapshot."""
        return not self.control and (self.kind is Kind.UPDATE or self.kind is Kind.SNAPSHOT)

    @property
    def is_update(self) -> bool:
        """Whether it is news: what a latency is taken of, and what a server's ledger counts."""
        return self.kind is Kind.UPDATE and not self.control


class Stand(Struct, frozen=True):
    """Where a lane stood before a message, and what its report counted that more than its place depends on."""

    last: int
    epoch: str | None
    settled: bool
    unnumbered: int
    others: tuple[int, int]

    @classmethod
    def of(cls, lane: Lane) -> Self:
        """As it is now."""
        report = lane.report
        return cls(lane.last, lane.epoch, lane.settled, report.unnumbered, (report.resets, report.skipped))

    def taught(self, record: Record, lane: Lane) -> None:
        """Let a record know what the message did, if it was nothing but taking the lane a step on."""
        now = Stand.of(lane)
        passed_over = now.unnumbered - self.unnumbered
        plain = (
            record.kind is Kind.UPDATE
            and self.settled
            and now.settled
            and (now.epoch, now.others) == (self.epoch, self.others)
            and (now.last == self.last if passed_over else now.last > self.last)
        )
        if plain:
            record.before, record.after = self.last, now.last
            record.numbered = not passed_over
            record.followed = record.numbered and lane.proves_loss and record.seq is not None


class Records:
    """The records of the last seconds by the bytes they came as."""

    def __init__(self, reader: DialectReader | None = None) -> None:
        """`reader` reads Socket.IO events of others; None: the platform's are meant."""
        self.known: dict[bytes, Record] = {}
        """what hot loops look up; always the same dict"""
        self._reader = reader or EventReader()
        self._order: deque[bytes] = deque()

    def read(self, conn: str, name: str, args: Sequence[Any], at: float, size: int) -> Record:
        """The record of an event that one connection received; not kept yet."""
        return self.of(conn, self._reader.read(name, args), at, size)

    def of(self, conn: str, event: Event, at: float, size: int, *, is_state: bool = False) -> Record:
        """The same of an event that is read already."""
        # the same objects in all records, so that hot loops compare them by identity
        channel, epoch = _interned(event.channel), _interned(event.epoch)
        seen = Observation(at, conn, channel, intern(event.name), epoch, event.seq, event.sent_at, None, event.data)
        return Record(seen, size, is_state=is_state)

    def keep(self, frame: bytes, record: Record) -> None:
        """Know a frame again. Only for what many connections are sent."""
        if frame not in self.known:
            self.known[frame] = record
            self._order.append(frame)

    def expire(self, now: float) -> list[Record]:
        """Forget those that nobody else will receive, and the oldest of too many; answers them."""
        gone = []
        while self._order:
            record = self.known[self._order[0]]
            if len(self._order) <= KEPT and now - record.seen.received_at < KEPT_FOR:
                break
            del self.known[self._order.popleft()]
            gone.append(record)
        return gone


def _interned(text: str | None) -> str | None:
    return None if text is None else intern(text)

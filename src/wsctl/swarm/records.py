"""Records: what a frame says, found out once for all connections that receive the same bytes."""

from collections import deque
from collections.abc import Sequence
from sys import intern
from typing import Any

from wsctl.checks.fanout import Spread
from wsctl.checks.sequence import is_control, name_of
from wsctl.model.observation import Kind, Observation
from wsctl.wire.payload import EventReader, source_time

KEPT = 4096
"""records kept at most"""
KEPT_FOR = 2.0
"""seconds after its first arrival in which a message may reach further connections as the same record"""


class Record:
    """One message, whoever received it."""

    __slots__ = (
        "arrivals",
        "arrived",
        "before",
        "channel",
        "control",
        "epoch",
        "event",
        "kind",
        "seen",
        "seq",
        "size",
        "source_at",
        "spread",
    )

    def __init__(self, seen: Observation, size: int) -> None:
        self.seen = seen
        """as its first receiver saw it; the ordering check remembers seq and payload, which are the same for all"""
        self.kind = seen.kind
        self.event = seen.event
        self.channel = name_of(seen)
        """what it is counted under: its channel, or its event where a feed knows no channels"""
        self.epoch = seen.epoch
        self.seq = seen.seq
        self.before: int | None = None
        """the seq it must follow, when that is all there is to check; None for what needs thought"""
        data = seen.data
        if seen.seq is not None and type(data) is dict and "snapshot" not in data and "n" not in data:
            self.before = seen.seq - 1
        self.control = is_control(seen)
        self.source_at = source_time(data)
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


class Records:
    """The records of the last seconds by the bytes they came as."""

    def __init__(self) -> None:
        self.known: dict[bytes, Record] = {}
        """what hot loops look up; always the same dict"""
        self._reader = EventReader()
        self._order: deque[bytes] = deque()

    def read(self, conn: str, name: str, args: Sequence[Any], at: float, size: int) -> Record:
        """The record of an event that one connection received; not kept yet."""
        event = self._reader.read(name, args)
        # the same objects in all records, so that hot loops compare them by identity
        channel, epoch = _interned(event.channel), _interned(event.epoch)
        seen = Observation(at, conn, channel, intern(name), epoch, event.seq, event.sent_at, None, event.data)
        return Record(seen, size)

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

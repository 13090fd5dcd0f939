"""Everything that a swarm counts, and what it makes of it."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from wsctl.checks.channel_report import GAP
from wsctl.checks.evictions import EvictionCheck
from wsctl.checks.fanout import FanoutCheck
from wsctl.checks.lane import Lane
from wsctl.checks.latency import Buckets, Histogram
from wsctl.checks.ordering import OrderingCheck
from wsctl.checks.reconnection import ReconnectionCheck
from wsctl.client.clock_offset import TOLERANCE, ClockOffset
from wsctl.model.finding import Finding
from wsctl.model.metrics import is_platforms_own
from wsctl.model.observation import Observation
from wsctl.swarm.delta import Causes
from wsctl.swarm.records import Record, Records, Stand
from wsctl.wire.dialect import Dialect
from wsctl.wire.over_socketio import DialectReader

MOST_SAMPLES = 100
LARGEST_SAMPLE = 64 * 1024
"""bytes"""
MOST_FINDINGS = 100
CAUSES_TOLD = 3
"""reasons of failed attempts that are told, the most frequent ones"""
_STEPS = 100_000
"""latencies are counted in steps of 10 µs"""


CONNECT, ACKNOWLEDGE = "connect", "acknowledge"


@dataclass(slots=True)
class Counts:
    """What happened to the clients."""

    opened: int = 0
    subscribed: int = 0
    open: int = 0
    peak: int = 0
    refused: int = 0
    evicted: int = 0
    closed: int = 0
    failed: int = 0
    """attempts"""
    malformed: int = 0
    """messages"""
    unserved: int = 0
    """subscriptions"""
    auth_refused: int = 0
    auth_denied: int = 0
    acks_ok: int = 0
    acks_refused: int = 0
    unacknowledged: int = 0
    began_at: float = 0.0
    """monotonic seconds of the first attempt"""
    last_opened_at: float = 0.0
    """monotonic seconds of the latest client's first joining"""
    causes: Causes = field(default_factory=Causes)
    """why attempts failed or were refused"""

    def joined(self, *, first: bool) -> None:
        """A connection is in."""
        self.open += 1
        self.peak = max(self.peak, self.open)
        if first:
            self.opened += 1
            self.last_opened_at = time.monotonic()

    def metrics(self) -> dict[str, float]:
        """`connections.*`, `auth.*`, `acks.*` and `errors`."""
        measured: dict[str, float] = {
            "connections.opened": self.opened,
            "connections.subscribed": self.subscribed,
            "connections.peak": self.peak,
            "connections.refused": self.refused,
            "connections.evicted": self.evicted,
            "connections.closed": self.closed,
            "auth.refused": self.auth_refused,
            "auth.denied": self.auth_denied,
            "acks.ok": self.acks_ok,
            "acks.refused": self.acks_refused,
            "errors": self.failed + self.malformed + self.unserved,
        }
        took = self.last_opened_at - self.began_at
        if self.opened and took > 0:
            measured["connections.rate"] = self.opened / took
        return measured


class _Latencies:
    """Latencies by steps of 10 µs, gathered into a histogram now and then."""

    def __init__(self) -> None:
        self.steps: Counter[int] = Counter()
        self.histogram = Histogram()
        self.incomparable = 0

    def gather(self, tolerance: float) -> None:
        """A message cannot arrive before it was sent: within the tolerance it was quick, else clocks disagree."""
        for step, count in self.steps.items():
            if step >= -tolerance * _STEPS:
                self.histogram.record_many(max(step, 0) / _STEPS, count)
            else:
                self.incomparable += count
        self.steps.clear()


class Tally:
    """Fed by connections, folded a few times a second, read at any time."""

    def __init__(self, hold: float, dialect: Dialect | None = None) -> None:
        """`dialect` is that of a feed of others; None: the platform's."""
        self.ordering = OrderingCheck() if dialect is None else OrderingCheck(dialect.scheme, dialect.link)
        self._is_raw = dialect is not None and dialect.over == "websocket"
        self.fanout = FanoutCheck()
        self.reconnection = ReconnectionCheck(hold)
        self.evictions = EvictionCheck()
        self.counts = Counts()
        self.channels: Counter[str] = Counter()
        """updates received, by channel"""
        self.received = 0
        """updates and snapshots"""
        self.bytes = 0
        self.samples: list[Observation] = []
        """messages that brought findings to light, the first ones"""
        self.records = Records(DialectReader(dialect) if dialect is not None and not self._is_raw else None)
        """of who asks for what all ask for"""
        self._records: dict[tuple[str, ...], Records] = {}
        self.clock_offset: ClockOffset | None = None
        self.times = {CONNECT: Histogram(), ACKNOWLEDGE: Histogram()}
        """how long first things took, in seconds"""
        self._latency = _Latencies()
        self._source = _Latencies()
        self._recovery: dict[str, float] = {}
        """`reconnect.*` as of the latest gathering: over ten thousand clients it takes a tenth of a second"""
        self._warm = False
        """latencies count from now on"""
        self._began: float | None = None
        """monotonic seconds"""
        self._ended: float | None = None
        self._received_at_begin = 0

    # What connections tell

    def records_for(self, channels: tuple[str, ...]) -> Records:
        """Those of the clients that ask for the same: in some dialects only that tells what a frame is about."""
        return self._records.setdefault(channels, Records())

    def judge(self, conn: str, record: Record, at: float) -> Lane | None:
        """Take a message's place in its sequence; the lane it moved, unless it has none."""
        seen = structs.replace(record.seen, conn=conn, received_at=at)
        lane = self.ordering.lane(conn, record.channel)
        stood = None if lane is None else Stand.of(lane)
        found = self.ordering.add(seen)
        if found:
            if len(self.samples) < MOST_SAMPLES and record.size <= LARGEST_SAMPLE:
                self.samples.append(seen)
            for finding in found:
                self._lost(finding)
        elif lane is not None and stood is not None:
            stood.taught(record, lane)
        return self.ordering.lane(conn, record.channel)

    def count(self, record: Record, at: float, *, timely: bool) -> None:
        """One message that took the longer path; not `timely` where we are the ones who were slow."""
        self._count(record, 1)
        if timely and record.is_update:
            self._measure(record, (at,))

    def sent_by_our_clock(self, seen: Observation) -> float | None:
        """When a message was sent, in unix seconds; None where that, or what the time is there, is not known."""
        if seen.sent_at is None or self.clock_offset is None:
            return None
        return seen.sent_at - self.clock_offset.correction

    def leave(self, conn: str, channel: str) -> None:
        """A connection no longer listens to a channel, by our own doing."""
        for finding in self.ordering.leave(conn, channel):
            self._lost(finding)

    # What the swarm tells

    def begin(self) -> None:
        """Measuring begins."""
        self.fold()
        self._began = time.monotonic()
        self._received_at_begin = self.received
        self.evictions.begin(time.time())

    def measure_latencies(self) -> None:
        """The warm-up is over: latencies so far are none of the result."""
        self.fold()
        self._latency, self._source = _Latencies(), _Latencies()
        self._warm = True

    def fold(self) -> None:
        """Count what arrived since the last time; forget old records."""
        for records in (self.records, *self._records.values()):
            for record in records.known.values():
                if record.arrivals:
                    self._fold(record)
            records.expire(time.time())

    def gather(self) -> None:
        """Bring up to date what takes long: percentiles of latencies, who is back. The seldomer, the less work."""
        tolerance = max(TOLERANCE, self.clock_offset.bound) if self.clock_offset else TOLERANCE
        self._latency.gather(tolerance)
        self._source.gather(tolerance)
        self._recovery = self.reconnection.metrics(time.time())

    def close(self) -> None:
        """Measuring ends: holes still open are gaps now."""
        self.fold()
        self._ended = time.monotonic()
        for finding in self.ordering.close():
            self._lost(finding)
        self.gather()  # a hole that is a gap now may have spoilt a return
        self.fanout.close()
        self.evictions.close(time.time())

    @property
    def elapsed(self) -> float:
        """Seconds measured."""
        if self._began is None:
            return 0.0
        return (time.monotonic() if self._ended is None else self._ended) - self._began

    def metrics(self) -> dict[str, float]:
        """All that is known but what the clients are at this moment."""
        now = time.time()
        measured = self.counts.metrics()
        measured["messages.received"] = self.received
        measured["messages.bytes"] = self.bytes
        if self.elapsed > 0:
            measured["messages.rate"] = (self.received - self._received_at_begin) / self.elapsed
        if self._warm:
            measured |= self._latency.histogram.metrics("latency")
            measured |= self._source.histogram.metrics("latency.source")
        measured |= self.ordering.metrics()
        measured |= self._recovery
        measured |= self.fanout.metrics() | self.evictions.metrics(now)
        return {name: value for name, value in measured.items() if not (self._is_raw and is_platforms_own(name))}

    def totals(self) -> dict[str, int]:
        """Everything that adds up over processes, by name."""
        counts = self.counts
        ordering = {name: int(value) for name, value in self.ordering.metrics().items()}
        return {
            "opened": counts.opened,
            "subscribed": counts.subscribed,
            "refused": counts.refused,
            "evicted": counts.evicted,
            "closed": counts.closed,
            "failed": counts.failed,
            "malformed": counts.malformed,
            "unserved": counts.unserved,
            "auth.refused": counts.auth_refused,
            "auth.denied": counts.auth_denied,
            "acks.ok": counts.acks_ok,
            "acks.refused": counts.acks_refused,
            "unacknowledged": counts.unacknowledged,
            "received": self.received,
            "bytes": self.bytes,
            "incomparable": self._latency.incomparable if self._warm else 0,
            "fanout.reached": self.fanout.reached,
            "fanout.expected": self.fanout.expected,
            **ordering,
        }

    def take_times(self) -> dict[str, Buckets]:
        """The durations recorded since the last time, by name; latencies once they count."""
        self.gather()
        taken = {"spread": self.fanout.spreads, **self.times}
        if self._warm:
            taken |= {"latency": self._latency.histogram, "latency.source": self._source.histogram}
        self._latency.histogram, self._source.histogram, self.fanout.spreads = Histogram(), Histogram(), Histogram()
        self.times = {name: Histogram() for name in self.times}
        return {name: buckets for name, histogram in taken.items() if (buckets := histogram.buckets()) is not None}

    def findings(self) -> tuple[Finding, ...]:
        """The first of all channels."""
        found = [finding for report in self.ordering.channels.values() for finding in report.findings]
        return tuple(found[:MOST_FINDINGS])

    def notes(self) -> list[str]:
        """What a reader of the figures should know."""
        notes = [
            f"{count:,} × {cause}" if count > 1 else cause
            for cause, count in self.counts.causes.most_common(CAUSES_TOLD)
        ]
        if self.counts.unacknowledged:
            notes.append(
                f"{self.counts.unacknowledged:,} subscriptions were not acknowledged; taken for served all the same"
            )
        unnumbered = sum(report.unnumbered for report in self.ordering.channels.values())
        if unnumbered:
            notes.append(
                f"{unnumbered:,} of {self.received:,} messages have no sequence number: nothing proves their order"
            )
        if self._latency.incomparable:
            notes.append(f"{self._latency.incomparable:,} latencies are left out: the clocks cannot be compared")
        elif self.clock_offset is not None and self.clock_offset.correction:
            notes.append(str(self.clock_offset))
        now = time.time()
        funnel = self.reconnection.funnel(now)
        return [*notes, *([] if funnel is None else [str(funnel)]), *self.reconnection.notes(now)]

    def _fold(self, record: Record) -> None:
        """Count receipts that were in place and took the common path: all of them updates."""
        arrivals = record.arrivals
        self._count(record, len(arrivals))
        self._measure(record, arrivals)
        report = self.ordering.channels[record.channel]
        report.messages += len(arrivals)
        if not record.numbered:
            report.unnumbered += len(arrivals)
        if record.followed:
            self._spread(record, arrivals)
        arrivals.clear()

    def _spread(self, record: Record, arrivals: Sequence[float]) -> None:
        spread, more = record.spread, len(arrivals)
        if spread is None:
            assert record.seq is not None
            spread = record.spread = self.fanout.received(record.channel, record.epoch, record.seq, arrivals[0])
            more -= 1
        spread.add(arrivals[0], arrivals[-1], more)

    def _count(self, record: Record, times: int) -> None:
        self.received += times
        self.bytes += times * record.size
        if record.is_update:
            self.channels[record.channel] += times

    def _measure(self, record: Record, arrivals: Iterable[float]) -> None:
        sent_at, source_at = record.seen.sent_at, record.source_at
        if sent_at is None:
            return
        since = sent_at - self.clock_offset.correction if self.clock_offset else sent_at
        steps = [int((at - since) * _STEPS + 0.5) for at in arrivals]
        self._latency.steps.update(steps)
        if source_at is not None:
            before = int((sent_at - source_at) * _STEPS + 0.5)
            self._source.steps.update([step + before for step in steps])

    def _lost(self, finding: Finding) -> None:
        if finding.kind == GAP:
            self.reconnection.lost(finding.conn.partition(".")[0], finding.at)

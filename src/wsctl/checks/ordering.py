"""Ordering: did every message of a channel come, once, and in its place?

One position is kept per client and channel: `last`, the highest seq that came or was declared. What a message
means is read off its distance to that position, by the dialect's rules:

    seq == last + 1          in place
    seq >  last + 1          a hole opens; it is a gap once the reorder window has closed on it
    seq <= last, in a hole   a reorder: it came after a later one, inside the window
    seq <= last, seen        a duplicate
    seq <= last, else        a regression, and perhaps a restart: the next message tells
    another epoch            a reset: counted, not objected to

Time is always the `received_at` of a message, never a clock, so that a recorded stream gives the verdict that
the live one gave. Holes are intervals: a jump of millions costs what a jump of two costs.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from wsctl.model import event
from wsctl.model.finding import Finding, Verdict
from wsctl.model.observation import Kind, Observation

WINDOW_MESSAGES: Final = 64
"""how many later messages may overtake one before it counts as lost"""
WINDOW_SECONDS: Final = 1.0
"""how long after a hole opened a message may still fill it"""
FINDINGS_KEPT: Final = 100
"""findings kept per channel; all of them are counted"""

GAP: Final = "gap"
DUPLICATE: Final = "duplicate"
REORDER: Final = "reorder"
REGRESSION: Final = "regression"


def is_control(observation: Observation) -> bool:
    """Whether it speaks about the connection and not about a channel: nobody expects it to be numbered."""
    if observation.seq is not None:
        return False
    name = observation.event
    return name in event.CONTROL or (observation.channel is None and name.startswith("connection:"))


def name_of(observation: Observation) -> str:
    """What it is reported under: its channel, or its event where a feed knows no channels."""
    return observation.event if observation.channel is None else observation.channel


def next_seq(heartbeat: Observation) -> int | None:
    """The `nextSeq` of a heartbeat: every seq below it was sent. None when malformed."""
    data = heartbeat.data
    return _integer(data.get("nextSeq")) if isinstance(data, dict) else None


def left_out(skipped: Observation) -> tuple[int, int] | None:
    """The first and last seq that a `channel:skipped` declares left out. None when malformed."""
    data = skipped.data
    if not isinstance(data, dict):
        return None
    first, last = _integer(data.get("from")), _integer(data.get("to"))
    if first is None or last is None or first > last:
        return None
    return first, last


def same_payload(one: Observation, other: Observation) -> bool:
    """Whether two messages of one seq say the same.

    A snapshot is another rendering of its seq (a mark, a later timestamp), so it contradicts nothing.
    """
    return bool(one.data == other.data) or Kind.SNAPSHOT in (one.kind, other.kind)


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(slots=True)
class ChannelReport:
    """What is known about one channel, summed over the clients that listened to it. Read it at any time."""

    messages: int = 0
    """updates and snapshots; heartbeats and declared skips are none"""
    unnumbered: int = 0
    """those of them without a seq"""
    gaps: int = 0
    """holes never filled"""
    missing: int = 0
    """messages in them"""
    duplicates: int = 0
    reorders: int = 0
    regressions: int = 0
    """falls of the seq within one epoch, those announced by a heartbeat included"""
    misannounced: int = 0
    """those of them that a heartbeat announced: they concern no message"""
    resets: int = 0
    """changes of epoch; on a feed without epochs, connections that number afresh"""
    skipped: int = 0
    """messages declared left out: by `channel:skipped`, or by a snapshot after a reconnection"""
    findings: list[Finding] = field(default_factory=list)
    """the first FINDINGS_KEPT of them"""
    findings_left_out: int = 0

    @property
    def numbered(self) -> int:
        """Messages that had a seq."""
        return self.messages - self.unnumbered

    @property
    def objections(self) -> int:
        """All findings, kept or left out."""
        return self.gaps + self.duplicates + self.reorders + self.regressions

    @property
    def verified_percent(self) -> float | None:
        """The share of messages that had a seq; None when none came."""
        return 100.0 * self.numbered / self.messages if self.messages else None

    @property
    def clean_percent(self) -> float | None:
        """The share, among numbered messages and missing ones, of those that came once and in place.

        None when there is neither.
        """
        judged = self.numbered + self.missing
        unclean = self.duplicates + self.reorders + self.regressions - self.misannounced
        return 100.0 * (self.numbered - unclean) / judged if judged else None

    @property
    def verdict(self) -> Verdict:
        """fail with any finding; pass only when there were messages and each was numbered."""
        if self.objections:
            return Verdict.FAIL
        return Verdict.UNVERIFIABLE if self.unnumbered or not self.messages else Verdict.PASS

    def keep(self, finding: Finding) -> None:
        """Keep a finding while there is room."""
        if len(self.findings) < FINDINGS_KEPT:
            self.findings.append(finding)
        else:
            self.findings_left_out += 1

    def as_json(self) -> dict[str, Any]:
        """The channel as `ordering-check --format json` prints it."""
        return {
            "verdict": self.verdict.value,
            "messages": self.messages,
            "gaps": self.gaps,
            "missing": self.missing,
            "duplicates": self.duplicates,
            "reorders": self.reorders,
            "regressions": self.regressions,
            "resets": self.resets,
            "skipped": self.skipped,
            "verified_percent": self.verified_percent,
            "clean_percent": self.clean_percent,
            "findings": msgspec.to_builtins(self.findings),
        }


class OrderingCheck:
    """Judges a stream of Observations of any number of clients and channels.

    Hand in the messages of one client and channel as they arrived; clients and channels may interleave.
    """

    def __init__(self, *, window_messages: int = WINDOW_MESSAGES, window_seconds: float = WINDOW_SECONDS) -> None:
        self.channels: dict[str, ChannelReport] = {}
        self._window = _Window(window_messages, window_seconds)
        self._lanes: dict[tuple[str, str], _Lane] = {}
        """by client and name"""
        self._current: dict[tuple[str, str], _Lane] = {}
        """the same lanes by connection and name, so that the common path need not parse the connection"""

    def add(self, observation: Observation) -> list[Finding]:
        """Take in one Observation; the findings it brought to light, mostly none."""
        channel = observation.channel
        lane = self._current.get((observation.conn, observation.event if channel is None else channel))
        # The common path: the next update of a channel on which nothing is open. Several hundred thousand
        # a second must pass here, so it asks only what can tell it from every other case.
        if (
            lane is not None
            and lane.calm
            and observation.seq == lane.last + 1
            and observation.epoch == lane.epoch
            and observation.event == lane.event
        ):
            data = observation.data
            if type(data) is dict and "snapshot" not in data and "n" not in data:
                lane.last += 1
                lane.remember(observation)
                lane.report.messages += 1
                return []
        return self._judge(observation)

    def close(self) -> list[Finding]:
        """The stream has ended: holes still open become gaps. The findings that makes."""
        found: list[Finding] = []
        for lane in self._lanes.values():
            lane.lose_all()
            lane.settle()
            found += lane.take_findings()
        return found

    @property
    def verdict(self) -> Verdict:
        """fail if any channel fails; pass if messages came and all of them were numbered; else unverifiable.

        A channel on which only heartbeats or declared skips came has nothing to judge and does not weigh in.
        """
        reports = self.channels.values()
        if any(report.objections for report in reports):
            return Verdict.FAIL
        verdicts = {report.verdict for report in reports if report.messages}
        return Verdict.PASS if verdicts == {Verdict.PASS} else Verdict.UNVERIFIABLE

    @property
    def findings_left_out(self) -> int:
        """How many findings were counted and not kept."""
        return sum(report.findings_left_out for report in self.channels.values())

    def metrics(self) -> dict[str, int]:
        """`ordering.*` over all channels; empty when no numbered message came: nothing was measured then."""
        reports = self.channels.values()
        if not any(report.numbered for report in reports):
            return {}
        names = ("gaps", "missing", "duplicates", "reorders", "regressions", "resets", "skipped")
        return {f"ordering.{name}": sum(getattr(report, name) for report in reports) for name in names}

    def as_json(self) -> dict[str, Any]:
        """What `ordering-check --format json` prints."""
        return {
            "verdict": self.verdict.value,
            "channels": {name: report.as_json() for name, report in self.channels.items()},
        }

    def _judge(self, observation: Observation) -> list[Finding]:
        if is_control(observation):
            return []
        kind = observation.kind
        if kind is Kind.HEARTBEAT:
            return self._heartbeat(observation)
        if kind is Kind.SKIPPED:
            return self._skipped(observation)
        lane, reconnected = self._arrival(observation)
        lane.report.messages += 1
        if observation.seq is None:
            lane.report.unnumbered += 1
        elif lane.begins(observation, observation.seq):
            lane.accept(observation, observation.seq)
        elif kind is Kind.SNAPSHOT:
            lane.snapshot(observation, observation.seq, reconnected)
        else:
            lane.update(observation, observation.seq, reconnected)
        if kind is Kind.UPDATE:
            lane.event = observation.event
        lane.settle()
        return lane.take_findings()

    def _heartbeat(self, observation: Observation) -> list[Finding]:
        announced = next_seq(observation)
        if observation.channel is None or announced is None:
            return []
        lane, reconnected = self._arrival(observation)
        if not lane.begins(observation, announced - 1):
            lane.heartbeat(observation, announced, reconnected)
        lane.settle()
        return lane.take_findings()

    def _skipped(self, observation: Observation) -> list[Finding]:
        declared = left_out(observation)
        if observation.channel is None or declared is None:
            return []
        lane, _ = self._arrival(observation)
        lane.begins(observation, declared[0] - 1)
        lane.skipped(observation, *declared)
        lane.settle()
        return lane.take_findings()

    def _arrival(self, observation: Observation) -> tuple["_Lane", bool]:
        """The lane it belongs to, the window closed on it; and whether the client reconnected since."""
        conn, name = observation.conn, name_of(observation)
        lane = self._current.get((conn, name))
        reconnected = False
        if lane is None:
            key = (observation.client, name)
            lane = self._lanes.get(key)
            if lane is None:
                report = self.channels.setdefault(name, ChannelReport())
                lane = self._lanes[key] = _Lane(name, report, self._window)
            else:
                reconnected = True
                del self._current[lane.conn, name]
            self._current[conn, name] = lane
            lane.conn = conn
        lane.arrive(observation.received_at)
        return lane, reconnected


class _Window(msgspec.Struct, frozen=True):
    messages: int
    seconds: float


class _Pending(msgspec.Struct, frozen=True):
    """Something that the window closes on: when it began, in time and in arrivals on its lane."""

    at: float
    arrival: int


class _Hole(_Pending, frozen=True):
    """Seqs that did not come yet, and the connection whose message showed it."""

    conn: str
    first: int
    last: int

    def part(self, first: int, last: int) -> "_Hole":
        return _Hole(self.at, self.arrival, self.conn, first, last)


class _Former(_Pending, frozen=True):
    """The position before a restart, which may yet prove to have been a burst of late messages."""

    last: int


class _Lane:
    """One channel as one client hears it.

    Bounded: a message adds at most one hole, and a window of messages later it is gone.
    """

    __slots__ = (
        "arrivals",
        "calm",
        "candidate",
        "conn",
        "epoch",
        "event",
        "former",
        "found",
        "holes",
        "last",
        "name",
        "recent",
        "remember",
        "report",
        "started",
        "top",
        "window",
    )

    def __init__(self, name: str, report: ChannelReport, window: _Window) -> None:
        self.name = name
        self.report = report
        self.window = window
        self.conn = ""
        self.epoch: str | None = None
        self.event: str | None = None
        """event name of the latest update: what the common path compares with"""
        self.started = False
        self.last = 0
        """the position: highest seq that came or was declared"""
        self.top: int | None = None
        """highest seq that came; kept only while not calm (then it equals `last`)"""
        self.calm = False
        """nothing is open: the next update in sequence needs no thought"""
        self.recent: deque[Observation] = deque(maxlen=window.messages)
        self.remember = self.recent.append
        self.holes: list[_Hole] = []
        """in ascending order, which is also the order they opened in"""
        self.arrivals = 0
        """counts on while not calm; only differences matter"""
        self.candidate: int | None = None
        """the seq that fell, until the next message tells whether the sequence restarted there"""
        self.former: _Former | None = None
        self.found: list[Finding] = []

    def take_findings(self) -> list[Finding]:
        found, self.found = self.found, []
        return found

    def arrive(self, at: float) -> None:
        """Count something heard on the channel and close the window on what waited too long."""
        if self.calm:
            self.top = self.last
        self.arrivals += 1
        while self.holes and self._is_over(self.holes[0], at):
            self._lose(self.holes.pop(0))
        if self.former is not None and self._is_over(self.former, at):
            self.former = None

    def settle(self) -> None:
        """Whatever came is dealt with: see whether anything is still open."""
        if self.former is not None and self.last >= self.former.last:
            self.former = None
        self.calm = (
            self.started and self.top == self.last and self.candidate is None and self.former is None and not self.holes
        )

    def begins(self, observation: Observation, position: int) -> bool:
        """Take `position` as baseline of a new lane or of a new epoch; False where the sequence goes on."""
        if not self.started:
            self.started = True
            self._rebase(position)
            self.epoch = observation.epoch
            return True
        if observation.epoch is None or observation.epoch == self.epoch:
            return False
        renumbered, self.epoch = self.epoch is not None, observation.epoch
        if renumbered:
            self._reset(position)
        return renumbered

    def accept(self, observation: Observation, seq: int) -> None:
        self.last = self.top = seq
        self.remember(observation)

    def update(self, observation: Observation, seq: int, reconnected: bool) -> None:
        if seq > self.last:
            self._go_ahead(observation, seq - 1)
            self.accept(observation, seq)
        elif reconnected and self.epoch is None:
            # On feeds of others the first message after a reconnection that repeats the last seq is the
            # current state, and a lower one is a connection that numbers for itself.
            if seq < self.last:
                self._reset(seq)
            self._cut(seq, seq)
            self.candidate = None
            self.accept(observation, seq)
        elif self._cut(seq, seq):
            self._fill(observation, seq)
        else:
            self._behind(observation, seq)

    def snapshot(self, observation: Observation, seq: int, reconnected: bool) -> None:
        """The current state: repeats the latest seq. After a reconnection it stands for what was left out."""
        if reconnected and seq >= self.last:
            self._return_to_former(seq)
            self.lose_all()
            self.candidate = None
            self.report.skipped += seq - self.last
            self.accept(observation, seq)
        elif seq >= self.last:
            # The update it repeats should have come before it, so a hole takes in that one as well.
            self._go_ahead(observation, seq)
            self.accept(observation, seq)
        elif reconnected and self.epoch is None:
            self._reset(seq)
            self.accept(observation, seq)
        elif self.candidate is not None and seq - self.candidate in (0, 1):
            self._restart(observation, seq)
            self.accept(observation, seq)
        else:
            self._regress(observation, seq)

    def heartbeat(self, observation: Observation, announced: int, reconnected: bool) -> None:
        """Every seq below `announced` was sent: what did not come is lost, or on its way."""
        position = announced - 1
        if position >= self.last:
            self._go_ahead(observation, position)
            self.last = position
        elif position == self.candidate:
            self._restart(observation, position)
        elif reconnected and self.epoch is None:
            self._reset(position)
        else:
            self.report.regressions += 1
            self.report.misannounced += 1
            self.candidate = position
            expected = self.last + 1
            text = f"heartbeat announced next {announced} after {self.last} on {self.name}; expected {expected}"
            self._object(REGRESSION, observation.conn, announced, announced, observation.received_at, text)

    def skipped(self, observation: Observation, first: int, last: int) -> None:
        """`first` to `last` were left out on purpose; what lies before them was not."""
        self.report.skipped += last - first + 1
        if last > self.last:
            self._go_ahead(observation, first - 1)
            self.last = last
        self._cut(first, last)

    def lose_all(self) -> None:
        holes, self.holes = self.holes, []
        for hole in holes:
            self._lose(hole)

    def _go_ahead(self, observation: Observation, expected: int) -> None:
        """Something beyond the position came: all up to `expected` should have come before it."""
        self._return_to_former(expected + 1)
        self.candidate = None
        if expected > self.last:
            at = observation.received_at
            self.holes.append(_Hole(at, self.arrivals, observation.conn, self.last + 1, expected))

    def _fill(self, observation: Observation, seq: int) -> None:
        # What a heartbeat announced before it came is late, but came after no later message.
        if self.top is not None and seq < self.top:
            self.report.reorders += 1
            text = f"seq {seq} came after {self.top} on {self.name}; expected after {seq - 1}"
            self._object(REORDER, observation.conn, seq, seq, observation.received_at, text)
        else:
            self.top = seq
        self.remember(observation)

    def _behind(self, observation: Observation, seq: int) -> None:
        """Not ahead and not in a hole: seen before, or fallen."""
        seen = [known for known in self.recent if known.seq == seq]
        repeated = any(same_payload(known, observation) for known in seen)
        if not repeated and self.candidate is not None and seq == self.candidate + 1:
            self._restart(observation, seq)
            self.accept(observation, seq)
        elif repeated or seq == self.top:
            self.report.duplicates += 1
            change = " with a different payload" if seen and not repeated else ""
            text = f"seq {seq} came again{change} on {self.name}; expected {self.last + 1}"
            self._object(DUPLICATE, observation.conn, seq, seq, observation.received_at, text)
        else:
            self._regress(observation, seq)

    def _regress(self, observation: Observation, seq: int) -> None:
        self.report.regressions += 1
        self.candidate = seq
        self.remember(observation)
        announced = "" if self.top is not None and seq < self.top else " was announced"
        text = f"seq {seq} after {self.last}{announced} on {self.name}; expected {self.last + 1}"
        self._object(REGRESSION, observation.conn, seq, seq, observation.received_at, text)

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

    def _return_to_former(self, seq: int) -> None:
        if self.former is not None and seq > self.former.last:
            # Holes opened meanwhile lie below the former position, where everything has been judged already.
            self.holes.clear()
            self.last = self.top = self.former.last
            self.former = None

    def _reset(self, position: int) -> None:
        """Numbers start again, and the feed says so: what was open can no longer be filled."""
        self.report.resets += 1
        self.lose_all()
        self.former = None
        self.recent.clear()
        self._rebase(position)

    def _rebase(self, position: int) -> None:
        self.last = position
        self.top = None
        self.candidate = None

    def _is_over(self, pending: _Pending, at: float) -> bool:
        window = self.window
        return self.arrivals - pending.arrival > window.messages or at - pending.at > window.seconds

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
        self.report.gaps += 1
        self.report.missing += last - first + 1
        seqs = f"seq {first}" if first == last else f"seqs {first} to {last}"
        text = f"{seqs} never came on {self.name}; expected between {first - 1} and {last + 1}"
        self._object(GAP, hole.conn, first, last, hole.at, text)

    def _object(self, kind: str, conn: str, first: int, last: int, at: float, message: str) -> None:
        finding = Finding(kind=kind, conn=conn, channel=self.name, first=first, last=last, at=at, message=message)
        self.found.append(finding)
        self.report.keep(finding)

"""The position of one client on one channel; what a message means is read off its distance to it."""

from collections import deque

import msgspec

from wsctl.checks.channel_report import DUPLICATE, GAP, REGRESSION, REORDER, ChannelReport
from wsctl.checks.sequence import same_payload
from wsctl.model.finding import Finding
from wsctl.model.observation import Observation


class Window(msgspec.Struct, frozen=True):
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


class Lane:
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

    def __init__(self, name: str, report: ChannelReport, window: Window) -> None:
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

"""Reconnection: of the clients that a fault cut, how many came back, how far, and how soon?

Counted are the clients that were open, subscribed and receiving when the fault came (t0) and that it cut, by the
word of whoever did it. One recovers when within W of the service being back (t1) all of this holds, on one
connection and for another H seconds: it is open, every subscription was answered, each channel that it had data on
before brought something fresh, and no gap is unresolved. Fresh is what goes beyond all that the client had, by its
number or, where numbers do not tell, by its time or what it says (`freshness`); or a snapshot. Where a channel's
numbers cannot show a gap none is ever unresolved: that the client is whole again is then not shown. Never noticing,
giving up, and coming back too late are failures alike. Times run from t0; a client that is not back counts as
infinite, so that it cannot flatter them.

Who a fault silenced for a while, and did not cut, is one of those only if its connection ends before it proved to be
well again: heard from once the silence was over, and open for another H. Who never ended it and never heard from it
again is one of them: it never noticed.

Several faults may come in one run: each is counted by itself and the counts are summed. The members of such a sum
are not independent of each other, since the same clients take part, so the lower bound says more than it proves.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct, structs

from wsctl.checks.crossing import Crossed
from wsctl.checks.proportion import lower_bound
from wsctl.model.lifecycle import Lifecycle, Stage

WITHIN: Final = 30.0
"""W: seconds after the service is back"""
HOLD: Final = 5.0
"""H: seconds to stay back for"""
LOSSES_REMEMBERED: Final = 4
"""ended connections of a client that a fault told of later may still prove to have cut"""
HERD_BIN: Final = 0.1
"""seconds over which simultaneous attempts are counted"""
HERD_BINS: Final = 36_000
"""of them kept, the latest: an hour, if there is an attempt in each"""

_NEVER: Final = math.inf


class Reached(Struct, frozen=True):
    """How many clients came so far in time, and when, in seconds after the fault; infinite for those that did not."""

    clients: int
    p50: float
    p99: float


class Funnel(Struct, frozen=True, kw_only=True):
    """How far the clients came that were cut; each stage is of those before it, on one connection."""

    cut: int
    noticed: Reached
    open: Reached
    subscribed: Reached
    fresh: Reached
    """something new on every channel"""
    consistent: Reached
    """and no unresolved gap"""
    held: Reached
    """and so for the whole hold; the time is when that began"""

    def __str__(self) -> str:
        stages = ("noticed", "open", "subscribed", "fresh", "consistent", "held")
        reached = [f"{stage} {getattr(self, stage).clients:,}" for stage in stages]
        times = f"p50 {_shown(self.held.p50)}, p99 {_shown(self.held.p99)}"
        return f"of {self.cut:,} cut: {', '.join(reached)}; back after {times}"


@dataclass(slots=True)
class _Connection:
    """One connection of a client, from its attempt on. What did not happen is at infinity."""

    began_at: float
    channels: frozenset[str]
    """those that are to bring something fresh"""
    missing: int
    """those of them that have not"""
    heard: set[str] = field(default_factory=set)
    """channels with fresh data"""
    joined_at: float = _NEVER
    subscribed_at: float = _NEVER
    heard_at: float = _NEVER
    complete_at: float = _NEVER
    """when the last missing channel was heard"""
    gap_at: float = _NEVER
    ended_at: float = _NEVER
    last_heard_at: float = -_NEVER
    """whatever came, news or not"""
    crossed: Crossed = field(default_factory=Crossed)

    @property
    def ready_at(self) -> float:
        """Open and subscribed."""
        return max(self.joined_at, self.subscribed_at)

    @property
    def fresh_at(self) -> float:
        """Open, subscribed, and fresh on every channel."""
        return max(self.ready_at, self.complete_at)

    def was_live(self, at: float) -> bool:
        """Open, subscribed and receiving at that time."""
        return max(self.ready_at, self.heard_at) <= at <= self.ended_at

    @property
    def was_ever_live(self) -> bool:
        return max(self.ready_at, self.heard_at) < _NEVER


class _Return(Struct, frozen=True):
    """How far a client has come back since it lost a connection: when it first reached each stage."""

    attempts: int = 0
    noticed_at: float = _NEVER
    opened_at: float = _NEVER
    subscribed_at: float = _NEVER
    fresh_at: float = _NEVER
    consistent_at: float = _NEVER
    held_at: float = _NEVER
    """since when it is back for good; nothing that follows changes anything"""
    crossed: Crossed = Crossed()

    def by(self, connection: _Connection, now: float, hold: float) -> "_Return":
        """With one more connection, as it stands now or ended."""
        if self.held_at < _NEVER:
            return self
        fresh_at, gap_at = connection.fresh_at, connection.gap_at
        held_until = fresh_at + hold
        held = held_until <= min(now, connection.ended_at) and held_until < gap_at
        return structs.replace(
            self,
            attempts=self.attempts + 1,
            opened_at=min(self.opened_at, connection.joined_at),
            subscribed_at=min(self.subscribed_at, connection.ready_at),
            fresh_at=min(self.fresh_at, fresh_at),
            consistent_at=min(self.consistent_at, fresh_at) if fresh_at < gap_at else self.consistent_at,
            held_at=fresh_at if held else _NEVER,
            crossed=self.crossed + connection.crossed,
        )


@dataclass(slots=True)
class _Loss:
    """A connection that was live and is lost, whether or not its client knows, and the way back."""

    client: "_Client"
    connection: _Connection
    way: _Return = field(default_factory=_Return)
    silent_until: float = _NEVER
    """when what was silenced flows on; never, where the connection was cut"""

    def is_outlived(self, now: float, hold: float) -> bool:
        """Whether it proved to be no loss: after the silence something came, and it stayed open for the hold."""
        connection = self.connection
        was_open_until = min(now, connection.ended_at)
        return connection.last_heard_at >= self.silent_until and was_open_until >= self.silent_until + hold

    def way_by(self, now: float, hold: float) -> _Return:
        current = self.client.connection
        if current is None or current is self.connection:
            return self.way
        return self.way.by(current, now, hold)


@dataclass(slots=True)
class _Client:
    known: frozenset[str] = frozenset()
    """channels it had data on"""
    connection: _Connection | None = None
    """the current one, or attempt"""
    joined: bool = False
    """ever"""
    gave_up: bool = False
    unclaimed: deque[_Loss] = field(default_factory=lambda: deque(maxlen=LOSSES_REMEMBERED))
    """lost without a fault that is known to have done it"""
    claimed: list[_Loss] = field(default_factory=list)
    """lost to a fault; the one of the current connection included"""

    def attempt(self, at: float) -> None:
        self.gave_up = False
        self.connection = _Connection(at, self.known, len(self.known))

    def end(self, at: float, noticed: bool, hold: float) -> None:
        """The current connection or attempt is over; `noticed` if not by our doing."""
        ended, self.connection = self.connection, None
        if ended is None:
            return
        ended.ended_at = at
        self.known |= ended.heard
        self.claimed = [loss for loss in self.claimed if not loss.is_outlived(at, hold)]
        claimed = False
        for loss in (*self.unclaimed, *self.claimed):
            if loss.connection is not ended:
                loss.way = loss.way.by(ended, at, hold)
                continue
            claimed = True
            if noticed:
                loss.way = _Return(noticed_at=at)
        self.claimed = [loss for loss in self.claimed if loss.way.held_at == _NEVER]
        if not claimed and ended.was_ever_live:
            self.unclaimed.append(_Loss(self, ended, _Return(noticed_at=at if noticed else _NEVER)))

    def claim(self, at: float, silent_until: float, hold: float) -> _Loss | None:
        """The connection that a fault at that time cut; None when none was live, or it was claimed before."""
        current = self.connection
        if current is not None and current.was_live(at):
            if any(loss.connection is current and not loss.is_outlived(at, hold) for loss in self.claimed):
                return None
            loss = _Loss(self, current)
        else:
            lost = [loss for loss in self.unclaimed if loss.connection.was_live(at)]
            if not lost:
                return None
            loss = lost[0]
            self.unclaimed.remove(loss)
        loss.silent_until = silent_until
        self.claimed.append(loss)
        return loss


@dataclass(slots=True)
class _Fault:
    at: float
    deadline: float
    """t1 + W"""
    losses: list[_Loss]


class _Member(Struct, frozen=True):
    """One client that one fault cut, as it stands."""

    way: _Return
    at: float
    """t0"""
    deadline: float
    """t1 + W"""
    gave_up: bool

    def when(self, reached_at: float) -> float:
        """Seconds from the fault; infinite when too late."""
        return reached_at - self.at if reached_at <= self.deadline else _NEVER

    @property
    def recovered(self) -> bool:
        return self.way.held_at <= self.deadline


class ReconnectionCheck:
    """Judges the clients of one step by their stages and by what they heard. Times are unix seconds.

    Hand in what happened to one client in its order. Figures are of any moment: `now` is when they are read, and
    whether somebody stayed back for long enough depends on it.
    """

    def __init__(self, hold: float = HOLD) -> None:
        self._hold = hold
        self._clients: dict[str, _Client] = {}
        self._faults: list[_Fault] = []
        self._left_out = 0
        """clients cut that were not live"""
        self._attempts: dict[int, int] = {}
        """attempts to reconnect, by HERD_BIN of unix time"""

    def stage(self, lifecycle: Lifecycle) -> None:
        """Take in one stage of a connection. A loss without a delay to the next attempt is a client that gave up."""
        name = lifecycle.conn.partition(".")[0]
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = _Client()
        at, connection = lifecycle.at, client.connection
        match lifecycle.stage:
            case Stage.ATTEMPT:
                client.attempt(at)
                if client.joined:
                    self._count_attempt(at)
            case Stage.JOINED if connection is not None:
                connection.joined_at = at
                client.joined = True
            case Stage.SUBSCRIBED if connection is not None:
                connection.subscribed_at = at
            case Stage.FAILED | Stage.CUT:
                client.end(at, True, self._hold)
                client.gave_up = lifecycle.delay is None
            case Stage.CLOSED:
                client.end(at, False, self._hold)

    def heard(self, client: str, channel: str, at: float, fresh: bool) -> None:
        """A message came. `fresh`: beyond what the client had before its reconnection, or a snapshot.

        Next to nothing to do when it tells nothing new. The first fresh message of each channel on each connection
        is enough, with `alive` for the latest; on a client's first connection everything is fresh.
        """
        known = self._clients.get(client)
        connection = None if known is None else known.connection
        if connection is None:
            return
        connection.last_heard_at = at
        if channel in connection.heard or not fresh:
            return
        connection.heard.add(channel)
        connection.heard_at = min(connection.heard_at, at)
        if channel in connection.channels:
            connection.missing -= 1
            if connection.missing == 0:
                connection.complete_at = at

    def alive(self, client: str, at: float) -> None:
        """The latest message came at `at`; for who does not tell of each with `heard`."""
        known = self._clients.get(client)
        if known is not None and known.connection is not None:
            known.connection.last_heard_at = at

    def across(self, client: str, crossed: Crossed) -> None:
        """Messages of a channel were lost, replayed or duplicated on a client's way to its current connection."""
        known = self._clients.get(client)
        if known is not None and known.connection is not None:
            known.connection.crossed += crossed

    def lost(self, client: str, at: float) -> None:
        """A gap that nothing filled: `at` is when it opened. It spoils the connection that it opened on."""
        known = self._clients.get(client)
        connection = None if known is None else known.connection
        if connection is not None and at >= connection.began_at:
            connection.gap_at = min(connection.gap_at, at)

    def fault(
        self, at: float, back_at: float, cut: Iterable[str], within: float = WITHIN, *, silent: bool = False
    ) -> None:
        """A fault cut these clients at `at`; the service was, or will be, back at `back_at`, and they `within` W of it.

        `silent`: their connections were only silenced, and flow on from `back_at`. `at` must not be later than the
        first cut. May be told after the clients told of it, as long as none lost more than LOSSES_REMEMBERED
        connections meanwhile.
        """
        losses = []
        for name in cut:
            client = self._clients.get(name)
            loss = None if client is None else client.claim(at, back_at if silent else _NEVER, self._hold)
            if loss is None:
                self._left_out += 1
            else:
                losses.append(loss)
        self._faults.append(_Fault(at, back_at + within, losses))

    def metrics(self, now: float) -> dict[str, float]:
        """`reconnect.*`; empty when no fault was told of, and rates absent when it cut nobody that counts."""
        if not self._faults:
            return {}
        members = list(self._members(now))
        back = [member for member in members if member.recovered]
        measured: dict[str, float] = {"reconnect.cut": len(members), "reconnect.recovered": len(back)}
        if members:
            times = sorted(member.when(member.way.held_at) for member in members)
            measured["reconnect.success_rate"] = len(back) / len(members)
            measured["reconnect.success_rate_lower"] = lower_bound(len(back), len(members))
            for percent in (50, 95, 99):
                measured[f"reconnect.time.p{percent}"] = _percentile(times, percent)
            for name, stage in (("detect", "noticed_at"), ("stale", "fresh_at")):
                reached = sorted(member.when(getattr(member.way, stage)) for member in members)
                measured[f"reconnect.{name}.p99"] = _percentile(reached, 99)
            measured |= {f"reconnect.{name}": count for name, count in _crossed(members).items()}
        if back:
            measured["reconnect.attempts"] = sum(member.way.attempts for member in back) / len(back)
        return measured | self._herd()

    def funnel(self, now: float) -> Funnel | None:
        """Where the clients that were cut got to; None when no fault was told of, or it cut nobody that counts."""
        members = list(self._members(now))
        if not members:
            return None

        def reached(stage: str) -> Reached:
            times = sorted(member.when(getattr(member.way, f"{stage}_at")) for member in members)
            return Reached(sum(time < _NEVER for time in times), _percentile(times, 50), _percentile(times, 99))

        return Funnel(
            cut=len(members),
            noticed=reached("noticed"),
            open=reached("opened"),
            subscribed=reached("subscribed"),
            fresh=reached("fresh"),
            consistent=reached("consistent"),
            held=reached("held"),
        )

    def notes(self, now: float) -> tuple[str, ...]:
        """Who did not come back and why, and who was left out; to be read at the end."""
        notes = []
        members = list(self._members(now))
        outlived = sum(loss.is_outlived(now, self._hold) for fault in self._faults for loss in fault.losses)
        failures: dict[str, int] = {}
        for member in members:
            if not member.recovered:
                reason = self._why(member)
                failures[reason] = failures.get(reason, 0) + 1
        if failures:
            failed = sum(failures.values())
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in failures.items())
            notes.append(
                f"{failed:,} of {len(members):,} client{'s' * (len(members) != 1)} "
                f"{'was' if failed == 1 else 'were'} not back in time: {reasons}"
            )
        if crossed := _crossed(members):
            words = {"lost": "lost", "replayed": "replayed", "duplicated": "received twice"}
            told = ", ".join(f"{count:,} {words[name]}" for name, count in crossed.items())
            notes.append(f"messages across the cut: {told}")
        if outlived:
            notes.append(
                f"{outlived:,} silenced client{'s are' if outlived > 1 else ' is'} not counted as cut: "
                f"the connection outlived the silence"
            )
        if self._left_out:
            notes.append(
                f"{self._left_out:,} cut client{'s are' if self._left_out > 1 else ' is'} not counted: "
                f"not open, subscribed and receiving when the fault came"
            )
        return tuple(notes)

    def _members(self, now: float) -> Iterator[_Member]:
        for fault in self._faults:
            for loss in fault.losses:
                if loss.is_outlived(now, self._hold):
                    continue
                yield _Member(loss.way_by(now, self._hold), fault.at, fault.deadline, loss.client.gave_up)

    def _why(self, member: _Member) -> str:
        way, deadline = member.way, member.deadline
        if way.held_at < _NEVER:
            return "came back later"
        if way.noticed_at == _NEVER:
            return "never noticed"
        if member.gave_up:
            return "gave up"
        if way.opened_at > deadline:
            return "did not connect"
        if way.subscribed_at > deadline:
            return "did not subscribe"
        if way.fresh_at > deadline:
            return "without fresh data on every channel"
        if way.consistent_at > deadline:
            return "with a gap"
        return f"did not last {self._hold:g} s"

    def _count_attempt(self, at: float) -> None:
        number = int(at / HERD_BIN)
        self._attempts[number] = self._attempts.get(number, 0) + 1
        if len(self._attempts) > HERD_BINS:
            del self._attempts[next(iter(self._attempts))]

    def _herd(self) -> dict[str, float]:
        """Attempts in the busiest bin, and over those in an average one, from a fault to the last before the next.

        The worst of all faults; nothing when nobody tried.
        """
        starts = sorted({int(fault.at / HERD_BIN) for fault in self._faults})
        after: dict[int, dict[int, int]] = {}
        for number, count in self._attempts.items():
            if (index := bisect_right(starts, number)) > 0:
                after.setdefault(starts[index - 1], {})[number] = count
        peaks = [max(bins.values()) for bins in after.values()]
        factors = [
            peak * (max(bins) - start + 1) / sum(bins.values())
            for peak, (start, bins) in zip(peaks, after.items(), strict=True)
        ]
        return {"reconnect.herd_peak": max(peaks), "reconnect.herd_factor": max(factors)} if peaks else {}


def _crossed(members: Iterable[_Member]) -> dict[str, int]:
    """Of all of them together; absent is what nothing could show."""
    total = sum((member.way.crossed for member in members), start=Crossed())
    return {name: count for name, count in structs.asdict(total).items() if count is not None}


def _percentile(ordered: list[float], percent: float) -> float:
    """The nearest rank: the least that `percent` of all did not exceed."""
    return ordered[max(1, math.ceil(percent / 100 * len(ordered))) - 1]


def _shown(seconds: float) -> str:
    return "never" if seconds == _NEVER else f"{seconds:.2f} s"

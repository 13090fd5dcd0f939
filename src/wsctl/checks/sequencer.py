"""Sequencer: hands on what it is given in the order of its seqs, waiting a bounded while for what is late."""

import math
from collections import deque
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from wsctl.checks.sequence import WINDOW_MESSAGES, WINDOW_SECONDS, is_control, left_out, name_of, next_seq
from wsctl.model.observation import Kind, Observation


class Sequencer:
    """Delivers Observations in sequence per client and channel, each exactly once.

    A message that came before its predecessors is held until they come, until `window_messages` are held or
    `window_seconds` have passed; then they are given up. So a lost message delays its channel by one window at
    most, and what is held never grows beyond one window per channel:

    - exact repeats are dropped (`dropped`); a repeat with another payload is handed on;
    - what comes after its place was given up is handed on at once (`late`): late rather than lost;
    - a snapshot, heartbeat or declared skip keeps its place among the updates of its channel, except that a
      snapshot after a reconnection is the new position at once;
    - another epoch, or a connection that numbers afresh, ends the wait for the sequence before it;
    - what has no seq, and what speaks about the connection, goes straight through.

    Time is `received_at`; `expire` takes an instant of the same clock.
    """

    def __init__(self, *, window_messages: int = WINDOW_MESSAGES, window_seconds: float = WINDOW_SECONDS) -> None:
        self.dropped = 0
        """exact repeats, not delivered"""
        self.late = 0
        """updates delivered after a later one, their place having been given up"""
        self._messages = window_messages
        self._seconds = window_seconds
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._waiting: dict[tuple[str, str], _Lane] = {}
        """the lanes that hold something"""

    @property
    def held(self) -> int:
        """How many Observations wait for their predecessors."""
        return sum(len(lane.held) for lane in self._waiting.values())

    def add(self, observation: Observation) -> list[Observation]:
        """Take in one Observation; those that can be delivered now, in order."""
        place = None if is_control(observation) else _place(observation)
        if place is None:
            return [observation]
        key = (observation.client, name_of(observation))
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(observation, place, self._messages)
        out: list[Observation] = []
        lane.expire(observation.received_at, self._seconds, out)
        self._take(lane, observation, place, out)
        if len(lane.held) > self._messages:
            lane.give_up(out)
        self._note(key, lane)
        return out

    def deadline(self) -> float | None:
        """The first instant when `expire` has something to do, unix seconds; None while nothing is held."""
        if not self._waiting:
            return None
        return math.nextafter(min(lane.since for lane in self._waiting.values()) + self._seconds, math.inf)

    def expire(self, now: float) -> list[Observation]:
        """Those that by `now` were held for longer than the window: what they waited for is given up."""
        out: list[Observation] = []
        for key, lane in list(self._waiting.items()):
            lane.expire(now, self._seconds, out)
            self._note(key, lane)
        return out

    def close(self) -> list[Observation]:
        """The stream has ended: all that is still held, in order."""
        out: list[Observation] = []
        for lane in self._waiting.values():
            lane.flush(out)
        self._waiting.clear()
        return out

    def _take(self, lane: "_Lane", observation: Observation, place: "_Place", out: list[Observation]) -> None:
        lane.follow(observation, place, out)
        if place.needs > lane.next:
            if lane.repeats(observation, place):
                self.dropped += 1
            else:
                lane.hold(observation, place)
        elif place.leads > lane.next or place.kind is not Kind.UPDATE:
            lane.deliver(observation, place, out)
        elif lane.repeats(observation, place):
            self.dropped += 1
        else:
            self.late += 1
            lane.deliver_late(observation, place, out)

    def _note(self, key: tuple[str, str], lane: "_Lane") -> None:
        if lane.held:
            self._waiting[key] = lane
        else:
            self._waiting.pop(key, None)


class _Place(NamedTuple):
    """Where in a sequence an Observation belongs, by the seq that comes next."""

    needs: int
    """it can be delivered once this seq is the next one"""
    leads: int
    """the next one after it"""
    kind: Kind


def _place(observation: Observation) -> _Place | None:
    """None for what has none: without a seq, or malformed."""
    kind, seq = observation.kind, observation.seq
    if kind is Kind.HEARTBEAT:
        announced = next_seq(observation)
        return None if announced is None else _Place(announced, announced, kind)
    if kind is Kind.SKIPPED:
        skipped = left_out(observation)
        return None if skipped is None else _Place(skipped[0], skipped[1] + 1, kind)
    if seq is None:
        return None
    return _Place(seq + 1 if kind is Kind.SNAPSHOT else seq, seq + 1, kind)


class _Held(NamedTuple):
    """Ordered by place; at one place, what takes no seq comes first, then what arrived first."""

    needs: int
    takes: bool
    arrival: int
    place: _Place
    observation: Observation


class _Lane:
    """One channel as one client hears it."""

    __slots__ = ("arrivals", "conn", "epoch", "held", "next", "recent", "run", "since", "window")

    def __init__(self, first: Observation, place: _Place, window: int) -> None:
        self.conn = first.conn
        self.epoch = first.epoch
        self.next = place.needs
        """the seq that is to be delivered next"""
        self.held: list[_Held] = []
        """a heap"""
        self.since = math.inf
        """when the first of those held arrived; infinite while nothing is"""
        self.recent: deque[Observation] = deque(maxlen=window)
        """updates as they arrived, to know repeats by"""
        self.run = range(0)
        """seqs that came in sequence below `next`: a restart, once it is longer than the window"""
        self.arrivals = count()
        self.window = window

    def follow(self, observation: Observation, place: _Place, out: list[Observation]) -> None:
        """Go along with a new epoch or connection: what was held for the old one is not coming."""
        if observation.epoch is not None and observation.epoch != self.epoch:
            if self.epoch is not None:
                self._rebase(place.needs, out)
            self.epoch = observation.epoch
        if observation.conn == self.conn:
            return
        self.conn = observation.conn
        self.flush(out)
        afresh = self.epoch is None and place.needs < self.next
        if afresh or (place.kind is Kind.SNAPSHOT and place.needs > self.next):
            self._rebase(place.needs, out)

    def repeats(self, observation: Observation, place: _Place) -> bool:
        """Whether it is an update that came before, to the letter."""
        if place.kind is not Kind.UPDATE:
            return False
        known = [*self.recent, *(held.observation for held in self.held)]
        return any(one.seq == observation.seq and one.data == observation.data for one in known)

    def hold(self, observation: Observation, place: _Place) -> None:
        self._remember(observation, place)
        takes = place.leads > place.needs
        heappush(self.held, _Held(place.needs, takes, next(self.arrivals), place, observation))
        self.since = min(self.since, observation.received_at)

    def deliver(self, observation: Observation, place: _Place, out: list[Observation]) -> None:
        self._remember(observation, place)
        self.run = range(0)
        out.append(observation)
        self.next = max(self.next, place.leads)
        self._drain(out)

    def deliver_late(self, observation: Observation, place: _Place, out: list[Observation]) -> None:
        self._remember(observation, place)
        out.append(observation)
        start = self.run.start if self.run and self.run.stop == place.needs else place.needs
        self.run = range(start, place.leads)
        if len(self.run) > self.window:
            self._rebase(place.leads, out)

    def expire(self, now: float, seconds: float, out: list[Observation]) -> None:
        """Give up what by `now` has been waited for longer than `seconds`."""
        # The same sum as in Sequencer.deadline, so that rounding cannot make the two disagree.
        while now > self.since + seconds:
            self.give_up(out)

    def flush(self, out: list[Observation]) -> None:
        while self.held:
            self.give_up(out)

    def give_up(self, out: list[Observation]) -> None:
        """Wait no longer for what the first of those held needs."""
        self.next = max(self.next, self.held[0].needs)
        self._drain(out)

    def _drain(self, out: list[Observation]) -> None:
        if not self.held:
            return
        while self.held and self.held[0].needs <= self.next:
            held = heappop(self.held)
            out.append(held.observation)
            self.next = max(self.next, held.place.leads)
        self.since = min((held.observation.received_at for held in self.held), default=math.inf)

    def _rebase(self, position: int, out: list[Observation]) -> None:
        self.flush(out)
        self.next = position
        self.run = range(0)
        self.recent.clear()

    def _remember(self, observation: Observation, place: _Place) -> None:
        if place.kind is Kind.UPDATE:
            self.recent.append(observation)

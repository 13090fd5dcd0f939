"""OneVoice: one stream for each channel, where several clients of a tape heard it."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct

from wsctl.checks.sequence import left_out
from wsctl.model.event import SKIPPED, Event
from wsctl.model.observation import Kind, kind_of
from wsctl.tape.contents import Place, client_of
from wsctl.tape.format import TapeFrame

PATIENCE: Final = 1.0
"""seconds of the tape: whoever says nothing for longer, while another has news, is not followed any more"""
KEPT: Final = 5_000
"""messages of others that are kept while it is seen whether the one who is followed brings them, too"""
_RECENT: Final = 64
"""messages by which it is known whether another says the same"""

T = TypeVar("T")
Told = tuple[Place, Event, T | None]
"""where, what, and what it is carried in; None carries a skip that the tape does not have"""


class _Said(Struct, Generic[T], frozen=True):
    """A message of one client, and what it is carried in."""

    conn: str
    at_ns: int
    event: Event
    carried: T

    @property
    def number(self) -> int | None:
        """Its seq; of a declared skip, the last."""
        if self.event.name == SKIPPED:
            skipped = left_out(self.event)
            return None if skipped is None else skipped[1]
        return self.event.seq


class _Channel(Generic[T]):
    """Who is followed on a channel, what was told of it, and what others say that was not."""

    def __init__(self) -> None:
        self.client: str | None = None
        self.conn = ""
        """whose message was told last"""
        self.heard_ns = 0
        """when the one who is followed spoke"""
        self.held: deque[_Said[T]] = deque()
        self._recent: deque[tuple[str | None, int | None, Any]] = deque(maxlen=_RECENT)
        """epoch and number of what was told, or the payload of what has none"""
        self._epochs: set[str | None] = set()
        self._epoch: str | None = None

    def note(self, said: _Said[T]) -> None:
        """It is told."""
        number, event = said.number, said.event
        self._recent.append((event.epoch, number, event.data if number is None else None))
        if number is not None:
            self._epoch = event.epoch
            self._epochs.add(event.epoch)
        self.conn = said.conn

    def knows(self, said: _Said[T]) -> bool:
        """Whether something as new was told: a number as high, an epoch that is over, or the same where none counts."""
        number, event = said.number, said.event
        if number is None:
            return any(known is None and data == event.data for _, known, data in self._recent)
        if event.epoch != self._epoch:
            return event.epoch in self._epochs
        return number <= self.latest(event.epoch, default=-1)

    def latest(self, epoch: str | None, default: int) -> int:
        """The highest number of those that were told lately; a sequence that began anew is soon by itself."""
        numbers = [number for known, number, _ in self._recent if number is not None and known == epoch]
        return max(numbers, default=default)

    def drop_known(self, now_ns: int) -> None:
        """The one who is followed speaks: what others had sooner, or it did not say in time, is no news any more."""
        while self.held and (self.knows(self.held[0]) or self._is_old(self.held[0], now_ns)):
            self.held.popleft()

    def _is_old(self, said: _Said[T], now_ns: int) -> bool:
        return said.number is None and _is_long(said.at_ns, now_ns)  # by its number it would be known

    def is_overdue(self, now_ns: int) -> bool:
        """Whether others have news, and the one who is followed was silent for too long, or they have too many."""
        if not self.held:
            return False
        return len(self.held) > KEPT or _is_long(max(self.held[0].at_ns, self.heard_ns), now_ns)


class OneVoice(Generic[T]):
    """Follows one client on each channel for as long as it listens; then another goes on, from where it had come to.

    A client listens no more when its connection was closed, when it unsubscribed, when the tape has no more messages of
    it (`messages` are all there are), or when it is silent for PATIENCE while another has news. What others hear beyond
    it is held until then, so that nothing is lost; what it misses while it listens is missing, as it was.
    """

    def __init__(self, messages: Mapping[tuple[Place, str], int]) -> None:
        self._left = dict(messages)
        self._channels: dict[Place, _Channel[T]] = {}
        self._waiting: dict[Place, _Channel[T]] = {}
        """those that hold something"""

    def hear(self, place: Place, frame: TapeFrame, event: Event, carried: T) -> list[Told[T]]:
        """What a message means to who hears one stream: what is to be told now.

        A snapshot on a further connection stands for what its client could not hear; to who stays connected that is
        a declared skip.
        """
        said = _Said(frame.conn, frame.at_ns, event, carried)
        told = self._hear_overdue(frame.at_ns) if self._waiting else []
        channel = self._channels.get(place)
        if channel is None:
            channel = self._channels[place] = _Channel()
        key = place, client_of(frame.conn)
        self._left[key] = self._left.get(key, 0) - 1
        told += self._take(place, channel, said)
        return told + self._look(place, channel)

    def end(self, conn: str) -> list[Told[T]]:
        """A connection is over: others go on with its channels."""
        return self.leave(conn, self._channels)

    def leave(self, conn: str, places: Iterable[Place]) -> list[Told[T]]:
        """A client listens there no more."""
        told = []
        for place in tuple(places):
            channel = self._channels.get(place)
            if channel is not None and channel.client == client_of(conn):
                told += self._hand_over(place, channel)
        return told

    def _take(self, place: Place, channel: _Channel[T], said: _Said[T]) -> list[Told[T]]:
        client = client_of(said.conn)
        if channel.client is None:
            channel.client = client
        if channel.client != client:
            if not channel.knows(said):
                channel.held.append(said)
            return []
        channel.heard_ns = said.at_ns
        if client_of(channel.conn) != client and channel.knows(said):
            return []  # the one who was followed before has said so
        told = _told(place, channel, said)
        channel.note(said)
        channel.drop_known(said.at_ns)
        return told

    def _look(self, place: Place, channel: _Channel[T]) -> list[Told[T]]:
        """Hand over where the one who is followed has no more to say."""
        if self._left.get((place, channel.client or ""), 0) <= 0:
            return self._hand_over(place, channel)
        if channel.held:
            self._waiting[place] = channel
        else:
            self._waiting.pop(place, None)
        return []

    def _hand_over(self, place: Place, channel: _Channel[T]) -> list[Told[T]]:
        """Whoever is ahead is followed, from its first news on."""
        channel.client = None
        self._waiting.pop(place, None)
        if not channel.held:
            return []
        held, channel.held = channel.held, deque()
        told = [each for said in held for each in self._take(place, channel, said)]
        return told + self._look(place, channel)

    def _hear_overdue(self, now_ns: int) -> list[Told[T]]:
        overdue = [(place, channel) for place, channel in self._waiting.items() if channel.is_overdue(now_ns)]
        return [each for place, channel in overdue for each in self._hand_over(place, channel)]


def _is_long(since_ns: int, now_ns: int) -> bool:
    return now_ns - since_ns > PATIENCE * 1_000_000_000


def _told(place: Place, channel: _Channel[T], said: _Said[T]) -> list[Told[T]]:
    event = said.event
    itself = (place, event, said.carried)
    if event.seq is None or channel.conn == said.conn or kind_of(event.name, event.data) is not Kind.SNAPSHOT:
        return [itself]
    latest = channel.latest(event.epoch, default=event.seq)
    return [itself] if event.seq <= latest else [(place, _skip(event, latest + 1), None), itself]


def _skip(event: Event, first: int) -> Event:
    payload = {"channel": event.channel, "epoch": event.epoch, "from": first, "to": event.seq, "reason": "recorded"}
    return Event(name=SKIPPED, channel=event.channel, epoch=event.epoch, data=payload)

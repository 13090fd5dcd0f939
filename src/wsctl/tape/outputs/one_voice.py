"""OneVoice: one stream for each channel, where several connections of a tape heard it."""

from msgspec import Struct

from wsctl.model.event import SKIPPED, Event
from wsctl.model.observation import Kind, kind_of
from wsctl.tape.format import TapeFrame


class _Said(Struct, frozen=True):
    """The latest numbered message of a channel: on which connection it came, and what it said of itself."""

    conn: str
    epoch: str | None
    seq: int


class OneVoice:
    """Follows one recorded client on each channel for as long as it is connected, across its reconnections."""

    def __init__(self) -> None:
        self._followed: dict[str | None, str] = {}
        """client by channel"""
        self._latest: dict[str | None, _Said] = {}

    def end(self, conn: str) -> None:
        """A connection was closed: whoever speaks next on its channels is followed."""
        client = client_of(conn)
        self._followed = {channel: other for channel, other in self._followed.items() if other != client}

    def follow(self, frame: TapeFrame, event: Event) -> list[Event]:
        """What a message means to who hears one stream: nothing, itself, or first what was missed on a reconnection.

        A snapshot on a further connection stands for what its client could not hear; to who stays connected that is
        a declared skip.
        """
        channel, client, kind = event.channel, client_of(frame.conn), kind_of(event.name, event.data)
        if self._followed.setdefault(channel, client) != client:
            return []
        if event.seq is None or kind not in (Kind.UPDATE, Kind.SNAPSHOT):
            return [event]
        latest = self._latest.get(channel)
        if latest is not None and latest.conn != frame.conn and latest.epoch == event.epoch:
            if event.seq <= latest.seq and client != client_of(latest.conn):
                return []  # the one who was followed before has said so
            if event.seq > latest.seq and kind is Kind.SNAPSHOT:
                self._latest[channel] = _Said(frame.conn, event.epoch, event.seq)
                return [_skip(event, latest.seq + 1), event]
        self._latest[channel] = _Said(frame.conn, event.epoch, event.seq)
        return [event]


def client_of(conn: str) -> str:
    """`c1` of `c1.2`."""
    return conn.partition(".")[0]


def _skip(event: Event, first: int) -> Event:
    payload = {"channel": event.channel, "epoch": event.epoch, "from": first, "to": event.seq, "reason": "recorded"}
    return Event(name=SKIPPED, channel=event.channel, epoch=event.epoch, data=payload)

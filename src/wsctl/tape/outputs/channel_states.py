"""ChannelStates: what each channel of a played tape is at, told to who asks for it late.

As the platform tells it at subscription: a snapshot repeats the channel's latest seq, so that what follows is in order.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from wsctl.model.event import BALANCE_UPDATE, ORDERBOOK_UPDATE, PRICE_UPDATE, Event
from wsctl.model.observation import Kind, kind_of
from wsctl.wire.payload import Payload


class State(Protocol):
    """What the messages of one event amount to."""

    def take(self, payload: Payload, snapshot: bool) -> None:
        """One more."""

    def whole(self) -> Iterator[Payload]:
        """All of it, in payloads as the latest that say it; nothing where it is not known as a whole."""


class LatestOfEach:
    """The latest message about each symbol, asset or bot says all there is to say about it."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys
        self._latest: dict[Any, Payload] = {}

    def take(self, payload: Payload, snapshot: bool) -> None:
        about = next((payload[key] for key in self._keys if key in payload), None)
        if isinstance(about, str):
            self._latest[about] = payload

    def whole(self) -> Iterator[Payload]:
        yield from self._latest.values()


class Book:
    """Levels by price, from a snapshot on; size 0 removes one."""

    def __init__(self) -> None:
        self._latest: Payload | None = None
        self._sides: dict[str, dict[float, Any]] = {}

    def take(self, payload: Payload, snapshot: bool) -> None:
        if snapshot:
            self._sides = {"bids": {}, "asks": {}}
        try:
            for name, side in self._sides.items():
                for price, size in payload[name]:
                    if size:
                        side[price] = size
                    else:
                        side.pop(price, None)
        except (KeyError, TypeError, ValueError):  # another feed's, of another shape
            self._sides = {}
        self._latest = payload

    def whole(self) -> Iterator[Payload]:
        if self._latest is not None and self._sides:
            bids = [[price, size] for price, size in sorted(self._sides["bids"].items(), reverse=True)]
            asks = [[price, size] for price, size in sorted(self._sides["asks"].items())]
            yield {**self._latest, "bids": bids, "asks": asks}


_STATES: Final[dict[str, Callable[[], State]]] = {
    PRICE_UPDATE: lambda: LatestOfEach("symbol", "s"),
    BALANCE_UPDATE: lambda: LatestOfEach("asset"),
    "bot:status": lambda: LatestOfEach("botId"),
    "bot:position": lambda: LatestOfEach("botId"),
    ORDERBOOK_UPDATE: Book,
}
"""by event; all others are news, of which there is no state"""


class _Channel:
    def __init__(self, event: Event) -> None:
        self.name = event.name
        self.epoch = event.epoch
        self.latest: Payload = {}
        self.state = _STATES[event.name]()


class ChannelStates:
    """By channel, of one epoch each."""

    def __init__(self) -> None:
        self._channels: dict[str, _Channel] = {}

    def take(self, name: str, event: Event) -> None:
        """Note what was played on a channel."""
        if event.name not in _STATES or not isinstance(event.data, dict):
            return
        channel = self._channels.get(name)
        if channel is None or channel.epoch != event.epoch or channel.name != event.name:
            channel = self._channels[name] = _Channel(event)
        channel.latest = event.data
        channel.state.take(event.data, kind_of(event.name, event.data) is Kind.SNAPSHOT)

    def snapshots(self, channel: str) -> Iterator[tuple[str, Payload]]:
        """The state of a channel, as events with their payloads."""
        known = self._channels.get(channel)
        if known is not None:
            for payload in known.state.whole():
                yield known.name, _marked(known.name, payload, known.latest)


def _marked(name: str, payload: Payload, latest: Payload) -> Payload:
    """A payload as a snapshot at the seq of its channel's latest."""
    compact = name == PRICE_UPDATE and "s" in payload
    seq, mark = ("q", {"n": 1}) if compact else ("seq", {"snapshot": True})
    return {**payload, **({seq: latest[seq]} if seq in latest and seq in payload else {}), **mark}

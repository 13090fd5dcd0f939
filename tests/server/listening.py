"""A subscriber and a clock for tests of services: no sockets, no loop, no time but the test's."""

from collections.abc import Callable
from typing import Any, NamedTuple

from wsctl.server.hub import Hub


class HandClock:
    """A clock that stands where it is put."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


class Heard(NamedTuple):
    """A message, and what `beside` answered when it came."""

    channel: str
    seq: int
    event: str
    payload: dict[str, Any]
    source_at: float | None
    beside: Any


class Ear:
    """Keeps what it hears in the order in which it came, and snapshots apart."""

    form = "full"
    encoding = ("full", None)
    direct = None

    def __init__(self, hub: Hub, *channels: str, beside: Callable[[], Any] = lambda: None) -> None:
        self.heard: list[Heard] = []
        self.snapshots: list[tuple[str, dict[str, Any]]] = []
        self._hub = hub
        self._beside = beside
        self.join(*channels)

    def join(self, *channels: str) -> None:
        """Subscribe."""
        for channel in channels:
            self._hub.join(self, channel)

    def of(self, channel: str) -> list[Heard]:
        """What came on a channel."""
        return [one for one in self.heard if one.channel == channel]

    def offer(self, message: Any) -> None:
        stamp = message.stamp
        heard = Heard(stamp.channel, stamp.seq, message.name, message.payload, stamp.source_at, self._beside())
        self.heard.append(heard)

    def owes(self, channel: Any) -> bool:
        return False

    def send_encoded(self, event: str) -> None:
        """Heartbeats are none of its business."""

    def send_event(self, name: str, payload: dict[str, Any]) -> None:
        self.snapshots.append((name, payload))

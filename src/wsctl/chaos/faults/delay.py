"""delay: messages are held for a while, as on a slow line; none overtakes another of its channel."""

import heapq
from collections.abc import Sequence
from typing import Annotated, Any, get_args

from msgspec import Meta

from wsctl.chaos.connection import Connection
from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Kind, Message
from wsctl.chaos.stream import Held, Stream
from wsctl.spec.kinds import Duration


class DelaySpec(FaultSpec, frozen=True, kw_only=True):
    """Messages are held for a while, acknowledgements, joins and Engine.IO's own too, unless told which are meant.

    Those that are keep their order among themselves. One that is not waits only while one of its channel is held.
    """

    delay: Annotated[Duration, Meta(ge=0, description="For so long.")] = 0.1
    jitter: Annotated[Duration, Meta(ge=0, description="Give or take so much, evenly spread.")] = 0.0


class Delay(Fault[DelaySpec]):
    """Holds."""

    type_name = "delay"
    options = DelaySpec
    kinds = frozenset(get_args(Kind))

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._lines: dict[Stream, _Line] = {}

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """Later, and not before those that are held already."""
        spread = self.spec.jitter * (2 * self.dice(stream).random() - 1) if self.spec.jitter else 0.0
        self.fire("held", stream.connection, message)
        line = self._lines.setdefault(stream, _Line())
        due = self.proxy.clock.monotonic() + max(0.0, self.spec.delay + spread)
        return self._hold(message, stream, max(due, line.latest))

    def on_other(self, message: Message, stream: Stream) -> Sequence[Message] | None:
        """Behind those of its channel; what is about none, behind others of its kind."""
        line = self._lines.get(stream)
        due = None if line is None else line.due(message)
        if due is None:
            return None
        self.proxy.tell(self, "held behind", stream.connection, message, None)
        return self._hold(message, stream, due)

    def end(self) -> None:
        """Those held go on at once."""
        lines, self._lines = self._lines, {}
        for stream in lines:
            stream.release_all(self)

    def left(self, connection: Connection) -> None:
        """Forget its streams."""
        super().left(connection)
        for stream in connection.streams:
            self._lines.pop(stream, None)

    def _hold(self, message: Message, stream: Stream, due: float) -> Sequence[Message]:
        line = self._lines[stream]
        held = stream.hold(message, self, due, lapsed=lambda: stream.release(line.until(due, held.number)))
        line.add(due, held)
        return ()


class _Line:
    """What is held of a stream, in the order in which it goes on: timers that are due together fire in any."""

    def __init__(self) -> None:
        self.latest = 0.0
        """when the last one is due"""
        self._waiting: list[tuple[float, int, Held]] = []
        """a heap"""
        self._last: dict[str, tuple[float, int]] = {}
        """of each channel of which some are held"""

    def due(self, message: Message) -> float | None:
        """When the last one of a message's channel is due, if one is held."""
        last = self._last.get(_channel(message)) if self._last else None
        return None if last is None else last[0]

    def add(self, due: float, held: Held) -> None:
        """One more, behind all that are due at its time."""
        self.latest = max(self.latest, due)
        self._last[_channel(held.message)] = (due, held.number)
        heapq.heappush(self._waiting, (due, held.number, held))

    def until(self, due: float, number: int) -> list[Held]:
        """All up to one of them are held no more."""
        gone = []
        while self._waiting and self._waiting[0][:2] <= (due, number):
            *place, held = heapq.heappop(self._waiting)
            gone.append(held)
            channel = _channel(held.message)
            if self._last[channel] == tuple(place):
                del self._last[channel]
        return gone


def _channel(message: Message) -> str:
    """What is about none keeps its order among those of its kind."""
    return message.channel or message.kind

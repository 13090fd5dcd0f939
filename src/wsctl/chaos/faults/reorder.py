"""reorder: a message is overtaken by later ones of its channel."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from wsctl.chaos.connection import Connection
from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Held, Stream
from wsctl.spec.kinds import Duration


class ReorderSpec(FaultSpec, frozen=True, kw_only=True):
    """A message waits until later ones of its channel have passed; where none come, for so long at most."""

    by: Annotated[int, Meta(ge=1, description="So many later ones pass it.")] = 1
    flush: Annotated[Duration, Meta(gt=0, description="And if they do not come, it waits no longer than this.")] = 1.0


class _Waiting(Struct):
    held: Held
    left: int
    """later ones that are still to pass"""


class Reorder(Fault[ReorderSpec]):
    """Holds one message of a channel and connection at a time."""

    type_name = "reorder"
    options = ReorderSpec

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._waiting: dict[Stream, dict[str | None, _Waiting]] = {}
        """by channel"""

    def means(self, message: Message, stream: Stream) -> bool:
        """Those that overtake are not held themselves; chance is asked for them as well, whatever the time."""
        return super().means(message, stream) and self._find(message, stream) is None

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """Later."""
        self.fire("held back", stream.connection, message)
        channel = message.channel
        due = self.proxy.clock.monotonic() + self.spec.flush
        held = stream.hold(message, self, due, lapsed=lambda: self._give_up(stream, channel))
        self._waiting.setdefault(stream, {})[channel] = _Waiting(held, self.spec.by)
        return ()

    def on_other(self, message: Message, stream: Stream) -> Sequence[Message] | None:
        """One that overtakes, and behind the last of them the one that was held.

        What says the channel's numbers does not: it would make the held one look lost.
        """
        waiting = self._find(message, stream)
        if waiting is None:
            return None
        if message.kind not in self._kinds:
            return stream.take_back(self._give_up(stream, message.channel)), message
        waiting.left -= 1
        if waiting.left:
            return None
        return message, stream.take_back(self._give_up(stream, message.channel))

    def end(self) -> None:
        """Those held go on."""
        for stream in tuple(self._waiting):  # one that is let go may end its connection, and so the other stream
            stream.release([self._give_up(stream, channel) for channel in tuple(self._waiting.get(stream, ()))])

    def left(self, connection: Connection) -> None:
        """Forget its streams."""
        super().left(connection)
        for stream in connection.streams:
            self._waiting.pop(stream, None)

    def _find(self, message: Message, stream: Stream) -> _Waiting | None:
        """What waits for messages such as this one."""
        channels = self._waiting.get(stream)
        if not channels or not (message.kind in self._kinds or message.kind == "heartbeat"):
            return None
        return channels.get(message.channel)

    def _give_up(self, stream: Stream, channel: str | None) -> Held:
        """It waits no longer; if nothing overtook it, the log says so."""
        waiting = self._waiting[stream].pop(channel)
        if waiting.left == self.spec.by:
            self.proxy.tell(self, "not overtaken", stream.connection, waiting.held.message, None)
        return waiting.held

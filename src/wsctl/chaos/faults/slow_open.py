"""slow-open: handshakes take long: WebSocket's, or what Engine.IO says first."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from wsctl.chaos.connection import Connection
from wsctl.chaos.door import Door, Slow
from wsctl.chaos.fault import OF_MESSAGES, Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream
from wsctl.spec.kinds import Duration


class SlowOpenSpec(FaultSpec, frozen=True, kw_only=True):
    """Who wants in waits: for the answer to its handshake, or for Engine.IO's OPEN packet once it is in."""

    unheeded = ("direction", *OF_MESSAGES)
    instead = "handshakes are slowed, no other messages; expected p or nth, which count handshakes"

    delay: Annotated[Duration, Meta(gt=0, description="For so long.")] = 5.0
    what: Annotated[
        Literal["handshake", "open-packet"],
        Meta(description="handshake: the HTTP answer, of polling as well; open-packet: on a WebSocket."),
    ] = "handshake"


class SlowOpen(Fault[SlowOpenSpec]):
    """Lets them wait."""

    type_name = "slow-open"
    options = SlowOpenSpec

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._waiting: set[Stream] = set()
        """whose OPEN packet is held, and all behind it"""

    def at_door(self, connection: Connection) -> Door | None:
        """Wait."""
        if self.spec.what != "handshake" or not self.strikes_at_door(connection):
            return None
        self.fire("slowed", connection)
        return Slow(self.spec.delay)

    def means(self, message: Message, stream: Stream) -> bool:
        """An OPEN packet, and while it waits what is behind it."""
        if self.spec.what != "open-packet":
            return False
        opens = message.kind == "transport" and message.direction == "down" and message.content.startswith(b"0{")
        return stream in self._waiting or (opens and self.strikes_at_door(stream.connection))

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """Later."""
        if stream not in self._waiting:
            self.fire("slowed", stream.connection, message)
            self._waiting.add(stream)
        due = self.proxy.clock.monotonic() + self.spec.delay
        stream.hold(message, self, due, lapsed=lambda: self._open(stream))
        return ()

    def end(self) -> None:
        """They wait no longer."""
        for stream in tuple(self._waiting):
            self._open(stream)

    def left(self, connection: Connection) -> None:
        """Forget its streams."""
        super().left(connection)
        self._waiting.difference_update(connection.streams)

    def _open(self, stream: Stream) -> None:
        self._waiting.discard(stream)
        stream.release_all(self)

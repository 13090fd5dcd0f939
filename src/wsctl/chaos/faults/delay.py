"""delay: messages are held for a while; those of one direction keep their order."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta

from wsctl.chaos.connection import Connection
from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream
from wsctl.spec.kinds import Duration

_APART = 1e-6
"""seconds between two that are due together: timers for one instant need not fire in their order"""


class DelaySpec(FaultSpec, frozen=True, kw_only=True):
    """Messages are held for a while. Those that the fault means keep their order among themselves."""

    delay: Annotated[Duration, Meta(ge=0, description="For so long.")] = 0.1
    jitter: Annotated[Duration, Meta(ge=0, description="Give or take so much, evenly spread.")] = 0.0


class Delay(Fault[DelaySpec]):
    """Holds."""

    type_name = "delay"
    options = DelaySpec
    kinds = frozenset({"event", "heartbeat"})
    """what says a channel's numbers must not overtake them"""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._due: dict[Stream, float] = {}
        """when the latest message that is held goes on"""

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """Later, and not before those that are held already."""
        now = asyncio.get_running_loop().time()
        spread = self.spec.jitter * (2 * self.dice(stream.connection).random() - 1) if self.spec.jitter else 0.0
        due = max(now + max(0.0, self.spec.delay + spread), self._due.get(stream, 0.0) + _APART)
        self._due[stream] = due
        self.fire("held", stream.connection, message)
        stream.hold(message, self, due)
        return ()

    def end(self) -> None:
        """Those held go on at once."""
        for stream in tuple(self._due):
            stream.release_all(self)
        self._due.clear()

    def left(self, connection: Connection) -> None:
        """Forget its streams."""
        super().left(connection)
        for stream in connection.streams:
            self._due.pop(stream, None)

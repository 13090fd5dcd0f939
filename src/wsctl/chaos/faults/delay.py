"""delay: messages are held for a while; those of one direction keep their order."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from wsctl.chaos.connection import Connection
from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream
from wsctl.spec.kinds import Duration


class DelaySpec(FaultSpec, frozen=True, kw_only=True):
    """Messages are held for a while. Those that the fault means keep their order among themselves."""

    delay: Annotated[Duration, Meta(ge=0, description="For so long.")] = 0.1
    jitter: Annotated[Duration, Meta(ge=0, description="Give or take so much, evenly spread.")] = 0.0


class _Held(Struct):
    message: Message
    stream: Stream
    timer: asyncio.TimerHandle


class Delay(Fault[DelaySpec]):
    """Holds."""

    type_name = "delay"
    options = DelaySpec

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._due: dict[Stream, float] = {}
        """of the latest message that is held"""
        self._held: dict[int, _Held] = {}
        self._numbers = itertools.count()

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """Later, and not before those that are held already."""
        loop = asyncio.get_running_loop()
        spread = self.spec.jitter * (2 * self.dice(stream.connection).random() - 1) if self.spec.jitter else 0.0
        due = max(loop.time() + max(0.0, self.spec.delay + spread), self._due.get(stream, 0.0))
        self._due[stream] = due
        self.fire("held", stream.connection, message)
        stream.hold()
        number = next(self._numbers)
        self._held[number] = _Held(message, stream, loop.call_at(due, self._release, number))
        return ()

    def end(self) -> None:
        """Those held go on at once."""
        for number in tuple(self._held):
            self._release(number)

    def left(self, connection: Connection) -> None:
        """Forget its streams."""
        super().left(connection)
        for stream in (connection.up, connection.down):
            if stream is not None:
                self._due.pop(stream, None)

    def _release(self, number: int) -> None:
        held = self._held.pop(number)
        held.timer.cancel()
        held.stream.release(held.message, self)

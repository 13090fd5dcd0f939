"""reorder: a message is overtaken by later ones of its channel."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream
from wsctl.spec.kinds import Duration


class ReorderSpec(FaultSpec, frozen=True, kw_only=True):
    """A message waits until later ones of its channel have passed; where none come, for so long at most."""

    by: Annotated[int, Meta(ge=1, description="So many later ones pass it.")] = 1
    flush: Annotated[Duration, Meta(gt=0, description="And if they do not come, it waits no longer than this.")] = 1.0


class _Held(Struct):
    message: Message
    left: int
    """later ones that are still to pass"""
    timer: asyncio.TimerHandle


class Reorder(Fault[ReorderSpec]):
    """Holds one message of a channel and connection at a time."""

    type_name = "reorder"
    options = ReorderSpec

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._held: dict[tuple[Stream, str | None], _Held] = {}

    def means(self, message: Message, stream: Stream) -> bool:
        """Those that overtake are not held themselves."""
        return (stream, message.channel) not in self._held and super().means(message, stream)

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """Later."""
        place = (stream, message.channel)
        timer = asyncio.get_running_loop().call_later(self.spec.flush, lambda: self._release(place))
        self._held[place] = _Held(message, self.spec.by, timer)
        self.fire("held back", stream.connection, message)
        stream.hold()
        return ()

    def passed(self, message: Message, stream: Stream) -> None:
        """One that overtook; after the last of them it is its turn."""
        held = self._held.get((stream, message.channel))
        if held is not None and message.kind in self.kinds:
            held.left -= 1
            if not held.left:
                self._release((stream, message.channel))

    def end(self) -> None:
        """Those held go on."""
        for place in tuple(self._held):
            self._release(place)

    def _release(self, place: tuple[Stream, str | None]) -> None:
        held = self._held.pop(place)
        held.timer.cancel()
        place[0].release(held.message, self)

"""epoch-reset: a channel's sequence begins anew, as after a restart that forgot it."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta

from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream

_SEQ = ("seq", "q")
_EPOCH = ("epoch", "e")


class EpochResetSpec(FaultSpec, frozen=True, kw_only=True):
    """Sequences of the platform's messages begin anew, in a new epoch, from the message on that it strikes first."""

    start: Annotated[int, Meta(ge=0, description="The first number.")] = 1


class EpochReset(Fault[EpochResetSpec]):
    """Renumbers."""

    type_name = "epoch-reset"
    options = EpochResetSpec
    kinds = frozenset({"event", "heartbeat"})

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._offsets: dict[tuple[int, str | None], int] = {}
        """what is taken off the numbers, by connection and channel"""

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """With other numbers; heartbeats of a channel go along."""
        event = message.event
        if event is None or (event.seq is None and message.kind == "event"):
            return (message,)
        place = (stream.connection.number, event.channel)
        if place not in self._offsets:
            if event.seq is None:
                return (message,)
            self._offsets[place] = event.seq - self.spec.start
            self.fire("reset", stream.connection, message)
        return (message.replaced(_renumbered(message.content, self._offsets[place], self.name)),)


def _renumbered(content: bytes, offset: int, name: str) -> bytes:
    """Of a Socket.IO event with the payload as its first argument."""
    start = content.index(b"[")
    packet = json.loads(content[start:])
    body = packet[1]
    for key in (*_SEQ, "nextSeq"):
        if isinstance(body.get(key), int):
            body[key] -= offset
    for key in _EPOCH:
        if isinstance(body.get(key), str):
            body[key] = f"{body[key]}-{name}"
    return content[:start] + json.dumps(packet, separators=(",", ":"), ensure_ascii=False).encode()

"""epoch-reset: a channel's sequence begins anew, as after a restart that forgot it."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from wsctl.chaos.connection import Connection
from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream
from wsctl.errors import UsageError
from wsctl.model.event import PRICE_UPDATE

_NUMBERS = ("seq", "q", "nextSeq", "from", "to")
_EPOCHS = ("epoch", "e")


class EpochResetSpec(FaultSpec, frozen=True, kw_only=True):
    """Sequences of the platform's messages begin anew, in a new epoch, from the message on that it strikes first."""

    start: Annotated[int, Meta(ge=0, description="The first number.")] = 1
    snapshot: Annotated[
        bool, Meta(description="Mark the first message as one, where it is the whole state: prices, not order books.")
    ] = False


class _Reset(Struct, frozen=True):
    """What became of a channel on a connection."""

    round: int
    offset: int
    """what is taken off its numbers"""


class EpochReset(Fault[EpochResetSpec]):
    """Renumbers. A channel that was struck stays in its new epoch for as long as its connection."""

    type_name = "epoch-reset"
    options = EpochResetSpec
    kinds = frozenset({"event", "heartbeat"})

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        if self.proxy.dialect is not None:
            raise UsageError(
                f"epoch-reset renumbers the platform's messages; those of {self.proxy.dialect.name} it does not know",
                hint="close makes a client begin anew with any of them",
            )
        self._resets: dict[int, dict[str | None, _Reset]] = {}
        """by connection and channel"""
        self._round = 0

    def begin(self) -> None:
        """With `every`, each time anew."""
        self._round += 1

    def means(self, message: Message, stream: Stream) -> bool:
        """Each that is struck, and all of a channel that was."""
        channels = self._resets.get(stream.connection.number, {})
        reset = channels.get(message.channel) if channels and message.kind in self.kinds else None
        if reset is not None and reset.round == self._round:
            return True
        return super().means(message, stream) or reset is not None

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """With other numbers; heartbeats of a channel go along."""
        event = message.event
        if event is None or not isinstance(event.data, dict):
            return (message,)
        channels = self._resets.setdefault(stream.connection.number, {})
        reset = channels.get(event.channel)
        begins = event.seq is not None and message.kind == "event" and (reset is None or self._strikes_anew(reset))
        if begins:
            assert event.seq is not None
            reset = channels[event.channel] = _Reset(self._round, event.seq - self.spec.start)
            self.fire("reset", stream.connection, message)
        if reset is None:
            return (message,)
        marks = begins and self.spec.snapshot and event.name == PRICE_UPDATE
        suffix = self.name if reset.round == 1 else f"{self.name}-{reset.round}"
        return (message.replaced(_renumbered(message.content, reset.offset, suffix, marks=marks)),)

    def left(self, connection: Connection) -> None:
        """Forget its channels."""
        super().left(connection)
        self._resets.pop(connection.number, None)

    def _strikes_anew(self, reset: _Reset) -> bool:
        return self.is_on and reset.round != self._round


def _renumbered(content: bytes, offset: int, suffix: str, *, marks: bool) -> bytes:
    """Of a Socket.IO event with the payload as its first argument."""
    start = content.index(b"[")
    packet = json.loads(content[start:])
    body = packet[1]
    for key in _NUMBERS:
        if isinstance(body.get(key), int):
            body[key] -= offset
    for key in _EPOCHS:
        if isinstance(body.get(key), str):
            body[key] = f"{body[key]}-{suffix}"
    if marks:
        body["n" if "q" in body else "snapshot"] = 1 if "q" in body else True
    return content[:start] + json.dumps(packet, separators=(",", ":"), ensure_ascii=False).encode()

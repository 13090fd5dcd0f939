"""epoch-reset: a channel's sequence begins anew, as after a restart that forgot it."""

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from wsctl.chaos.connection import Connection
from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream
from wsctl.errors import UsageError
from wsctl.model.event import PRICE_UPDATE

_NUMBERS = ("seq", "q", "nextSeq", "from", "to")
_EPOCHS = ("epoch", "e")
_HEAD = re.compile(rb"4[25](?:\d+-)?(?:/[^,]*,)?\d*")
"""of a Socket.IO event: all before its JSON"""


class EpochResetSpec(FaultSpec, frozen=True, kw_only=True):
    """Sequences of the platform's messages begin anew, in a new epoch, from the message on that it strikes first.

    `every` time anew, once for a channel of a connection and direction.
    """

    unheeded = ("kind",)
    instead = "what is renumbered is events, and whatever says their numbers"

    start: Annotated[int, Meta(ge=0, description="The first number.")] = 1
    snapshot: Annotated[
        bool, Meta(description="Mark the first message as one, where it is the whole state: prices, not order books.")
    ] = False


class _Reset(Struct, frozen=True):
    """What became of a channel."""

    round: int
    offset: int
    """what is taken off its numbers"""


class EpochReset(Fault[EpochResetSpec]):
    """Renumbers. A channel that was struck stays in its new epoch for as long as its connection."""

    type_name = "epoch-reset"
    options = EpochResetSpec

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        if self.proxy.dialect is not None:
            raise UsageError(
                f"epoch-reset renumbers the platform's messages; those of {self.proxy.dialect.name} it does not know",
                hint="close makes a client begin anew with any of them",
            )
        self._resets: dict[Stream, dict[str | None, _Reset]] = {}
        """by channel"""
        self._round = 0

    def begin(self) -> None:
        """With `every`, each time anew."""
        self._round += 1

    def means(self, message: Message, stream: Stream) -> bool:
        """Those that have a number, of a channel that was not struck in this round; chance is asked for all."""
        if not super().means(message, stream) or message.event is None or message.event.seq is None:
            return False
        reset = self._find(message, stream)
        return _has_body(message) and (reset is None or reset.round != self._round)

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """The first of a new epoch."""
        event = message.event
        assert event is not None, "it is meant"
        assert event.seq is not None, "it is meant"
        reset = _Reset(self._round, event.seq - self.spec.start)
        first = self._renumbered(message, reset, marks=self.spec.snapshot and event.name == PRICE_UPDATE)
        if first is None:
            return (message,)
        self._resets.setdefault(stream, {})[event.channel] = reset
        self.fire("reset", stream.connection, message)
        return (first,)

    def on_other(self, message: Message, stream: Stream) -> Sequence[Message] | None:
        """One of a channel that was struck, or of its heartbeats, goes along."""
        reset = self._find(message, stream)
        if reset is None or not _has_body(message):
            return None
        follows = self._renumbered(message, reset, marks=False)
        return None if follows is None else (follows,)

    def left(self, connection: Connection) -> None:
        """Forget its streams."""
        super().left(connection)
        for stream in connection.streams:
            self._resets.pop(stream, None)

    def _find(self, message: Message, stream: Stream) -> _Reset | None:
        """What became of its channel."""
        channels = self._resets.get(stream)
        return channels.get(message.channel) if channels and message.kind in ("event", "heartbeat") else None

    def _renumbered(self, message: Message, reset: _Reset, *, marks: bool) -> Message | None:
        suffix = self.name if reset.round == 1 else f"{self.name}-{reset.round}"
        content = _renumbered(message.content, reset.offset, suffix, marks=marks)
        return None if content is None else message.replaced(content)


def _has_body(message: Message) -> bool:
    return message.event is not None and isinstance(message.event.data, dict)


def _renumbered(content: bytes, offset: int, suffix: str, *, marks: bool) -> bytes | None:
    """Of a Socket.IO event with the payload as its first argument; None: it cannot be read."""
    head = _HEAD.match(content)
    try:
        packet = json.loads(content[head.end() :]) if head else None
    except (ValueError, RecursionError):
        return None
    if head is None or not (isinstance(packet, list) and len(packet) > 1 and isinstance(packet[1], dict)):
        return None
    body = packet[1]
    for key in _NUMBERS:
        if isinstance(body.get(key), int):
            body[key] -= offset
    for key in _EPOCHS:
        if isinstance(body.get(key), str):
            body[key] = f"{body[key]}-{suffix}"
    if marks:
        body["n" if "q" in body else "snapshot"] = 1 if "q" in body else True
    return head[0] + msgspec.json.encode(packet)

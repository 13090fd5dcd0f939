"""Emissions: recorded Socket.IO events, argument for argument."""

from typing import Any, Final

from msgspec import Struct

from wsctl.errors import WireError
from wsctl.model.event import CONTROL, Event
from wsctl.tape.format import Direction, TapeFrame
from wsctl.tape.player import Played
from wsctl.wire import engineio, socketio
from wsctl.wire.dialect import Dialect

PLAIN: Final = "42["
"""how an event on namespace `/` begins that asks for no acknowledgement and has no attachments"""


class Emission(Struct, frozen=True):
    """One event as it goes over the wire."""

    namespace: str
    name: str
    arguments: list[Any]


class Packets:
    """Reads events from the frames of a tape; to be given every record of it, as a frame may be half an event."""

    def __init__(self) -> None:
        self._decoders: dict[tuple[str, Direction], socketio.Decoder] = {}

    def read(self, frame: TapeFrame) -> Emission | None:
        """The event that a record completes, whoever sent it."""
        if frame.direction == "open":
            for direction in ("in", "out"):
                self._decoders.pop((frame.conn, direction), None)
        if frame.direction not in ("in", "out") or frame.frame is None:
            return None
        try:
            packet = engineio.decode(frame.frame)
            if packet.type is not engineio.MESSAGE:
                return None
            decoder = self._decoders.setdefault((frame.conn, frame.direction), socketio.Decoder())
            decoded = decoder.add(packet.data)
        except WireError:
            return None  # who read the tape counted it, and saw no event in it
        if decoded is None or decoded.type is not socketio.EVENT:
            return None
        name, *arguments = decoded.data
        return Emission(decoded.namespace, name, arguments)


class Emissions:
    """Reads the wire's side of played events: an Event does not tell a list from several arguments, nor a namespace."""

    def __init__(self, dialect: Dialect | None) -> None:
        self._packets = Packets()
        self._dialect = dialect

    def of(self, played: Played) -> Emission | None:
        """That of the event in a record that has one, as it is told in this round; else nothing of interest."""
        emission = self._packets.read(played.frame)
        if emission is None or not (played.events and played.restamped):
            return emission
        told, recorded = played.events[0].data, emission.arguments
        whole = self._dialect is None and len(recorded) != 1  # a dialect's message is the first argument
        arguments = [*(told or ())] if whole else [told, *recorded[1:]]
        return Emission(emission.namespace, emission.name, arguments)


def is_of_connection(event: Event) -> bool:
    """Whether it is about the recorded connection (an eviction, an error), and so about none of now."""
    return event.channel is None and event.name in CONTROL


def encoded(emission: Emission) -> list[engineio.Frame]:
    """An event as frames."""
    data = [emission.name, *emission.arguments]
    messages = socketio.encode(socketio.Packet(socketio.EVENT, emission.namespace, data))
    return [message if isinstance(message, bytes) else f"4{message}" for message in messages]

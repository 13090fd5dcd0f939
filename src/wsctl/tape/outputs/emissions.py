"""Emissions: recorded Socket.IO events, argument for argument."""

from collections.abc import Sequence
from typing import Any, Final

from wsctl.errors import WireError
from wsctl.model.event import CONTROL, Event
from wsctl.tape.player import Played
from wsctl.wire import engineio, socketio

PLAIN: Final = "42["
"""how an event on namespace `/` begins that asks for no acknowledgement and has no attachments"""


class Emissions:
    """Reads the arguments of played events from their frames: an Event does not tell a list from several arguments.

    To be given every record of a tape, as a frame may be half an event (binary attachments).
    """

    def __init__(self) -> None:
        self._decoders: dict[str, socketio.Decoder] = {}
        """by connection"""

    def arguments(self, played: Played) -> list[Any]:
        """Those of the event in a record that has one, as they are told in this round; else nothing of interest."""
        recorded = self._recorded(played)
        if not (played.events and played.restamped):
            return recorded
        told = played.events[0].data
        return [told] if len(recorded) == 1 else [*(told or ())]

    def _recorded(self, played: Played) -> list[Any]:
        frame = played.frame
        if frame.direction == "open":
            self._decoders.pop(frame.conn, None)
        if frame.direction != "in" or frame.frame is None:
            return []
        try:
            packet = engineio.decode(frame.frame)
            if packet.type is not engineio.MESSAGE:
                return []
            decoded = self._decoders.setdefault(frame.conn, socketio.Decoder()).add(packet.data)
        except WireError:
            return []  # who read the tape counted it, and saw no event in it
        return decoded.data[1:] if decoded is not None and decoded.type is socketio.EVENT else []


def is_of_connection(event: Event) -> bool:
    """Whether it is about the recorded connection (an eviction, an error), and so about none of now."""
    return event.channel is None and event.name in CONTROL


def encoded(event: Event, arguments: Sequence[Any]) -> list[engineio.Frame]:
    """An event on namespace `/` as frames."""
    messages = socketio.encode(socketio.Packet(socketio.EVENT, "/", [event.name, *arguments]))
    return [message if isinstance(message, bytes) else f"4{message}" for message in messages]

"""Emissions: recorded Socket.IO events, argument for argument."""

from typing import Any

from wsctl.errors import WireError
from wsctl.tape.player import Played
from wsctl.wire import engineio, socketio


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

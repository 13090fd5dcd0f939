"""ping-blackhole: heartbeats vanish while data flows."""

from collections.abc import Sequence

from wsctl.chaos.fault import OF_MESSAGES, Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream
from wsctl.wire.frames import PING, RawFrame

_HEARTBEATS = (b"2", b"3")
"""Engine.IO's; probes of an upgrade say more"""


class PingBlackholeSpec(FaultSpec, frozen=True, kw_only=True):
    """Pings and pongs of WebSocket, and Engine.IO's heartbeats, vanish in a direction; data flows on."""

    unheeded = OF_MESSAGES
    instead = "heartbeats vanish, no other messages; expected p or nth, which count heartbeats"


class PingBlackhole(Fault[PingBlackholeSpec]):
    """Withholds heartbeats."""

    type_name = "ping-blackhole"
    options = PingBlackholeSpec
    kinds = frozenset({"transport"})

    def means(self, message: Message, stream: Stream) -> bool:
        """Heartbeats only."""
        return message.content in _HEARTBEATS and super().means(message, stream)

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """Nothing."""
        self.fire("withheld", stream.connection, message, detail=f"Engine.IO {message.content.decode()}")
        return ()

    def on_frame(self, frame: RawFrame, stream: Stream) -> bool:
        """Not while it is on."""
        if not (self.is_on and self.means_direction(stream.direction) and self.strikes(stream)):
            return True
        self.fire("withheld", stream.connection, detail="ping" if frame.opcode == PING else "pong")
        return False

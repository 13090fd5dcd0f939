"""Engine.IO v4: packets, polling payloads, and both sides of a session.

Source of every rule: the Engine.IO protocol, revision 4 (socketio/socket.io, docs/engine.io-protocol/v4-current.md).
"""

import base64
import binascii
from collections.abc import Iterable
from enum import IntEnum

import msgspec
from msgspec import Struct

from wsctl.errors import WireError

PROTOCOL = "4"
RECORD_SEPARATOR = "\x1e"
MAX_PACKETS_RECEIVED = 1000
"""packets in one POST; a byte limit alone would let half a million empty ones through"""
MAX_PACKETS_SENT = 16
"""packets in one poll answer: python-engineio's client refuses more (payload.py, max_decode_packets)"""

Frame = str | bytes
"""One WebSocket message, text or bytes."""


class PacketType(IntEnum):
    """The first character of a packet."""

    OPEN = 0
    CLOSE = 1
    PING = 2
    PONG = 3
    MESSAGE = 4
    UPGRADE = 5
    NOOP = 6


class Packet(Struct, frozen=True):
    """One Engine.IO packet; bytes as data make it a binary message."""

    type: PacketType
    data: str | bytes = ""


_TYPES = {str(kind.value): kind for kind in PacketType}

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = PacketType


def encode(packet: Packet) -> Frame:
    """A packet as a WebSocket message."""
    if isinstance(packet.data, bytes):
        return packet.data
    return f"{packet.type.value}{packet.data}"


def decode(frame: Frame) -> Packet:
    """A packet from a WebSocket message. Raises WireError for an empty one or an unknown type."""
    if isinstance(frame, bytes):
        return Packet(MESSAGE, frame)
    kind = _TYPES.get(frame[:1])
    if kind is None:
        raise WireError(f"unknown Engine.IO packet type {frame[:1]!r}; expected 0 to 6")
    return Packet(kind, frame[1:])


def encode_payload(packets: Iterable[Frame]) -> str:
    """Encoded packets as the body of a polling request or answer; binary ones become `b` and base64."""
    return RECORD_SEPARATOR.join(
        "b" + base64.b64encode(packet).decode() if isinstance(packet, bytes) else packet for packet in packets
    )


def decode_payload(body: str, limit: int = MAX_PACKETS_RECEIVED) -> list[Packet]:
    """The packets of a polling body. Raises WireError, also for more than `limit`."""
    if body.count(RECORD_SEPARATOR) >= limit:
        raise WireError(f"more than {limit} packets in one payload")
    return [_decode_polled(part) for part in body.split(RECORD_SEPARATOR)]


def _decode_polled(part: str) -> Packet:
    if not part.startswith("b"):
        return decode(part)
    try:
        return Packet(MESSAGE, base64.b64decode(part[1:], validate=True))
    except (binascii.Error, ValueError) as error:
        raise WireError("a binary packet is not base64") from error


class Handshake(Struct, frozen=True, rename="camel"):
    """The body of the OPEN packet; intervals in milliseconds, as the protocol has them."""

    sid: str
    upgrades: list[str]
    ping_interval: float
    ping_timeout: float
    max_payload: int | None = None
    """None: a server older than socket.io 4.5 does not say"""


class Opened(Struct, frozen=True):
    """The session exists (client side)."""

    handshake: Handshake


class Message(Struct, frozen=True):
    """A message for the protocol above."""

    data: str | bytes


class Ponged(Struct, frozen=True):
    """The peer answered our ping (server side)."""


class Pinged(Struct, frozen=True):
    """The peer pinged; `answer` is to be sent (client side)."""

    answer: Packet


class Upgraded(Struct, frozen=True):
    """The candidate WebSocket is the session's transport from now on (server side)."""


class Probed(Struct, frozen=True):
    """The candidate WebSocket probed; `answer` is to be sent on it, and a pending poll ended (server side)."""

    answer: Packet


class Closed(Struct, frozen=True):
    """The peer ended the session."""


class ServerSession:
    """The server's side of one session. Feed it what arrives; who drives it owns sockets and timers."""

    __slots__ = ("probed", "sid")

    def __init__(self, sid: str) -> None:
        self.sid = sid
        self.probed = False
        """whether a candidate WebSocket has probed and not upgraded yet"""

    def receive(self, packet: Packet) -> Message | Ponged | Closed:
        """What a packet on the session's own transport means. Raises WireError for one a client never sends."""
        if packet.type is MESSAGE:
            return Message(packet.data)
        if packet.type is PONG:
            return Ponged()
        if packet.type is CLOSE:
            return Closed()
        raise WireError(f"unexpected Engine.IO packet {packet.type.name} from a client")

    def receive_on_candidate(self, packet: Packet) -> Probed | Upgraded:
        """What a packet on a WebSocket that wants to take over means: `2probe`, then `5`. Raises WireError."""
        if packet.type is PING and packet.data == "probe" and not self.probed:
            self.probed = True
            return Probed(Packet(PONG, "probe"))
        if packet.type is UPGRADE and self.probed:
            self.probed = False
            return Upgraded()
        raise WireError(f"unexpected Engine.IO packet {packet.type.name} during the upgrade")


class ClientSession:
    """The client's side of one session over WebSocket."""

    __slots__ = ("handshake",)

    def __init__(self) -> None:
        self.handshake: Handshake | None = None

    def receive(self, packet: Packet) -> Opened | Message | Pinged | Closed | None:
        """What a packet means; None for a NOOP. Raises WireError, also when OPEN is not the first packet."""
        if (self.handshake is None) is not (packet.type is OPEN):
            raise WireError(f"unexpected Engine.IO packet {packet.type.name}; OPEN comes first, and once")
        if packet.type is MESSAGE:
            return Message(packet.data)
        if packet.type is PING:
            return Pinged(Packet(PONG, packet.data))
        if packet.type is OPEN:
            self.handshake = _decode_handshake(packet.data)
            return Opened(self.handshake)
        if packet.type is CLOSE:
            return Closed()
        if packet.type is NOOP:
            return None
        raise WireError(f"unexpected Engine.IO packet {packet.type.name} from a server")


def _decode_handshake(data: str | bytes) -> Handshake:
    try:
        return msgspec.json.decode(data, type=Handshake)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise WireError(f"the OPEN packet cannot be read: {error}") from error

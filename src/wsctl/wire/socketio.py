"""Socket.IO v5: packets with binary attachments, and both sides of a session over Engine.IO messages.

Source of every rule: the Socket.IO protocol, revision 5 (socketio/socket.io, docs/socket.io-protocol/v5-current.md),
and where it is silent the reference parser (socket.io-parser 4.2).
"""

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import msgspec
from msgspec import Struct

from wsctl.errors import WireError

Frame = str | bytes
"""One Engine.IO message, text or bytes."""

MAX_ATTACHMENTS = 10
"""as in socket.io-parser since CVE-2026-33151"""
MAX_DEPTH = 250
"""lists and objects inside one another; far from where our own recursion ends"""

RESERVED_EVENTS = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)


class PacketType(IntEnum):
    """The first character of a packet."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6


CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = PacketType


class Packet(Struct, frozen=True):
    """One Socket.IO packet. Binary values stand in `data` as bytes; the type says EVENT or ACK either way."""

    type: PacketType
    namespace: str = "/"
    data: Any = None
    id: int | None = None


# type, attachments, namespace, acknowledgement id, JSON; \d would take digits of other scripts
_HEAD = re.compile(r"([0-6])(?:([0-9]{1,5})-)?(?:(/[^,]*)(?:,|$))?([0-9]{1,15})?(.*)", re.DOTALL)
_BINARY = {EVENT: BINARY_EVENT, ACK: BINARY_ACK}
_TEXT = {BINARY_EVENT: EVENT, BINARY_ACK: ACK}
_json_encode = msgspec.json.Encoder().encode
_json_decode = msgspec.json.Decoder().decode


def encode(packet: Packet) -> list[Frame]:
    """A packet as Engine.IO messages: the text, then each attachment."""
    attachments: list[bytes] = []
    kind, data = packet.type, packet.data
    if kind in _BINARY and _holds_bytes(data):
        kind, data = _BINARY[kind], _take_out(data, attachments)
    head = f"{kind.value}"
    if attachments:
        head += f"{len(attachments)}-"
    if packet.namespace != "/":
        head += f"{packet.namespace},"
    if packet.id is not None:
        head += str(packet.id)
    if data is not None:
        head += _json_encode(data).decode()
    return [head, *attachments]


def encode_event(name: str, payload: Any) -> str:
    """The one message of an event with one argument and no bytes in it, on namespace `/`: the fan-out's form."""
    return "2" + _json_encode([name, payload]).decode()


EVENT_HEAD = "2"
"""what stands before the JSON of the usual packet: an event on `/` that asks for no acknowledgement"""


def decode_event(json: str) -> list[Any]:
    """Name and arguments in such a packet's JSON, at twice a Decoder's pace. Raises WireError."""
    return _checked_event(_load(json))


class Decoder:
    """Engine.IO messages in, packets out; keeps what it has of a packet with attachments."""

    __slots__ = ("_attachments", "_missing", "_packet")

    def __init__(self) -> None:
        self._packet: Packet | None = None
        self._attachments: list[bytes] = []
        self._missing = 0

    @property
    def waits(self) -> bool:
        """For attachments of a packet that has begun: no other one may come."""
        return self._packet is not None

    def add(self, frame: Frame) -> Packet | None:
        """The packet that a message completes, if it does. Raises WireError for anything malformed."""
        if isinstance(frame, bytes):
            return self._add_attachment(frame)
        if self._packet is not None:
            raise WireError(f"text where {self._missing} binary attachments were expected")
        packet, attachments = _parse(frame)
        if attachments:
            self._packet, self._missing = packet, attachments
            return None
        return _checked(packet)

    def _add_attachment(self, frame: bytes) -> Packet | None:
        if self._packet is None:
            raise WireError("a binary attachment that no packet announced")
        self._attachments.append(frame)
        self._missing -= 1
        if self._missing:
            return None
        packet, attachments = self._packet, self._attachments
        self._packet, self._attachments = None, []
        try:
            data = _put_back(packet.data, attachments)
        except RecursionError as error:  # the JSON parser goes deeper than we do
            raise WireError("the packet is nested too deeply") from error
        return _checked(Packet(packet.type, packet.namespace, data, packet.id))


def _parse(text: str) -> tuple[Packet, int]:
    match = _HEAD.fullmatch(text)
    if match is None:
        raise WireError("a Socket.IO packet starts with its type, 0 to 6")
    kind, attachments = PacketType(int(match[1])), int(match[2] or 0)
    if (match[2] is not None) is not (kind in _TEXT):
        raise WireError(f"{kind.name} {'lacks' if match[2] is None else 'takes no'} number of attachments")
    if attachments > MAX_ATTACHMENTS:
        raise WireError(f"{attachments} attachments announced; at most {MAX_ATTACHMENTS} are taken")
    identifier = int(match[4]) if match[4] else None
    packet = Packet(_TEXT.get(kind, kind), match[3] or "/", _load(match[5]), identifier)
    return packet, attachments


def _load(text: str) -> Any:
    if not text:
        return None
    try:
        data = _json_decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise WireError(f"the packet's JSON cannot be read: {error}") from error
    # what is short cannot be deep: each level takes two characters
    if len(text) > 2 * MAX_DEPTH and text.count("[") + text.count("{") > MAX_DEPTH and _is_too_deep(data):
        raise WireError(f"the packet's JSON is nested deeper than {MAX_DEPTH}")
    return data


def _is_too_deep(data: Any) -> bool:
    level = [data]
    for _ in range(MAX_DEPTH):
        outer = (value.values() if isinstance(value, dict) else value for value in level)
        level = [inner for values in outer for inner in values if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _checked(packet: Packet) -> Packet:
    data = packet.data
    match packet.type:
        case PacketType.EVENT:
            sound = bool(_checked_event(data))
        case PacketType.ACK:
            sound = isinstance(data, list) and packet.id is not None
        case PacketType.CONNECT:
            sound = data is None or isinstance(data, dict)
        case PacketType.CONNECT_ERROR:
            sound = isinstance(data, str | dict)
        case _:
            sound = data is None
    if not sound:
        raise WireError(f"{packet.type.name} with an invalid payload")
    return packet


def _checked_event(data: Any) -> list[Any]:
    if not (isinstance(data, list) and data and isinstance(data[0], str)):
        raise WireError("EVENT with an invalid payload")
    if data[0] in RESERVED_EVENTS:
        raise WireError(f"{data[0]!r} is reserved and cannot be an event")
    return data


def _holds_bytes(data: Any) -> bool:
    if isinstance(data, bytes | bytearray):
        return True
    if isinstance(data, dict):
        return any(map(_holds_bytes, data.values()))
    return isinstance(data, list | tuple) and any(map(_holds_bytes, data))


def _take_out(data: Any, attachments: list[bytes]) -> Any:
    if isinstance(data, bytes | bytearray):
        attachments.append(bytes(data))
        return {"_placeholder": True, "num": len(attachments) - 1}
    if isinstance(data, dict):
        return {key: _take_out(value, attachments) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_take_out(value, attachments) for value in data]
    return data


def _put_back(data: Any, attachments: list[bytes]) -> Any:
    if isinstance(data, dict):
        if data.get("_placeholder") is True:
            number = data.get("num")
            # a negative or wild number must not reach into the list: CVE-2022-2421
            if type(number) is not int or not 0 <= number < len(attachments):
                raise WireError("a placeholder points at no attachment")
            return attachments[number]
        return {key: _put_back(value, attachments) for key, value in data.items()}
    if isinstance(data, list):
        return [_put_back(value, attachments) for value in data]
    return data


class ConnectRequested(Struct, frozen=True):
    """A client asks to join a namespace (server side); answer with `accept` or `refuse`."""

    namespace: str
    auth: dict[str, Any]


class Joined(Struct, frozen=True):
    """The server let us in (client side)."""

    namespace: str
    data: dict[str, Any]


class Refused(Struct, frozen=True):
    """The server did not let us in (client side); `data` is usually `{"message": …}`."""

    namespace: str
    data: Any


class EventReceived(Struct, frozen=True):
    """An event; one with an `id` wants an acknowledgement."""

    namespace: str
    name: str
    args: list[Any]
    id: int | None


class AckReceived(Struct, frozen=True):
    """The answer to an event we sent with this id."""

    namespace: str
    id: int
    args: list[Any]


class Left(Struct, frozen=True):
    """The peer left a namespace."""

    namespace: str


class _Session:
    """What both sides share: who joined, and the packets either may send."""

    __slots__ = ("_decoder", "joined")

    def __init__(self) -> None:
        self._decoder = Decoder()
        self.joined: tuple[str, ...] = ()
        """the namespaces where events may pass; one or two, for which a set is large"""

    def event(self, namespace: str, name: str, args: Sequence[Any], id: int | None = None) -> list[Frame]:
        """An event to send; with an `id` it asks for an acknowledgement."""
        return encode(Packet(EVENT, namespace, [name, *args], id))

    def ack(self, namespace: str, id: int, args: Sequence[Any]) -> list[Frame]:
        """The acknowledgement of an event received with `id`."""
        return encode(Packet(ACK, namespace, list(args), id))

    def leave(self, namespace: str) -> list[Frame]:
        """DISCONNECT from a namespace."""
        self._part(namespace)
        return encode(Packet(DISCONNECT, namespace))

    def _receive_joined(self, packet: Packet) -> EventReceived | AckReceived | Left:
        if packet.namespace not in self.joined:
            raise WireError(f"{packet.type.name} for namespace {packet.namespace!r}, which was not joined")
        if packet.type is EVENT:
            return _event(packet)
        if packet.type is ACK:
            assert packet.id is not None  # _checked saw to it
            return AckReceived(packet.namespace, packet.id, packet.data)
        if packet.type is DISCONNECT:
            self._part(packet.namespace)
            return Left(packet.namespace)
        raise WireError(f"unexpected Socket.IO packet {packet.type.name}")

    def _part(self, namespace: str) -> None:
        self.joined = tuple(one for one in self.joined if one != namespace)


def _event(packet: Packet) -> EventReceived:
    return EventReceived(packet.namespace, packet.data[0], packet.data[1:], packet.id)


class ServerSession(_Session):
    """The server's side: one client, any number of namespaces."""

    __slots__ = ()

    def receive(self, frame: Frame) -> ConnectRequested | EventReceived | AckReceived | Left | None:
        """What an Engine.IO message means; None while attachments are missing. Raises WireError."""
        packet = self._decoder.add(frame)
        if packet is None:
            return None
        if packet.type is CONNECT:
            if packet.namespace in self.joined:
                raise WireError(f"a second CONNECT to namespace {packet.namespace!r}")
            return ConnectRequested(packet.namespace, packet.data or {})
        return self._receive_joined(packet)

    def accept(self, namespace: str, sid: str) -> list[Frame]:
        """The CONNECT answer that lets the client in."""
        self.joined += (namespace,)
        return encode(Packet(CONNECT, namespace, {"sid": sid}))

    def refuse(self, namespace: str, message: str) -> list[Frame]:
        """The CONNECT_ERROR answer; clients read `message`."""
        return encode(Packet(CONNECT_ERROR, namespace, {"message": message}))


class ClientSession(_Session):
    """The client's side.

    Events are taken from when a namespace is asked for: python-socketio's servers send what their connect handler emits
    before they let the client in.
    """

    __slots__ = ("_asked",)

    def __init__(self) -> None:
        super().__init__()
        self._asked: set[str] = set()

    def connect(self, namespace: str = "/", auth: dict[str, Any] | None = None) -> list[Frame]:
        """The request to join a namespace."""
        self._asked.add(namespace)
        return encode(Packet(CONNECT, namespace, auth))

    def receive(self, frame: Frame) -> Joined | Refused | EventReceived | AckReceived | Left | None:
        """What an Engine.IO message means; None while attachments are missing. Raises WireError."""
        packet = self._decoder.add(frame)
        if packet is None:
            return None
        if packet.type is CONNECT:
            self._asked.discard(packet.namespace)
            if packet.namespace not in self.joined:
                self.joined += (packet.namespace,)
            return Joined(packet.namespace, packet.data or {})
        if packet.type is CONNECT_ERROR:
            self._asked.discard(packet.namespace)
            return Refused(packet.namespace, packet.data)
        if packet.type is EVENT and packet.namespace in self._asked:
            return _event(packet)
        return self._receive_joined(packet)

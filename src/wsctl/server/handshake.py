"""The query of an Engine.IO request: which transport, which session, or why not (Engine.IO server's error codes)."""

from collections.abc import Mapping
from enum import Enum

import msgspec
from msgspec import Struct

from wsctl.wire.engineio import PROTOCOL

SOCKETIO_PATH = "/socket.io/"


class Refusal(Enum):
    """Why a request is answered with 400: code and message as the reference server has them."""

    UNKNOWN_TRANSPORT = (0, "Transport unknown")
    UNKNOWN_SID = (1, "Session ID unknown")
    BAD_METHOD = (2, "Bad handshake method")
    BAD_REQUEST = (3, "Bad request")
    FORBIDDEN = (4, "Forbidden")
    UNSUPPORTED_PROTOCOL = (5, "Unsupported protocol version")

    def body(self) -> bytes:
        """The JSON body of the answer."""
        code, message = self.value
        return msgspec.json.encode({"code": code, "message": message})


class Query(Struct, frozen=True):
    """A sound query."""

    transport: str
    sid: str | None


def read_query(query: Mapping[str, str], transports: tuple[str, ...]) -> Query | Refusal:
    """Judge a query; `transports` are those that this kind of request may ask for."""
    transport = query.get("transport")
    if transport not in transports:
        return Refusal.UNKNOWN_TRANSPORT
    if query.get("EIO") != PROTOCOL:
        return Refusal.UNSUPPORTED_PROTOCOL
    return Query(transport, query.get("sid"))

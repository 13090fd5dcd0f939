"""The opening handshake of a WebSocket (RFC 6455, 4.2), its head parsed by whoever took it.

By hand: websockets reads each field by its grammar, which was a sixth of what a connection costs.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus

from wsctl.errors import WireError
from wsctl.server.framing import Extensions, negotiate

Fields = Sequence[tuple[bytes, bytes]]
"""of a request's head, the names in lower case"""

_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")  # 16 bytes in base64
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n%b\r\n"
)


class Unsound(Exception):
    """No sound handshake: the status and the body it is answered with."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.body = b'{"message":"%b"}' % message.encode()


def accept(method: str, version: str, fields: Fields, *, compress: bool) -> tuple[bytes, Extensions]:
    """The answer to a request to upgrade, and what was agreed on. Raises Unsound.

    That it is one, by its Connection and Upgrade, was seen by whoever took it.
    """
    if method != "GET":
        raise Unsound(HTTPStatus.METHOD_NOT_ALLOWED, "a WebSocket is asked for with GET")
    if version != "1.1":
        raise Unsound(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "a WebSocket is asked for with HTTP/1.1")
    if values(fields, b"sec-websocket-version") != [b"13"]:
        raise Unsound(HTTPStatus.BAD_REQUEST, "expected Sec-WebSocket-Version 13")
    keys = values(fields, b"sec-websocket-key")
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        raise Unsound(HTTPStatus.BAD_REQUEST, "expected one Sec-WebSocket-Key of 16 bytes in base64")
    answer = base64.b64encode(hashlib.sha1(keys[0] + _GUID, usedforsecurity=False).digest())
    agreed, extensions = _agree(values(fields, b"sec-websocket-extensions")) if compress else (b"", [])
    return _ACCEPTED % (answer, agreed), extensions


def refuse(status: HTTPStatus, body: bytes) -> bytes:
    """An answer without becoming a WebSocket, after which the connection is closed."""
    more = "Allow: GET\r\n" if status is HTTPStatus.METHOD_NOT_ALLOWED else ""
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nDate: {formatdate(usegmt=True)}\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\n{more}\r\n"
    )
    return head.encode() + body


def values(fields: Fields, name: bytes) -> list[bytes]:
    """What stands under a name."""
    return [value for key, value in fields if key == name]


def _agree(offers: list[bytes]) -> tuple[bytes, Extensions]:
    try:
        agreed, extensions = negotiate([offer.decode("latin-1") for offer in offers])
    except WireError as error:
        raise Unsound(HTTPStatus.BAD_REQUEST, str(error)) from error
    return b"" if agreed is None else b"Sec-WebSocket-Extensions: %b\r\n" % agreed.encode(), extensions

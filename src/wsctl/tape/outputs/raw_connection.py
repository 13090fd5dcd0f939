"""RawConnection: one client's connection, a WebSocket or a plain HTTP request with whatever method."""

from http import HTTPStatus
from http.client import responses
from typing import Any, Final

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Response

ANSWERED: Final = ("GET", "HEAD")
_LONGEST: Final = 32
"""characters of a method; what is longer is none"""


class RawConnection(ServerConnection):
    """websockets reads GET only, and hangs up on anything else without a word."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.method: str | None = None
        """None until it is read"""
        self._begun = b""

    def data_received(self, data: bytes) -> None:
        """Read the method first; a request that is not allowed is answered, and the rest of it means nothing."""
        if self.method is None:
            self._begun += data
            method, space, rest = self._begun.partition(b" ")
            if not space and len(self._begun) <= _LONGEST:
                return
            self.method = method[:_LONGEST].decode("latin-1")
            if self.method in ANSWERED:
                data = b"GET " + rest
            elif space and self.method.isalpha():
                self._refuse()
            else:  # no HTTP
                self.method, data = "GET", self._begun
        if self.method in ANSWERED:
            super().data_received(data)

    def _refuse(self) -> None:
        said = f"wsctl: {self.method} is not allowed; {' and '.join(ANSWERED)} are answered"
        response = answer(HTTPStatus.METHOD_NOT_ALLOWED, "application/json", msgspec.json.encode({"msg": said}))
        response.headers["Allow"] = ", ".join(ANSWERED)
        self.transport.write(response.serialize())
        self.transport.write_eof()  # a close would be a reset while the client still sends its body


def answer(status: int, content_type: str, body: bytes) -> Response:
    """An HTTP response after which the connection is closed."""
    headers = Headers([("Content-Type", content_type), ("Content-Length", str(len(body))), ("Connection", "close")])
    return Response(status, responses.get(status, ""), headers, body)

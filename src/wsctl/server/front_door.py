"""The HTTP protocol class that uvicorn is given: its own, with the bounds it lacks."""

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from wsctl.server.sockets import linger
from wsctl.server.websocket import WebSocketProtocol

if TYPE_CHECKING:
    from wsctl.server.endpoint import Endpoint

MAX_HEAD = 64 * 1024
"""bytes of an HTTP request up to the end of its headers"""
MAX_HEADERS = 100
REQUEST_TIMEOUT = 30.0
"""seconds a client may take to send one HTTP request"""
REFUSAL_TIMEOUT = 5.0
"""seconds a client whose head was refused may take to read that"""

TRANSPORT = "wsctl.transport"
"""key of a request's scope: the TCP transport it came over, so that a cut can reset it"""

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class HttpProtocol(HttpToolsProtocol):
    """One HTTP connection: bounds on a request's head and time, nothing lost in an upgrade.

    During an outage a new TCP connection is reset.
    """

    def __init__(self, platform: "Endpoint", **uvicorn_arguments: Any) -> None:
        super().__init__(**uvicorn_arguments)
        self._platform = platform
        self._unfinished: int | None = 0
        """bytes of a head that is not complete; None once it is"""
        self._requests = 0
        """requests that came to their end"""
        self._refused = False
        self._latest = b""
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a TCP connection."""
        super().connection_made(transport)
        if self._platform.out:
            linger(transport)
            transport.abort()
        else:
            self._set_deadline()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; a head that does not end is refused."""
        if self._refused:
            return
        self._latest = data
        ended = self._requests
        super().data_received(data)
        if self._unfinished is None:
            return
        if self._requests == ended:  # else it is not known where in it the unfinished head begins
            self._unfinished += len(data)
        if self._unfinished > MAX_HEAD:
            self._refuse()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._clear_deadline()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, unless the last word has been said."""
        if not self._refused:
            super().send_400_response(msg)

    def handle_websocket_upgrade(self) -> None:
        """Hand over to the WebSocket protocol, with what came in the same write as the handshake.

        In uvicorn's stead, which drops that, and writes the head out for the protocol to parse again.
        """
        if self._refused:
            return
        self._clear_deadline()
        upgrade = sys.exc_info()[1]  # we are called while it is handled; its argument says where the head ended
        self.connections.discard(self)
        protocol = WebSocketProtocol(self._platform)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        protocol.open(self.scope["method"], self.url, self.scope["http_version"], self.headers)
        rest = self._latest[upgrade.args[0] :] if isinstance(upgrade, httptools.HttpParserUpgrade) else b""
        if rest and not self.transport.is_closing():
            protocol.data_received(rest)
        self.parser = None  # type: ignore[assignment]  # it knows us: as when a connection is lost

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope[TRANSPORT] = self.transport  # type: ignore[literal-required]
        self._unfinished = 0
        self._set_deadline()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._unfinished = None
        if self._refused:
            return
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD or len(self.headers) > MAX_HEADERS:
            self._refuse()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """It is there as a whole."""
        self._requests += 1
        if not self._refused:
            self._clear_deadline()
            super().on_message_complete()

    def _refuse(self) -> None:
        if not self._refused:
            self._refused = True
            self._clear_deadline()
            self.transport.write(_TOO_LARGE)
            if self._answers_nothing and self.transport.can_write_eof():
                # More of the head may be on its way: closing now would reset the connection before the answer is read.
                self.transport.write_eof()
                self._deadline = self.loop.call_later(REFUSAL_TIMEOUT, self.transport.close)
            else:
                self.transport.close()

    @property
    def _answers_nothing(self) -> bool:
        """Whether no earlier request waits for its answer: after our last word nothing can be written."""
        return self.cycle is None or self.cycle.response_complete

    def _set_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_TIMEOUT, self.transport.close)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

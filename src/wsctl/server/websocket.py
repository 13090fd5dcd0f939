"""The WebSocket protocol class that uvicorn is given: RFC 6455 by websockets' sans-I/O core, frames to a handler.

No task, queue or ASGI call per connection: the transport is written to directly.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, parse_qsl, urlsplit

from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import CloseCode, Opcode
from websockets.frames import Frame as WebSocketFrame
from websockets.protocol import SEND_EOF, Protocol, Side, State

from wsctl.server import limits
from wsctl.server.client import Closing
from wsctl.server.connection import Candidate, Handler
from wsctl.server.handshake import Refusal, read_query
from wsctl.server.hub import Writable
from wsctl.server.opening import Fields, Unsound, accept, refuse, values
from wsctl.server.sockets import linger
from wsctl.server.upgrade import Upgrade
from wsctl.wire import engineio

if TYPE_CHECKING:
    from wsctl.server.endpoint import Endpoint

CLOSE_TIMEOUT = 5.0
"""seconds the client has to complete a close before the transport is aborted"""
MAX_FRAGMENTS = 16 * 1024
"""of one message"""

_silent = logging.getLogger("wsctl.server.websocket")
_silent.disabled = True  # connects and disconnects are reported by the platform, with their reason


class WebSocketProtocol(asyncio.Protocol):
    """One WebSocket connection; the carrier of a Connection, or a candidate for one."""

    __slots__ = ("_close_timer", "_handler", "_parts", "_platform", "_text", "_transport", "_ws")

    name = "websocket"

    def __init__(self, platform: "Endpoint", **_uvicorn: Any) -> None:
        self._platform = platform
        self._ws = Protocol(Side.SERVER, max_size=platform.options.max_payload, logger=_silent)
        self._handler: Handler | None = None
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._close_timer: asyncio.TimerHandle | None = None
        self._parts: list[bytes] = []
        self._text = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the transport of an upgraded HTTP connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=limits.WRITE_LIMIT)
        self._platform.sockets[self] = None

    def open(self, method: str, url: bytes, version: str, fields: Fields) -> None:
        """Answer the handshake, its head parsed by whoever took it, once `connection_made` was called."""
        if self._platform.out:
            self.abort(reset=True)
            return
        target = self._judge(url.decode("latin-1"), fields)
        if isinstance(target, tuple):
            self._refuse(*target)
            return
        try:
            answer, self._ws.extensions = accept(method, version, fields, compress=self._platform.options.compress)
        except Unsound as unsound:
            self._refuse(unsound.status, unsound.body)
            return
        self._transport.write(answer)
        self._handler = target()
        self._handler.begin(self)

    def data_received(self, data: bytes) -> None:
        """Feed RFC 6455, hand on what it yields."""
        self._ws.receive_data(data)
        pinged = False
        for event in self._ws.events_received():
            if isinstance(event, WebSocketFrame):
                pinged |= event.opcode is Opcode.PING
                self._receive(event)
        self._flush()
        if self._ws.parser_exc is not None and self._handler is not None:
            self._give_up(f"broken WebSocket frame: {self._ws.parser_exc}")
        elif self._ws.close_rcvd is not None:
            self._lost(f"client closed ({self._ws.close_rcvd.code})")
        if (
            pinged and self.waiting > limits.CLOSE_LIMIT
        ):  # a flood of pings whose pongs nobody reads: hear no more of it
            self._transport.pause_reading()
            self._lost(Closing.SLOW)
            self.close(1012)

    def eof_received(self) -> None:
        """Half-closed by the client: it is gone (returning None closes the transport)."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone, in good order or not."""
        self._platform.sockets.pop(self, None)
        self._platform.settle()
        if self._close_timer is not None:
            self._close_timer.cancel()
            self._close_timer = None
        self._ws.parser.close()  # it and what it raised know their Protocol: such rings wait for the garbage collector
        self._ws.parser_exc = None
        self._lost("transport closed")

    def pause_writing(self) -> None:
        """The write buffer is past `limits.WRITE_LIMIT`."""
        if self._handler is not None:
            self._handler.fell_behind()

    def resume_writing(self) -> None:
        """The write buffer drained."""
        if self._handler is not None:
            self._handler.caught_up()

    def shutdown(self) -> None:
        """Called by uvicorn; the platform has closed every connection by then."""

    # Carrier

    @property
    def direct(self) -> Writable | None:
        """The transport: a ready frame may be written to it while the WebSocket is open."""
        return self._transport if self._ws.state is State.OPEN else None

    @property
    def window_bits(self) -> int | None:
        """Of permessage-deflate, where the client agreed to it."""
        deflate = self._ws.extensions[0] if self._ws.extensions else None
        return deflate.local_max_window_bits if isinstance(deflate, PerMessageDeflate) else None

    @property
    def waiting(self) -> int:
        """Bytes the socket has not taken."""
        return self._transport.get_write_buffer_size()

    def send(self, packet: engineio.Frame) -> None:
        """Send one packet as a frame; after the close frame nothing follows."""
        if self._ws.state is not State.OPEN:
            return
        if isinstance(packet, bytes):
            self._ws.send_binary(packet)
        else:
            self._ws.send_text(packet.encode())
        self._flush()

    def close(self, code: int, *, patience: float = 0.0) -> None:
        """Send a close frame; the client answers it, or the transport is aborted after CLOSE_TIMEOUT.

        With `patience` the client has so many seconds to close first.
        """
        if patience:
            self._close_timer = self._platform.loop.call_later(patience, self._lose_patience, code)
            return
        if self._ws.state is State.OPEN:
            self._ws.send_close(code)
            self._flush()
        self._expect_close()

    def abort(self, *, reset: bool = False) -> None:
        """Drop the socket; `reset` makes it a TCP RST (SO_LINGER 0)."""
        if reset:
            linger(self._transport)
        self._transport.abort()

    def become(self, handler: Handler) -> None:
        """Hand messages to somebody else from now on."""
        self._handler = handler

    # Inside

    def _refuse(self, status: HTTPStatus, body: bytes) -> None:
        """Answer without becoming a WebSocket; what follows is thrown away."""
        self._transport.write(refuse(status, body))
        self._ws.fail(CloseCode.ABNORMAL_CLOSURE)  # the one that sends no close frame
        self._flush()

    def _judge(self, target: str, fields: Fields) -> Callable[[], Handler] | tuple[HTTPStatus, bytes]:
        """What makes who will handle the messages, or status and body of the refusal."""
        if self._platform.closing:
            return HTTPStatus.SERVICE_UNAVAILABLE, b'{"message":"shutting down"}'
        url = _split(target)
        path = url.path.rstrip("/") + "/"
        if path not in self._platform.applications and path not in self._platform.handlers:
            return HTTPStatus.NOT_FOUND, b'{"message":"nothing here; Socket.IO is at /socket.io/"}'
        if not all(self._platform.allows_origin(origin.decode("latin-1")) for origin in values(fields, b"origin")):
            return HTTPStatus.FORBIDDEN, Refusal.FORBIDDEN.body()
        if path in self._platform.handlers:
            return self._platform.handlers[path]
        query = read_query(dict(parse_qsl(url.query)), ("websocket",))
        if self.name not in self._platform.options.transports:
            query = Refusal.UNKNOWN_TRANSPORT
        if isinstance(query, Refusal):
            return HTTPStatus.BAD_REQUEST, query.body()
        if query.sid is None:
            return partial(self._platform.new_connection, path, self._address())
        connection = self._platform.connections.get(query.sid)
        if connection is None:
            return HTTPStatus.BAD_REQUEST, Refusal.UNKNOWN_SID.body()
        if not connection.upgradable:
            return TurnedAway
        return partial(Upgrade, connection)

    def _address(self) -> str:
        peer = self._transport.get_extra_info("peername")
        return f"{peer[0]}:{peer[1]}" if peer else "unknown"

    def _receive(self, frame: WebSocketFrame) -> None:
        if self._handler is None or frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        if not frame.fin:
            self._parts.append(bytes(frame.data))
            if len(self._parts) > MAX_FRAGMENTS:  # a byte each, or none: they cost more than max_size counts
                self._break_off(1008, "a message in too many fragments")
            return
        data, self._parts = b"".join((*self._parts, frame.data)), []
        if not self._text:
            self._handler.receive(data)
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._break_off(1007, "text that is not UTF-8")
            return
        self._handler.receive(text)

    def _flush(self) -> None:
        for data in self._ws.data_to_send():
            if data != SEND_EOF:
                self._transport.write(data)
            elif self._ws.close_rcvd is None and self._ws.close_sent is not None and self._transport.can_write_eof():
                # The frame that broke the rules may still be arriving: closing now would reset the connection,
                # and the client would never read the close code.
                self._transport.write_eof()
            else:
                self._transport.close()
                self._expect_close()  # it waits for its buffer, which a client that does not read never takes

    def _break_off(self, code: int, reason: str) -> None:
        self._ws.fail(code, reason)
        self._parts = []
        self._give_up(reason)

    def _give_up(self, reason: str) -> None:
        """The client broke the rules of RFC 6455 and was told; what follows is thrown away."""
        if self._handler is not None:
            self._platform.counters.malformed += 1
        self._lost(reason)
        self._expect_close()

    def _lose_patience(self, code: int) -> None:
        self._close_timer = None
        self.close(code)

    def _expect_close(self) -> None:
        if self._close_timer is None:
            self._close_timer = self._platform.loop.call_later(CLOSE_TIMEOUT, self.abort)

    def _lost(self, reason: str) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.lost(reason)


class TurnedAway:
    """Closes a second WebSocket for a session: like the reference server, by an orderly close, not by a refusal."""

    def begin(self, carrier: Candidate) -> None:
        """The WebSocket is open."""
        carrier.close(1000)

    def receive(self, frame: engineio.Frame) -> None:
        """Nothing it says matters."""

    def lost(self, reason: str) -> None:
        """Nothing to let go of."""

    def fell_behind(self) -> None:
        """Nothing is fanned out to it."""

    def caught_up(self) -> None:
        """Nothing is fanned out to it."""


def _split(target: str) -> SplitResult:
    try:
        return urlsplit(target)
    except ValueError:  # such as an address with half a bracket
        return urlsplit("")

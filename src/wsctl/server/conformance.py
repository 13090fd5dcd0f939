"""What the protocol authors' test suites want their server to do; for tests of the server, not for users.

Sources: "Test suite" at the end of docs/socket.io-protocol/v5-current.md and docs/engine.io-protocol/v4-current.md
(socketio/socket.io); a raw echo is what Autobahn's cases talk to.
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from wsctl.server import defaults
from wsctl.server.admission import NotAdmitted
from wsctl.server.connection import Candidate, Connection
from wsctl.server.handshake import SOCKETIO_PATH
from wsctl.wire import engineio, socketio

if TYPE_CHECKING:
    from wsctl.server.platform import Platform

ENGINEIO_PATH = "/engine.io/"
ECHO_PATH = "/echo/"
NAMESPACES = ("/", "/custom")
PING_INTERVAL = 0.3
PING_TIMEOUT = 0.2
CONNECT_TIMEOUT = 1.0


def install(platform: "Platform") -> None:
    """Serve the suites instead of the platform."""
    check_tokens = platform.options.jwt_secret != defaults.JWT_SECRET
    platform.applications = {
        SOCKETIO_PATH: partial(SocketIOEcho, platform, check_tokens=check_tokens),
        ENGINEIO_PATH: EngineIOEcho,
    }
    platform.handlers = {ECHO_PATH: WebSocketEcho}


class Quiet:
    """An application that has nothing to say about its carrier."""

    def carrier_changing(self) -> None:
        """Nothing is owed."""

    def carrier_changed(self) -> None:
        """Nothing is owed."""

    def fell_behind(self) -> None:
        """Nothing is fanned out."""

    def caught_up(self) -> None:
        """Nothing is fanned out."""


class SocketIOEcho(Quiet):
    """Answers `message` with `message-back` and `message-with-ack` with an acknowledgement; tells the `auth` it got."""

    def __init__(self, platform: "Platform", connection: Connection, *, check_tokens: bool) -> None:
        self._platform = platform
        self._connection = connection
        self._check_tokens = check_tokens
        self._session = socketio.ServerSession()
        self._connect_timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """The client has a while to join a namespace."""
        self._connect_timer = self._platform.loop.call_later(
            self._platform.options.connect_timeout, self._connection.end, "no namespace joined in time"
        )

    def receive(self, message: str | bytes) -> None:
        """Take a Socket.IO message. Raises WireError."""
        match self._session.receive(message):
            case socketio.ConnectRequested(namespace, auth):
                self._join(namespace, auth)
            case socketio.EventReceived(namespace, "message", args, _):
                self._connection.send(self._session.event(namespace, "message-back", args))
            case socketio.EventReceived(namespace, "message-with-ack", args, id) if id is not None:
                self._connection.send(self._session.ack(namespace, id, args))

    def ended(self, reason: str) -> None:
        """The session is over."""
        self._stop_waiting()

    def _join(self, namespace: str, auth: dict[str, Any]) -> None:
        if namespace not in NAMESPACES:
            self._connection.send(self._session.refuse(namespace, "Invalid namespace"))
            return
        if self._check_tokens:
            try:
                self._platform.admission.identify(auth.get("token"))
            except NotAdmitted as error:
                self._connection.send(self._session.refuse(namespace, error.message))
                return
        self._stop_waiting()
        self._connection.send(self._session.accept(namespace, self._platform.new_sid()))
        self._connection.send(self._session.event(namespace, "auth", [auth]))

    def _stop_waiting(self) -> None:
        if self._connect_timer is not None:
            self._connect_timer.cancel()
            self._connect_timer = None


class EngineIOEcho(Quiet):
    """Sends every message back."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self) -> None:
        """Nothing to begin with."""

    def receive(self, message: str | bytes) -> None:
        """Take a message."""
        self._connection.send([message])

    def ended(self, reason: str) -> None:
        """Nothing to let go of."""


class WebSocketEcho(Quiet):
    """Sends every WebSocket message back, no Engine.IO about it."""

    def __init__(self) -> None:
        self._carrier: Candidate | None = None

    def begin(self, carrier: Candidate) -> None:
        """The WebSocket is open."""
        self._carrier = carrier

    def receive(self, frame: engineio.Frame) -> None:
        """Take one message."""
        if self._carrier is not None:
            self._carrier.send(frame)

    def lost(self, reason: str) -> None:
        """The WebSocket is gone."""
        self._carrier = None

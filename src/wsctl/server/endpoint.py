"""What listens at one address: its connections and clients, the hub they hear, and how all of it ends.

The mock platform is one; a tape that is played is another.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from msgspec import Struct

from wsctl.clock import Clock
from wsctl.server.admission import Admission
from wsctl.server.client import Client, Closing
from wsctl.server.connection import Application, Connection, Handler
from wsctl.server.hub import Hub
from wsctl.server.loopback import is_loopback_origin
from wsctl.server.metrics import Counters
from wsctl.server.options import ServeOptions
from wsctl.server.polling import PollingCarrier
from wsctl.server.requests import Requests

if TYPE_CHECKING:
    from wsctl.server.websocket import WebSocketProtocol

FAREWELL = 2.0
"""seconds that a closed polling session waits for the poll that fetches its last packets"""

LOGGED = 100
"""characters of a user or a reason that are logged: a client may have made them as long as a message"""


class Departing(Struct, frozen=True):
    """A closed polling session whose last packets were not fetched yet."""

    carrier: PollingCarrier
    timer: asyncio.TimerHandle


class ConnectionLog(Struct, frozen=True):
    """Something about a connection that an operator wants to see."""

    what: str
    """connected, disconnected or refused"""
    connection: str
    address: str
    transport: str
    user: str | None
    reason: str | None = None


class Endpoint:
    """A server without its sockets. What is above it sets `applications`, and `requests` for those that are Clients."""

    requests: Requests
    namespaces: Collection[str] = ("/",)
    """of Socket.IO, that a client may join"""

    def __init__(
        self,
        options: ServeOptions,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        on_log: Callable[[ConnectionLog], None],
        *,
        hub: Hub,
        admission: Admission,
    ) -> None:
        self.options = options
        self.clock = clock
        self.loop = loop
        self.hub = hub
        self.admission = admission
        self.counters = Counters()
        self.connections: dict[str, Connection] = {}
        """by the Engine.IO session's id"""
        self.clients: dict[str, Client] = {}
        """those that have joined, by the id that they know"""
        self.departing: dict[str, Departing] = {}
        self.sockets: dict[WebSocketProtocol, None] = {}
        self.outage_until = 0.0
        """monotonic seconds until which new TCP connections are accepted and reset"""
        self.closing = False
        self.applications: dict[str, Callable[[Connection], Application]] = {}
        """what speaks above Engine.IO, by path"""
        self.handlers: dict[str, Callable[[], Handler]] = {}
        """what takes WebSocket messages without Engine.IO, by path"""
        self._emptied = asyncio.Event()
        self._on_log = on_log

    @property
    def out(self) -> bool:
        """Whether new TCP connections are reset (an outage asked for through /control)."""
        return self.clock.monotonic() < self.outage_until

    def allows_origin(self, origin: str | None) -> bool:
        """Browsers say where a page came from; loopback pages and configured ones may connect."""
        return origin is None or origin in self.options.cors_origin or is_loopback_origin(origin)

    def new_sid(self) -> str:
        """An id that cannot be guessed."""
        return secrets.token_urlsafe(15)

    def new_connection(self, path: str, address: str) -> Connection:
        """Start a session at one of the application's paths; its carrier follows."""
        connection = Connection(self, self.new_sid(), address)
        connection.application = self.applications[path](connection)
        self.connections[connection.sid] = connection
        return connection

    # Called by clients and connections

    def joined(self, client: Client) -> None:
        """A client is in."""
        self.clients[client.id] = client
        self.counters.note_join(client.name)
        self._log("connected", client)

    def refused(self, client: Client, reason: str) -> None:
        """A client was not let in."""
        self.counters.refused += 1
        self._log("refused", client, reason)

    def left(self, client: Client, reason: str) -> None:
        """A client that had joined is gone."""
        del self.clients[client.id]
        self.admission.leave(client)
        self.counters.left += 1
        self.counters.evicted += reason == Closing.EVICTED
        self.counters.slow += reason == Closing.SLOW
        self._log("disconnected", client, reason)

    def see_off(self, sid: str, carrier: PollingCarrier) -> None:
        """Keep a closed polling session's last packets for its next poll."""
        self.departing[sid] = Departing(carrier, self.loop.call_later(FAREWELL, self.seen_off, sid))

    def seen_off(self, sid: str) -> None:
        """Forget a departing session, fetched or not."""
        departing = self.departing.pop(sid, None)
        if departing is not None:
            departing.timer.cancel()
            self.settle()

    def _log(self, what: str, client: Client, reason: str | None = None) -> None:
        user = None if client.user is None else _shortened(client.user.id)
        why = None if reason is None else _shortened(reason)
        self._on_log(ConnectionLog(what, client.id, client.address, client.transport, user, why))

    # The end

    async def close(self) -> None:
        """Tell every client, then wait (up to FAREWELL) until they are gone; sockets left are dropped."""
        self.closing = True
        for client in tuple(self.clients.values()):
            client.dismiss(Closing.SHUTDOWN, retry=True)
        for connection in tuple(self.connections.values()):
            connection.end(Closing.SHUTDOWN, code=1012)
        self.settle()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await self._emptied.wait()
        for socket in tuple(self.sockets):
            socket.abort()
        for sid in tuple(self.departing):
            self.seen_off(sid)

    def settle(self) -> None:
        """Called whenever a socket or a departing session went away."""
        if self.closing and not self.sockets and not self.departing:
            self._emptied.set()


def _shortened(text: str) -> str:
    return text if len(text) <= LOGGED else f"{text[:LOGGED]}…"

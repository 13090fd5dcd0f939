"""One client of the platform: Socket.IO above its connection, a subscriber of the hub once it has joined."""

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from wsctl.model.event import CLOSING
from wsctl.server import limits
from wsctl.server.admission import NotAdmitted
from wsctl.server.auth import User
from wsctl.server.connection import Connection
from wsctl.server.delivery import Backlog
from wsctl.server.hub import Channel, Encoding, Message, Writable
from wsctl.wire import socketio
from wsctl.wire.payload import FORMS, Payload

if TYPE_CHECKING:
    from wsctl.server.endpoint import Endpoint


PATIENCE = 1.0
"""seconds that a client has to close after its DISCONNECT"""


class Closing(StrEnum):
    """Reasons for which the server itself ends a connection, as `connection:closing` names them."""

    SHUTDOWN = "shutdown"
    SLOW = "slow"
    EVICTED = "evicted"
    LIMIT = "limit"
    REQUESTED = "requested"
    """asked for through /control"""


class Client:
    """A front end, a bot or a test, from its connection's first to its last moment."""

    __slots__ = (
        "_allowance",
        "_backlog",
        "_connect_timer",
        "_connection",
        "_session",
        "_stall_timer",
        "channels",
        "form",
        "id",
        "joined_at",
        "name",
        "platform",
        "user",
    )

    def __init__(self, platform: "Endpoint", connection: Connection) -> None:
        self.platform = platform
        self.id = ""
        """what the client knows as `socket.id`, once joined"""
        self.name: str | None = None
        """the `client` of its handshake auth, which it keeps across connections"""
        self.user: User | None = None
        self.form = "full"
        self.channels: dict[str, None] = {}
        self.joined_at: float | None = None
        """unix seconds; None until the namespace is joined"""
        self._allowance = limits.Allowance(platform.options.max_events, platform.clock.monotonic())
        self._connection = connection
        self._session = socketio.ServerSession()
        self._backlog = Backlog()
        self._stall_timer: asyncio.TimerHandle | None = None
        self._connect_timer: asyncio.TimerHandle | None = None

    @property
    def address(self) -> str:
        """Host and port."""
        return self._connection.address

    @property
    def transport(self) -> str:
        """`websocket` or `polling`."""
        return self._connection.transport

    @property
    def most_waiting(self) -> int:
        """Bytes that may wait for this reader before it is closed."""
        return limits.CLOSE_LIMIT

    # Application: what the connection tells

    def begin(self) -> None:
        """The client has a while to join a namespace."""
        self._connect_timer = self.platform.loop.call_later(
            self.platform.options.connect_timeout, self._connection.end, "no namespace joined in time"
        )

    def receive(self, message: str | bytes) -> None:
        """Take a Socket.IO message. Raises WireError."""
        match self._session.receive(message):
            case socketio.ConnectRequested(namespace, auth):
                self._join(namespace, auth)
            case socketio.EventReceived(namespace, name, args, id):
                self._serve(namespace, name, args, id)
            case socketio.Left(namespace):
                self._leave(namespace)

    def carrier_changing(self) -> None:
        """The new carrier's buffer is empty; it will say so if it fills."""
        self._stop_stalling()

    def carrier_changed(self) -> None:
        """What is owed goes to the WebSocket, and so does the fan-out from now on."""
        if self._stall_timer is None:
            self._backlog.pay(self.platform.hub, self, Closing.SLOW)
        self.platform.hub.move(self, self.channels)

    def fell_behind(self) -> None:
        """The reader does not keep up: from now on it is owed the newest of each channel."""
        if self._stall_timer is None:
            self._stall_timer = self.platform.loop.call_later(limits.STALL_LIMIT, self._stalled)
            self.platform.hub.move(self, self.channels)

    def caught_up(self) -> None:
        """The reader took what was waiting: pay what it is owed."""
        if self._stall_timer is not None:
            self._stop_stalling()
            self._backlog.pay(self.platform.hub, self, Closing.SLOW)
            self.platform.hub.move(self, self.channels)

    def ended(self, reason: str) -> None:
        """Let go of everything."""
        for timer in (self._connect_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        for channel in self.channels:
            self.platform.hub.leave(self, channel)
        self.channels.clear()
        if self.joined_at is not None:
            self.platform.left(self, reason)

    # Joining, and what the client asks for

    def _join(self, namespace: str, auth: dict[str, Any]) -> None:
        if namespace not in self.platform.namespaces:
            self._refuse(namespace, "Invalid namespace")
            return
        try:
            self.user = self.platform.admission.identify(auth.get("token"))
            evicted = self.platform.admission.enter(self)
        except NotAdmitted as error:
            self.user = None
            self._refuse(namespace, error.message)
            self.platform.refused(self, error.reason)
            return
        form = auth.get("format")
        self.form = form if isinstance(form, str) and form in FORMS else "full"
        name = auth.get("client")
        self.name = name if isinstance(name, str) and len(name) <= limits.NAME_LIMIT else None
        self.joined_at = self.platform.clock.now()
        if self._connect_timer is not None:
            self._connect_timer.cancel()
            self._connect_timer = None
        self.id = self.platform.new_sid()
        self._connection.send(self._session.accept(namespace, self.id))
        self.platform.joined(self)
        for other in evicted:
            other.dismiss(Closing.EVICTED, retry=False)

    def _refuse(self, namespace: str, message: str) -> None:
        """Answer a CONNECT that is not let in; each counts as an event, so that tokens are not guessed without end."""
        if self._allowance.take(self.platform.clock.monotonic()):
            self._send(self._session.refuse(namespace, message))
        else:
            self.dismiss(Closing.LIMIT, retry=False)

    def _serve(self, namespace: str, name: str, args: list[Any], id: int | None) -> None:
        self.platform.counters.events += 1
        if not self._allowance.take(self.platform.clock.monotonic()):
            self.dismiss(Closing.LIMIT, retry=False)
            return
        answer = self._handle(namespace, name, args, acknowledged=id is not None)
        if id is not None:
            self._send(self._session.ack(namespace, id, [answer]))

    def _handle(self, namespace: str, name: str, args: list[Any], *, acknowledged: bool) -> Any:
        """What an event is acknowledged with."""
        return self.platform.requests.handle(self, name, args, acknowledged=acknowledged)

    def _leave(self, namespace: str) -> None:
        """The client has left a namespace; without one there is nothing to stay for."""
        self._connection.end("client left")

    def subscribe(self, channel: str) -> None:
        """Join a channel; its current state is pushed at once."""
        if self._connection.carrier is None:
            return  # a snapshot of the same request was too much for this reader
        self.channels[self.platform.hub.channels[channel].name] = None  # one text for all
        self.platform.hub.join(self, channel)

    def unsubscribe(self, channel: str) -> None:
        """Leave a channel."""
        if self.channels.pop(channel, self) is None:
            self.platform.hub.leave(self, channel)
            self._backlog.forget(self.platform.hub.channels[channel])

    # Subscriber: what the hub sends

    @property
    def encoding(self) -> Encoding:
        """Form and compression, as agreed."""
        return Encoding(self.form, self._connection.window_bits)

    @property
    def direct(self) -> Writable | None:
        """The transport for ready frames, unless messages are owed: they come first."""
        return None if self._stall_timer is not None else self._connection.direct

    def offer(self, message: Message) -> None:
        """Send a channel's message, or owe it while the reader is behind."""
        if self._connection.carrier is None:
            return
        if self._stall_timer is None and self._connection.waiting <= limits.WRITE_LIMIT:
            message.channel.delivered += 1
            self._connection.send_packet(message.text(self.form))
        else:
            self._backlog.add(message)
            self.fell_behind()

    def owes(self, channel: Channel) -> bool:
        """Whether messages of a channel are held back."""
        return self._backlog.owes(channel)

    def send_event(self, name: str, payload: Any) -> None:
        """Send an event to this client only."""
        self._send([socketio.encode_event(name, payload)])

    def send_encoded(self, event: str) -> None:
        """Send an event that is encoded already."""
        self._send([event])

    def _send(self, messages: list[socketio.Frame]) -> None:
        self._connection.send(messages)
        if self._connection.waiting > self.most_waiting:
            self.dismiss(Closing.SLOW, retry=True)

    def _stop_stalling(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _stalled(self) -> None:
        self.dismiss(Closing.SLOW, retry=True)

    # The end

    def dismiss(self, reason: Closing, *, retry: bool) -> None:
        """Tell the client why, if it has joined, then disconnect it.

        After `retry: false` comes DISCONNECT and close 1000, which clients take as "io server disconnect" and do
        not come back from by themselves; after `retry: true` close 1012 alone, from which they do.
        """
        if self.joined_at is not None:
            notice: Payload = {"reason": reason, "retry": retry}
            for namespace in self._session.joined:
                self._connection.send(self._session.event(namespace, CLOSING, [notice]))
                if not retry:
                    self._connection.send(self._session.leave(namespace))
        # a close right behind the DISCONNECT may be handled before it, and then the client comes back
        patience = 0.0 if retry or self.joined_at is None else PATIENCE
        self._connection.end(reason, code=1012 if retry else 1000, patience=patience)

    def cut(self) -> None:
        """Reset the TCP connection, as a network failure would."""
        self._connection.cut()

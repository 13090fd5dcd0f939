"""One client's conversation: carrier (WebSocket or polling) <-> wire sessions <-> hub and requests."""

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from wsctl.errors import WireError
from wsctl.server.auth import BadToken, User, verify
from wsctl.server.delivery import Backlog
from wsctl.server.hub import Channel, Message, Writable
from wsctl.server.polling import PollingCarrier
from wsctl.wire import engineio, socketio
from wsctl.wire.payload import FORMS, Payload

if TYPE_CHECKING:
    from wsctl.server.platform import Platform

WRITE_LIMIT = 256 * 1024
"""bytes waiting for one reader past which it gets only the newest of each channel"""
CLOSE_LIMIT = 1024 * 1024
"""bytes waiting for one reader past which it is closed (answers to its own requests are never conflated)"""
STALL_LIMIT = 30.0
"""seconds for which a reader may stay behind before it is closed"""


class Closing(StrEnum):
    """Reasons for which the server itself ends a connection, as `connection:closing` names them."""

    SHUTDOWN = "shutdown"
    SLOW = "slow"
    REQUESTED = "requested"
    """asked for through /control"""


class Carrier(Protocol):
    """What brings Engine.IO packets to the client."""

    name: str

    @property
    def direct(self) -> Writable | None:
        """The transport for ready frames; None for polling."""

    @property
    def waiting(self) -> int:
        """Bytes not yet taken by the socket or fetched by a poll."""

    def send(self, packet: engineio.Frame) -> None:
        """Send one encoded Engine.IO packet."""

    def close(self, code: int) -> None:
        """End the transport in good order: WebSocket close code; polling ends with a CLOSE packet."""

    def abort(self, *, reset: bool = False) -> None:
        """End the transport at once; `reset` sends a TCP RST."""


class Candidate(Carrier, Protocol):
    """A WebSocket that wants to take over a polling session."""

    def become(self, handler: "Connection") -> None:
        """Hand messages to a connection from now on (after an upgrade)."""


class Connection:
    """A session from handshake to end; a hub subscriber once it has joined."""

    __slots__ = (
        "_backlog",
        "_candidate",
        "_connect_timer",
        "_engine",
        "_heartbeat_timer",
        "_session",
        "_stall_timer",
        "address",
        "carrier",
        "channels",
        "client",
        "form",
        "id",
        "joined_at",
        "platform",
        "sid",
        "transport",
        "user",
    )

    def __init__(self, platform: "Platform", sid: str, address: str) -> None:
        self.platform = platform
        self.sid = sid
        """of Engine.IO; whoever knows it can fetch what a polling client is sent, so it is shown nowhere"""
        self.id = ""
        """of Socket.IO: what the client knows as `socket.id`, once joined"""
        self.address = address
        self.carrier: Carrier | None = None
        self.channels: dict[str, None] = {}
        self.user: User | None = None
        self.client: str | None = None
        self.form = "full"
        self.transport = ""
        """websocket or polling, also after the end"""
        self.joined_at: float | None = None
        """unix seconds; None until the namespace is joined"""
        self._engine = engineio.ServerSession(sid)
        self._session = socketio.ServerSession()
        self._backlog = Backlog()
        self._candidate: Candidate | None = None
        """the WebSocket that wants to take over"""
        self._stall_timer: asyncio.TimerHandle | None = None
        loop, options = platform.loop, platform.options
        self._connect_timer: asyncio.TimerHandle | None = loop.call_later(
            options.connect_timeout, self.end, "no namespace joined in time"
        )
        self._heartbeat_timer = loop.call_later(options.ping_interval, self._ping)

    # What comes from the client

    def begin(self, carrier: Carrier) -> None:
        """Send the OPEN packet over the first carrier."""
        self.carrier, self.transport = carrier, carrier.name
        options = self.platform.options
        handshake = engineio.Handshake(
            sid=self.sid,
            upgrades=["websocket"] if carrier.direct is None else [],
            ping_interval=_milliseconds(options.ping_interval),
            ping_timeout=_milliseconds(options.ping_timeout),
            max_payload=options.max_payload,
        )
        carrier.send("0" + msgspec.json.encode(handshake).decode())

    def receive(self, frame: engineio.Frame) -> None:
        """Take a WebSocket message; one that breaks the protocol ends the session."""
        if self.carrier is not None:
            try:
                self.receive_packet(engineio.decode(frame))
            except WireError as error:
                self.end(f"malformed packet: {error}", code=1002)

    def receive_packet(self, packet: engineio.Packet) -> None:
        """Take a packet from the session's carrier. Raises WireError for one that breaks the protocol."""
        match self._engine.receive(packet):
            case engineio.Message(data):
                self._receive_message(data)
            case engineio.Ponged():
                self._restart_heartbeat(self.platform.options.ping_interval, self._ping)
            case engineio.Closed():
                self._client_left()

    def consider(self, candidate: Candidate) -> None:
        """A WebSocket wants to take over."""
        self._candidate = candidate

    def receive_on_candidate(self, packet: engineio.Packet, candidate: Candidate) -> bool:
        """Take a packet from a WebSocket that wants to take over; answers whether it has. Raises WireError."""
        if candidate is not self._candidate:
            raise WireError("the session is over")
        match self._engine.receive_on_candidate(packet):
            case engineio.Probed(answer):
                candidate.send(engineio.encode(answer))
                if isinstance(self.carrier, PollingCarrier):
                    self.carrier.wake()  # the client waits for its pending poll before it goes on
                return False
            case engineio.Upgraded():
                self._take_over(candidate)
                return True

    def candidate_lost(self, candidate: Candidate) -> None:
        """The WebSocket that wanted to take over went away; polling goes on."""
        if candidate is self._candidate:
            self._candidate = None
            self._engine.probed = False

    @property
    def upgradable(self) -> bool:
        """Whether a WebSocket may ask to take over: polling, and no other one asks."""
        return isinstance(self.carrier, PollingCarrier) and self._candidate is None

    @property
    def upgrading(self) -> bool:
        """Whether the client is between probe and upgrade; its polls are then answered at once."""
        return self._engine.probed

    def _take_over(self, candidate: Candidate) -> None:
        old, self.carrier, self._candidate = self.carrier, candidate, None
        self.transport = candidate.name
        candidate.become(self)  # before anything is sent: what is sent may fill its buffer, and we must know
        self._stop_stalling()
        if isinstance(old, PollingCarrier):
            for packet in old.retire():
                candidate.send(packet)
        if self._stall_timer is None:
            self._backlog.pay(self.platform.hub, self, Closing.SLOW)
        self.platform.hub.move(self, self.channels)

    def _receive_message(self, data: str | bytes) -> None:
        match self._session.receive(data):
            case socketio.ConnectRequested(namespace, auth):
                self._join(namespace, auth)
            case socketio.EventReceived(namespace, name, args, id):
                answer = self.platform.requests.handle(self, name, args, acknowledged=id is not None)
                if id is not None:
                    self._send_messages(self._session.ack(namespace, id, [answer]))
            case socketio.Left():
                self.end("client left")

    def _join(self, namespace: str, auth: dict[str, Any]) -> None:
        if namespace != "/":
            self._send_messages(self._session.refuse(namespace, "Invalid namespace"))
            return
        token = auth.get("token")
        try:
            self.user = None if token is None else verify(token, self.platform.options.jwt_secret)
        except BadToken as error:
            self._send_messages(self._session.refuse(namespace, "Authentication error"))
            self.platform.refused(self, str(error))
            return
        form = auth.get("format")
        self.form = form if isinstance(form, str) and form in FORMS else "full"
        self.client = auth["client"] if isinstance(auth.get("client"), str) else None
        self.joined_at = self.platform.clock.now()
        if self._connect_timer is not None:
            self._connect_timer.cancel()
            self._connect_timer = None
        self.id = self.platform.new_sid()
        self._send_messages(self._session.accept(namespace, self.id))
        self.platform.joined(self)

    # What goes to the client

    @property
    def direct(self) -> Writable | None:
        """The transport for ready frames, unless messages are owed: they come first."""
        if self.carrier is None or self._stall_timer is not None:
            return None
        return self.carrier.direct

    def offer(self, message: Message) -> None:
        """Send a channel's message, or owe it while the reader is behind."""
        if self.carrier is None:
            return
        if self._stall_timer is None and self.carrier.waiting <= WRITE_LIMIT:
            message.channel.delivered += 1
            self.carrier.send(message.text(self.form))
        else:
            self._backlog.add(message)
            self.fell_behind()

    def owes(self, channel: Channel) -> bool:
        """Whether messages of a channel are held back."""
        return self._backlog.owes(channel)

    def send_event(self, name: str, payload: Payload) -> None:
        """Send an event to this client only."""
        self._send_messages([socketio.encode_event(name, payload)])

    def _send_messages(self, messages: list[socketio.Frame]) -> None:
        if self.carrier is None:
            return
        for message in messages:
            self.carrier.send(message if isinstance(message, bytes) else "4" + message)
        if self.carrier.waiting > CLOSE_LIMIT:
            self.dismiss(Closing.SLOW, retry=True)

    def fell_behind(self) -> None:
        """The reader does not keep up: from now on it is owed the newest of each channel."""
        if self._stall_timer is None and self.carrier is not None:
            self._stall_timer = self.platform.loop.call_later(STALL_LIMIT, self._stalled)
            self.platform.hub.move(self, self.channels)

    def caught_up(self) -> None:
        """The reader took what was waiting: pay what it is owed."""
        if self._stall_timer is not None and self.carrier is not None:
            self._stop_stalling()
            self._backlog.pay(self.platform.hub, self, Closing.SLOW)
            self.platform.hub.move(self, self.channels)

    def _stop_stalling(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _stalled(self) -> None:
        self.dismiss(Closing.SLOW, retry=True)

    # Channels

    def subscribe(self, channel: str) -> None:
        """Join a channel; its current state is pushed at once."""
        if self.carrier is None:
            return  # a snapshot of the same request was too much for this reader
        self.channels[channel] = None
        self.platform.hub.join(self, channel)

    def unsubscribe(self, channel: str) -> None:
        """Leave a channel."""
        if self.channels.pop(channel, self) is None:
            self.platform.hub.leave(self, channel)
            self._backlog.forget(self.platform.hub.channels[channel])

    # Heartbeat

    def _restart_heartbeat(self, delay: float, then: Any) -> None:
        self._heartbeat_timer.cancel()
        self._heartbeat_timer = self.platform.loop.call_later(delay, then)

    def _ping(self) -> None:
        if self.carrier is not None:
            self.carrier.send("2")
            self._restart_heartbeat(self.platform.options.ping_timeout, self._unanswered)

    def _unanswered(self) -> None:
        self.end("ping timeout")

    # The end

    def dismiss(self, reason: Closing, *, retry: bool, retry_after: float | None = None) -> None:
        """Tell the client why, then disconnect it; `retry_after` in seconds.

        After `retry: false` comes DISCONNECT and close 1000, which clients take as "io server disconnect" and do
        not come back from by themselves; after `retry: true` close 1012 alone, from which they do.
        """
        if self.carrier is None:
            return
        notice: Payload = {"reason": reason, "retry": retry}
        if retry_after is not None:
            notice["retryAfterMs"] = _milliseconds(retry_after)
        packets = ["4" + socketio.encode_event("connection:closing", notice)] if self.joined_at else []
        if not retry:
            packets += [f"4{frame!s}" for frame in self._session.leave("/")]
        for packet in packets:
            self.carrier.send(packet)
        self.end(reason, code=1012 if retry else 1000)

    def end(self, reason: str, *, code: int = 1000) -> None:
        """Disconnect without a notice."""
        carrier = self.carrier
        self.lost(reason)
        if carrier is not None:
            carrier.close(code)
        if isinstance(carrier, PollingCarrier):
            self.platform.see_off(self.sid, carrier)

    def _client_left(self) -> None:
        """The client closed the session: a pending poll is answered with a NOOP, a WebSocket closed."""
        carrier = self.carrier
        self.lost("client left")
        if isinstance(carrier, PollingCarrier):
            carrier.abort()
        elif carrier is not None:
            carrier.close(1000)

    def cut(self) -> None:
        """Reset the TCP connection, as a network failure would."""
        carriers = (self.carrier, self._candidate)
        self._candidate = None  # no close frame for it
        self.lost("cut")
        for carrier in carriers:
            if carrier is not None:
                carrier.abort(reset=True)

    def lost(self, reason: str) -> None:
        """Let go of everything; the carrier is gone or about to be. Safe to call twice."""
        if self.carrier is None:
            return
        self.carrier = None
        if self._candidate is not None:
            self._candidate.close(1000)
            self._candidate = None
        for timer in (self._connect_timer, self._heartbeat_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        for channel in self.channels:
            self.platform.hub.leave(self, channel)
        self.channels.clear()
        self.platform.left(self, reason)


def _milliseconds(seconds: float) -> float:
    milliseconds = round(seconds * 1000, 3)
    return int(milliseconds) if milliseconds.is_integer() else milliseconds

"""One Engine.IO session: carrier (WebSocket or polling) <-> wire session <-> the application above it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from wsctl.errors import WireError
from wsctl.server.hub import Writable
from wsctl.server.polling import PollingCarrier
from wsctl.wire import engineio

if TYPE_CHECKING:
    from wsctl.server.endpoint import Endpoint


class Carrier(Protocol):
    """What brings Engine.IO packets to the client."""

    name: str

    @property
    def window_bits(self) -> int | None:
        """Of permessage-deflate; None where nothing is compressed."""

    @property
    def direct(self) -> Writable | None:
        """The transport for ready frames; None for polling."""

    @property
    def waiting(self) -> int:
        """Bytes not yet taken by the socket or fetched by a poll."""

    def send(self, packet: engineio.Frame) -> None:
        """Send one encoded Engine.IO packet."""

    def close(self, code: int, *, patience: float = 0.0) -> None:
        """End the transport in good order: WebSocket close code; polling ends with a CLOSE packet."""

    def abort(self, *, reset: bool = False) -> None:
        """End the transport at once; `reset` sends a TCP RST."""


class Candidate(Carrier, Protocol):
    """A WebSocket that wants to take over a polling session."""

    def become(self, handler: "Connection") -> None:
        """Hand messages to a connection from now on (after an upgrade)."""


class Handler(Protocol):
    """Who gets the messages of an accepted WebSocket."""

    def begin(self, carrier: Candidate) -> None:
        """The WebSocket is open."""

    def receive(self, frame: engineio.Frame) -> None:
        """Take one message."""

    def lost(self, reason: str) -> None:
        """The WebSocket is gone."""

    def fell_behind(self) -> None:
        """More than `limits.WRITE_LIMIT` bytes wait for the reader."""

    def caught_up(self) -> None:
        """The reader took them."""


class Application(Protocol):
    """What speaks above one Engine.IO session."""

    def begin(self) -> None:
        """The session is open."""

    def receive(self, message: str | bytes) -> None:
        """Take a message. Raises WireError for one that breaks the application's protocol: that ends the session."""

    def carrier_changing(self) -> None:
        """An upgrade brought another carrier; what was not fetched is about to be written to it."""

    def carrier_changed(self) -> None:
        """What was not fetched has been written to the new carrier."""

    def fell_behind(self) -> None:
        """More than `limits.WRITE_LIMIT` bytes wait for the reader."""

    def caught_up(self) -> None:
        """The reader took them."""

    def ended(self, reason: str) -> None:
        """The session is over."""


class Connection:
    """An Engine.IO session from its first request to its end, across an upgrade."""

    __slots__ = (
        "_candidate",
        "_engine",
        "_heartbeat_timer",
        "address",
        "application",
        "carrier",
        "platform",
        "sid",
        "transport",
    )

    def __init__(self, platform: "Endpoint", sid: str, address: str) -> None:
        self.platform = platform
        self.sid = sid
        """whoever knows it can fetch what a polling client is sent, so it is shown nowhere"""
        self.address = address
        self.application: Application
        """from before the beginning to the end"""
        self.carrier: Carrier | None = None
        """None before the beginning and after the end"""
        self.transport = ""
        """websocket or polling, also after the end"""
        self._engine = engineio.ServerSession(sid)
        self._candidate: Candidate | None = None
        """the WebSocket that wants to take over"""
        self._heartbeat_timer = platform.loop.call_later(platform.options.ping_interval, self._ping)

    # What comes from the client

    def begin(self, carrier: Carrier) -> None:
        """Send the OPEN packet over the first carrier."""
        self.carrier, self.transport = carrier, carrier.name
        options = self.platform.options
        handshake = engineio.Handshake(
            sid=self.sid,
            upgrades=["websocket"] if carrier.direct is None and "websocket" in options.transports else [],
            ping_interval=milliseconds(options.ping_interval),
            ping_timeout=milliseconds(options.ping_timeout),
            max_payload=options.max_payload,
        )
        carrier.send("0" + msgspec.json.encode(handshake).decode())
        self.application.begin()

    def receive(self, frame: engineio.Frame) -> None:
        """Take a WebSocket message; one that breaks the protocol ends the session."""
        if self.carrier is not None:
            try:
                self.receive_packet(engineio.decode(frame))
            except WireError as error:
                self.malformed(error)

    def receive_packet(self, packet: engineio.Packet) -> None:
        """Take a packet from the session's carrier. Raises WireError for one that breaks the protocol."""
        match self._engine.receive(packet):
            case engineio.Message(data):
                self.application.receive(data)
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
        self.application.carrier_changing()
        if isinstance(old, PollingCarrier):
            for packet in old.retire():
                candidate.send(packet)
        self.application.carrier_changed()

    # What goes to the client

    @property
    def direct(self) -> Writable | None:
        """The transport for ready frames; None while there is none."""
        return None if self.carrier is None else self.carrier.direct

    @property
    def window_bits(self) -> int | None:
        """Of the compression that was agreed; None for none."""
        return None if self.carrier is None else self.carrier.window_bits

    @property
    def waiting(self) -> int:
        """Bytes the client has not taken yet."""
        return 0 if self.carrier is None else self.carrier.waiting

    def send(self, messages: Iterable[str | bytes]) -> None:
        """Send messages of the application."""
        for message in messages:
            if self.carrier is not None:
                self.carrier.send(message if isinstance(message, bytes) else "4" + message)

    def send_packet(self, packet: engineio.Frame) -> None:
        """Send a packet that is encoded already."""
        if self.carrier is not None:
            self.carrier.send(packet)

    def fell_behind(self) -> None:
        """The carrier's buffer is full."""
        if self.carrier is not None:
            self.application.fell_behind()

    def caught_up(self) -> None:
        """The carrier's buffer drained."""
        if self.carrier is not None:
            self.application.caught_up()

    # Heartbeat

    def _restart_heartbeat(self, delay: float, then: Any) -> None:
        self._heartbeat_timer.cancel()
        self._heartbeat_timer = self.platform.loop.call_later(delay, then)

    def _ping(self) -> None:
        if self.carrier is not None:
            self.carrier.send("2")
            self._restart_heartbeat(self.platform.options.ping_timeout, self._unanswered)

    def _unanswered(self) -> None:
        self.end("ping timeout", farewell=False)

    # The end

    def end(self, reason: str, *, code: int = 1000, farewell: bool = True, patience: float = 0.0) -> None:
        """Disconnect without a notice.

        Over polling CLOSE comes with the pending poll; where none is pending, with the next one if there is a
        `farewell`, else the session is unknown from now on. A WebSocket is closed after `patience` seconds, unless
        the client does so first.
        """
        carrier = self.carrier
        self.lost(reason)
        if carrier is not None:
            carrier.close(code, patience=patience)
        if isinstance(carrier, PollingCarrier) and (farewell or carrier.polled):
            self.platform.see_off(self.sid, carrier)

    def malformed(self, error: Exception) -> None:
        """The client broke the protocol: disconnect it."""
        self.platform.counters.malformed += 1
        self.end(f"malformed packet: {error}", code=1002, farewell=False)

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
        self._heartbeat_timer.cancel()
        del self.platform.connections[self.sid]
        application = self.application
        del self.application  # it knows us: a ring would wait for the garbage collector, which seldom comes
        application.ended(reason)


def milliseconds(seconds: float) -> float:
    """Milliseconds as the protocols have them: whole ones without a fraction."""
    value = round(seconds * 1000, 3)
    return int(value) if value.is_integer() else value

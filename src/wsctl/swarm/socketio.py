"""A client's conversation over Socket.IO."""

from collections.abc import Sequence
from time import time
from typing import Any

from picows import WSMsgType

from wsctl.checks.lane import Lane
from wsctl.client.subscription import Subscription
from wsctl.errors import WireError
from wsctl.model.event import CLOSING
from wsctl.model.observation import Kind
from wsctl.swarm.connection import PROTOCOL_ERROR, Connection, Frame, Malformed, Owner, nothing
from wsctl.swarm.tally import Tally
from wsctl.wire import engineio, socketio

_TEXT = WSMsgType.TEXT


class SocketIOConnection(Connection):
    """In once the namespace lets us in."""

    __slots__ = ("_auth", "_engine", "_namespace", "_records", "_session")

    def __init__(
        self,
        owner: Owner,
        conn: str,
        tally: Tally,
        *,
        namespace: str,
        auth: dict[str, Any],
        former: dict[str, Lane],
        slow: bool,
    ) -> None:
        super().__init__(owner, conn, tally, former=former, slow=slow)
        self._namespace = namespace
        self._auth = auth
        self._engine = engineio.ClientSession()
        self._session = socketio.ClientSession()
        self._records = tally.records

    def ask(self, subscription: Subscription, id: int) -> None:
        """Send the event that asks."""
        self.event(subscription.event, subscription.sent, id)

    def give_up(self, subscription: Subscription, id: int) -> None:
        """Send the event that says so."""
        self.ask(subscription, id)

    def event(self, name: str, args: Sequence[Any], id: int) -> None:
        """Send an event that asks to be acknowledged."""
        self._send(self._session.event(self._namespace, name, args, id))

    def _take_leave(self) -> None:
        if self._is_in:
            self._send(self._session.leave(self._namespace))

    def _receive(self, message: Frame) -> None:
        try:
            self._receive_frame(message)
        except WireError as error:
            raise Malformed(PROTOCOL_ERROR, f"it sent a packet that is not Socket.IO: {error}") from error

    def _receive_frame(self, message: Frame) -> None:
        assert self.transport is not None
        match self._engine.receive(engineio.decode(message)):
            case engineio.Opened(handshake):
                self.silence = (handshake.ping_interval + handshake.ping_timeout) / 1000
                self._send(self._session.connect(self._namespace, self._auth))
            case engineio.Pinged(answer):
                self.transport.send(_TEXT, engineio.encode(answer))
            case engineio.Message(data):
                self._receive_packet(message, data)
            case engineio.Closed():
                self._close(1000)
                self._end("closed by the server")

    def _receive_packet(self, message: Frame, data: Frame) -> None:
        received = self._session.receive(data)
        # between a packet and its attachments a frame known from elsewhere must not slip in
        self._known = self._records.known.get if received is not None and self._is_in else nothing.get
        match received:
            case socketio.Joined():
                self._owner.joined()
            case socketio.Refused(_, answer):
                self._close(1000)
                self._finish()
                self._owner.refused(answer)
            case socketio.EventReceived(_, name, args, id):
                self._receive_event(message, name, args, id)
            case socketio.AckReceived(_, id, args):
                self._owner.acknowledged(id, args)
            case socketio.Left():
                self._close(1000)
                self._end("disconnected by the server")

    @property
    def _is_in(self) -> bool:
        return self._namespace in self._session.joined

    def _receive_event(self, message: Frame, name: str, args: list[Any], id: int | None) -> None:
        now = time()
        frame = message.encode() if isinstance(message, str) else message
        record = self._records.read(self.conn, name, args, now, len(frame))
        if id is not None:
            self._send(self._session.ack(self._namespace, id, []))
        elif isinstance(message, str) and record.kind in (Kind.UPDATE, Kind.HEARTBEAT) and not record.control:
            self._records.keep(frame, record)
        if name == CLOSING:
            self._owner.notified(args)
        self._hear(record, now)

    def _send(self, messages: Sequence[socketio.Frame]) -> None:
        assert self.transport is not None
        for message in messages:
            if isinstance(message, str):
                self.transport.send(_TEXT, b"4" + message.encode())
            else:
                self.transport.send(WSMsgType.BINARY, message)

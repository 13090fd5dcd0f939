"""One WebSocket connection of a client: bytes in, records and answers out. No task, no timer of its own.

picows parses frames and leaves the rest to us: fragments, stray continuations, reserved bits, UTF-8, close codes.
"""

from collections.abc import Callable, Sequence
from socket import SO_RCVBUF, SOL_SOCKET
from time import time
from typing import Any, Protocol

from picows import WSFrame, WSListener, WSMsgType, WSTransport

from wsctl.checks.lane import Lane
from wsctl.errors import WireError
from wsctl.model.event import CLOSING
from wsctl.model.observation import Kind
from wsctl.swarm.records import Record
from wsctl.swarm.tally import Tally
from wsctl.wire import engineio, socketio

SMALL_BUFFER = 64 * 1024
"""bytes that the system takes in for a client that does not read; with less it would take seconds to read on"""
MAX_MESSAGE = 16 * 1024 * 1024
"""bytes of one message, fragments together; a larger one ends the connection with 1009"""

PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1002, 1007, 1009
_TEXT = WSMsgType.TEXT

_nothing: dict[bytes, Record] = {}


class _Malformed(Exception):
    """What a server must never send; `code` closes the connection."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Owner(Protocol):
    """Whom a connection tells what happens to it."""

    def joined(self) -> None:
        """The namespace let us in."""

    def refused(self, answer: Any) -> None:
        """The namespace did not. Nothing more comes."""

    def acknowledged(self, id: int, args: Sequence[Any]) -> None:
        """An event of ours was answered."""

    def notified(self, args: Sequence[Any]) -> None:
        """The server is about to close this connection."""

    def ended(self, reason: str, *, malformed: bool) -> None:
        """The connection is over, and not by our doing. Nothing more comes."""

    def broken(self, error: Exception) -> None:
        """An error of our own, which picows would take for a reason to close the connection."""


class Connection(WSListener):
    """Made for one use: `ws_connect(lambda request, response: connection, …)`."""

    __slots__ = (
        "_auth",
        "_engine",
        "_known",
        "_lanes",
        "_namespace",
        "_owner",
        "_parts",
        "_session",
        "_tally",
        "_text",
        "alive_at",
        "client",
        "conn",
        "former",
        "frames",
        "heard_at",
        "lanes",
        "over",
        "pulse",
        "silence",
        "slow",
        "transport",
    )

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
        self.conn = conn
        """`c17`, `c17.2`: as Observations name connections"""
        self.client = conn.partition(".")[0]
        self.transport: WSTransport | None = None
        self.over = False
        self.heard_at = 0.0
        """unix seconds of the latest message; 0: none yet"""
        self.frames = 0
        """frames that took the longer path"""
        self.silence: float | None = None
        """seconds without anything after which the server is gone (Engine.IO's heartbeat); None: not known yet"""
        self.pulse = 0.0
        self.alive_at = 0.0
        """for who looks whether anything came: what it saw last, and when that changed"""
        self.lanes: dict[str, Lane] = {}
        """channels on which something numbered came"""
        self.former = former
        """the same of the client's connection before this one"""
        self.slow = slow
        """we are to blame for its latencies"""
        self._owner = owner
        self._tally = tally
        self._namespace = namespace
        self._auth = auth
        self._known = _nothing.get
        """finds the record of a frame; knows nothing while frames may mean something else"""
        self._lanes: dict[str, Lane] = {}
        """those of them whose next message may take the common path"""
        self._engine = engineio.ClientSession()
        self._session = socketio.ClientSession()
        self._parts: bytearray | None = None
        """of a fragmented message"""
        self._text = True
        """whether that message is text"""

    # What picows calls

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade is done."""
        self.transport = transport
        if self.over:
            transport.disconnect(False)
        elif self.slow:  # what is not read is to pile up at the server, not here
            transport.underlying_transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_RCVBUF, SMALL_BUFFER)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """The hot path. Bytes known already were a text message on this namespace before, so they are one again."""
        payload = frame.get_payload_as_bytes()
        record = self._known(payload)
        if record is None or not frame.fin:
            self._guard(self._take, frame, payload)
            return
        now = time()
        lane = self._lanes.get(record.channel)
        # the common path of OrderingCheck.add, what concerns the message alone decided already
        if (
            lane is not None
            and lane.calm
            and lane.last == record.before
            and lane.epoch == record.epoch
            and lane.event == record.event
        ):
            lane.last = record.seq  # type: ignore[assignment]  # not None where `before` is not
            lane.remember(record.seen)
            lane.report.messages += 1
            record.arrived(now)
            self.heard_at = now
        else:
            self._guard(self._hear, record, now)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The socket is closed. A close frame sent that was not ours is picows objecting to what came."""
        handshake = transport.close_handshake
        if handshake is not None and handshake.sent is not None:
            self._guard(self._end, f"it sent a frame that is not WebSocket: {handshake.sent.reason}", True)
        else:
            self._guard(self._end, "connection lost")

    def _guard(self, do: Callable[..., None], *args: Any) -> None:
        try:
            do(*args)
        except Exception as error:
            self._owner.broken(error)

    # What the owner calls

    def event(self, name: str, args: Sequence[Any], id: int) -> None:
        """Send an event that asks to be acknowledged."""
        self._send(self._session.event(self._namespace, name, args, id))

    def drop(self) -> None:
        """Give up, at once. The owner is not told."""
        self._finish()
        if self.transport is not None:
            self.transport.disconnect(False)

    def leave(self) -> None:
        """Say good-bye and close. The owner is not told."""
        if not self.over and self._is_in:
            self._send(self._session.leave(self._namespace))
        self._close(1000)
        self._finish()

    def pause(self) -> None:
        """Read no longer."""
        if self.transport is not None and not self.over:
            self.transport.underlying_transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self.transport is not None and not self.over:
            self.transport.underlying_transport.resume_reading()

    # From frames to packets

    def _take(self, frame: WSFrame, payload: bytes) -> None:
        if self.over:
            return
        try:
            message = self._assemble(frame, payload)
            if message is not None:
                self._receive(message)
        except _Malformed as error:
            self._object(error.code, str(error))
        except WireError as error:
            self._object(PROTOCOL_ERROR, f"it sent a packet that is not Socket.IO: {error}")

    def _assemble(self, frame: WSFrame, payload: bytes) -> engineio.Frame | None:
        """The message that a frame completes, if it does."""
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            raise _Malformed(PROTOCOL_ERROR, "it sent a frame with reserved bits set")
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            self._closed(payload)
            return None
        if kind == WSMsgType.PONG:
            return None
        if kind == WSMsgType.CONTINUATION:
            if self._parts is None:
                raise _Malformed(PROTOCOL_ERROR, "it sent the continuation of nothing")
            self._parts += payload
            if len(self._parts) > MAX_MESSAGE:
                raise _Malformed(TOO_BIG, f"it sent a message of more than {MAX_MESSAGE} bytes")
        elif self._parts is not None:
            raise _Malformed(PROTOCOL_ERROR, "it began a message inside another one")
        else:
            self._parts = bytearray(payload)
            self._text = kind == WSMsgType.TEXT
        if not frame.fin:
            self._known = _nothing.get
            return None
        whole, self._parts = bytes(self._parts), None
        if not self._text:
            return whole
        try:
            return whole.decode()
        except UnicodeDecodeError as error:
            raise _Malformed(NOT_UTF8, "it sent text that is not UTF-8") from error

    def _closed(self, payload: bytes) -> None:
        code = int.from_bytes(payload[:2]) if len(payload) >= 2 else None
        self._close(1000 if code is None else code)
        self._end("connection lost" if code is None else f"closed by the server with code {code}")

    def _receive(self, message: engineio.Frame) -> None:
        assert self.transport is not None
        self.frames += 1
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

    def _receive_packet(self, message: engineio.Frame, data: engineio.Frame) -> None:
        received = self._session.receive(data)
        # between a packet and its attachments a frame known from elsewhere must not slip in
        self._known = self._tally.records.known.get if received is not None and self._is_in else _nothing.get
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

    def _receive_event(self, message: engineio.Frame, name: str, args: list[Any], id: int | None) -> None:
        now = time()
        frame = message.encode() if isinstance(message, str) else message
        records = self._tally.records
        record = records.read(self.conn, name, args, now, len(frame))
        if id is not None:
            self._send(self._session.ack(self._namespace, id, []))
        elif isinstance(message, str) and record.kind in (Kind.UPDATE, Kind.HEARTBEAT) and not record.control:
            records.keep(frame, record)
        if name == CLOSING:
            self._owner.notified(args)
        self._hear(record, now)

    def _hear(self, record: Record, now: float) -> None:
        """A message that is new to us all, out of place, or the first on its channel."""
        self.frames += 1
        if record.counts:
            self.heard_at = now
            self._tally.count(record, now, timely=not self.slow)
        channel = record.channel
        lane = self.lanes.get(channel) or self.former.get(channel)
        before = None if lane is None else (lane.epoch, lane.last)
        lane = self._tally.judge(self.conn, record, now)
        if lane is None or not record.counts:
            return
        moved = before is None or before[0] != lane.epoch or before[1] < lane.last
        if moved or record.kind is Kind.SNAPSHOT:
            self._tally.reconnection.heard(self.client, channel, now, True)
        if record.seq is not None:
            self._place(record, record.seq, lane, before, moved, now)

    def _place(
        self, record: Record, seq: int, lane: Lane, before: tuple[str | None, int] | None, moved: bool, now: float
    ) -> None:
        """What a numbered message says about who is reached by what, and how the next one may come."""
        channel, fanout = record.channel, self._tally.fanout
        if not self.slow:
            if channel not in self.lanes:
                fanout.joined(channel, lane.epoch, seq if record.kind is Kind.SNAPSHOT else seq - 1)
            elif before is not None and before[0] != lane.epoch:
                fanout.left(channel, *before)
                fanout.joined(channel, lane.epoch, seq - 1)
            if moved and record.is_update and lane.last == seq:
                record.spread = fanout.received(channel, lane.epoch, seq, now)
        self.lanes[channel] = lane
        # not before reconnection was told of something fresh, and never where latencies are not to be measured
        if not self.slow and (moved or record.kind is Kind.SNAPSHOT):
            self._lanes[channel] = lane

    def _send(self, messages: Sequence[socketio.Frame]) -> None:
        assert self.transport is not None
        for message in messages:
            if isinstance(message, str):
                self.transport.send(_TEXT, b"4" + message.encode())
            else:
                self.transport.send(WSMsgType.BINARY, message)

    # Ends

    def _object(self, code: int, reason: str) -> None:
        self._close(code)
        self._end(reason, True)

    def _close(self, code: int) -> None:
        """Say why, and close the socket."""
        if self.transport is not None:
            if not self.transport.is_close_frame_sent:
                self.transport.send_close(code)  # type: ignore[arg-type]  # a plain number will do
            self.transport.disconnect()

    def _end(self, reason: str, malformed: bool = False) -> None:
        if not self.over:
            self._finish()
            self._owner.ended(reason, malformed=malformed)

    def _finish(self) -> None:
        """Hear nothing more."""
        if not self.over:
            self.over = True
            self._known = _nothing.get
            if not self.slow:
                for name, lane in self.lanes.items():
                    self._tally.fanout.left(name, lane.epoch, lane.last)

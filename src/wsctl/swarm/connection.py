"""What every WebSocket connection of a client does: bytes in, records out. No task, no timer of its own.

The conversation above it is a subclass's: `socketio`, `raw`. picows parses frames and leaves the rest to us:
fragments, stray continuations, reserved bits, UTF-8, close codes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from socket import SO_RCVBUF, SOL_SOCKET
from time import time
from typing import Any, Protocol

from picows import WSFrame, WSListener, WSMsgType, WSTransport

from wsctl.checks.crossing import Crossing
from wsctl.checks.freshness import Had
from wsctl.checks.lane import Lane
from wsctl.client.subscription import Subscription
from wsctl.model.observation import Kind
from wsctl.swarm.records import Record
from wsctl.swarm.tally import Tally

Frame = str | bytes
"""One WebSocket message, text or bytes."""

SMALL_BUFFER = 64 * 1024
"""bytes that the system takes in for a client that does not read; with less it would take seconds to read on"""
MAX_MESSAGE = 16 * 1024 * 1024
"""bytes of one message, fragments together; a larger one ends the connection with 1009"""

PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1002, 1007, 1009
CLOSE_CODES = frozenset((*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)))
"""that may stand in a close frame (RFC 6455, section 7.4, and its registry)"""

nothing: dict[bytes, Record] = {}
"""the frames that are known where none may be"""


class Malformed(Exception):
    """What a server must never send; `code` closes the connection."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Owner(Protocol):
    """Whom a connection tells what happens to it."""

    def joined(self) -> None:
        """We are in, and may ask for data."""

    def refused(self, answer: Any) -> None:
        """We are not let in. Nothing more comes."""

    def acknowledged(self, id: int, args: Sequence[Any]) -> None:
        """What we asked for with an id was answered."""

    def notified(self, args: Sequence[Any]) -> None:
        """The server is about to close this connection."""

    def ended(self, reason: str, *, malformed: bool) -> None:
        """The connection is over, and not by our doing. Nothing more comes."""

    def broken(self, error: Exception) -> None:
        """An error of our own, which picows would take for a reason to close the connection."""


class Connection(WSListener, ABC):
    """Made for one use: `ws_connect(lambda request, response: connection, …)`."""

    __slots__ = (
        "_audience",
        "_crossing",
        "_known",
        "_lanes",
        "_left",
        "_owner",
        "_parts",
        "_tally",
        "_text",
        "alive_at",
        "began_at",
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

    def __init__(self, owner: Owner, conn: str, tally: Tally, *, former: dict[str, Lane], slow: bool) -> None:
        self.conn = conn
        """`c17`, `c17.2`: as Observations name connections"""
        self.client = conn.partition(".")[0]
        self.transport: WSTransport | None = None
        self.over = False
        self.began_at = 0.0
        """unix seconds: when its WebSocket was up"""
        self.heard_at = 0.0
        """unix seconds of the latest message; 0: none yet"""
        self.frames = 0
        """frames that took the longer path"""
        self.silence: float | None = None
        """seconds without anything after which the server is gone; None: nothing says how long it may be silent"""
        self.pulse = 0.0
        self.alive_at = 0.0
        """for who looks whether anything came: what it saw last, and when that changed"""
        self.lanes: dict[str, Lane] = {}
        """channels on which something came"""
        self.former = former
        """the same of the client's connections before this one"""
        self.slow = slow
        """we are to blame for its latencies"""
        self._owner = owner
        self._tally = tally
        self._known = nothing.get
        """finds the record of a frame; knows nothing while frames may mean something else"""
        self._lanes: dict[str, Lane] = {}
        """those of them whose next message may take the common path"""
        self._crossing: dict[str, Crossing] = {}
        """channels that brought nothing yet which was sent to this connection, and not to the one before"""
        self._audience: set[str] = set()
        """channels on which the messages that are to reach us can be counted"""
        self._left: set[str] = set()
        """channels given up: what was on its way is nobody's"""
        self._parts: bytearray | None = None
        """of a fragmented message"""
        self._text = True
        """whether that message is text"""

    @property
    def port(self) -> int | None:
        """Of its own socket; None once that is gone."""
        name = None if self.transport is None else self.transport.underlying_transport.get_extra_info("sockname")
        return None if name is None else int(name[1])

    # What picows calls

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade is done."""
        self.transport = transport
        self.began_at = time()
        if self.over:
            transport.disconnect(False)
            return
        if self.slow:  # what is not read is to pile up at the server, not here
            transport.underlying_transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_RCVBUF, SMALL_BUFFER)
        self._guard(self._begin)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """The hot path. Bytes known already were a whole message before, so they are one again."""
        payload = frame.get_payload_as_bytes()
        record = self._known(payload)
        if record is None or not frame.fin:
            self._guard(self._take, frame, payload)
            return
        now = time()
        lane = self._lanes.get(record.channel)
        # what was made of the message where it stood before may be done again (see Lane); counted when it is folded
        if lane is not None and lane.last == record.before and lane.epoch == record.epoch:
            lane.last = record.after
            lane.remember(record.seen)
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
        self.transport = None  # which holds us

    def _guard(self, do: Callable[..., None], *args: Any) -> None:
        try:
            do(*args)
        except Exception as error:
            self._owner.broken(error)

    # What the owner calls

    @abstractmethod
    def ask(self, subscription: Subscription, id: int) -> None:
        """Ask for data; the owner is told that `id` was acknowledged, perhaps before this returns."""

    @abstractmethod
    def give_up(self, subscription: Subscription, id: int) -> None:
        """Say that its names are no longer wanted; the owner is told as for `ask`."""

    def expect(self, channels: Iterable[str]) -> None:
        """Channels are asked for, again perhaps."""
        self._left.difference_update(channels)

    def forget(self, channels: Iterable[str]) -> None:
        """Channels are given up: nothing that comes, or does not come, says anything any more."""
        for name in channels:
            self._left.add(name)
            self._lanes.pop(name, None)
            self._crossing.pop(name, None)
            lane = self.lanes.pop(name, None)
            if lane is None:
                continue
            if name in self._audience:
                self._audience.discard(name)
                self._tally.fanout.left(name, lane.epoch, lane.last)
            self._tally.leave(self.conn, name)

    def look(self, now: float) -> None:
        """See whether anything is due; called a few times a second, with monotonic seconds."""

    def drop(self) -> None:
        """Give up, at once. The owner is not told."""
        self._finish()
        if self.transport is not None:
            self.transport.disconnect(False)

    def leave(self) -> None:
        """Say good-bye and close. The owner is not told."""
        if not self.over:
            self._take_leave()
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

    # What a conversation is made of

    def _begin(self) -> None:
        """The WebSocket is up."""

    @abstractmethod
    def _receive(self, message: Frame) -> None:
        """A whole message came. Raises Malformed for what ends the connection."""

    def _take_leave(self) -> None:
        """Say that we are about to close, where there is a word for it."""

    # From frames to messages

    def _take(self, frame: WSFrame, payload: bytes) -> None:
        if self.over:
            return
        try:
            message = self._assemble(frame, payload)
            if message is not None:
                self.frames += 1
                self._receive(message)
        except Malformed as error:
            self._close(error.code)
            self._end(str(error), True)

    def _assemble(self, frame: WSFrame, payload: bytes) -> Frame | None:
        """The message that a frame completes, if it does."""
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            raise Malformed(PROTOCOL_ERROR, "it sent a frame with reserved bits set")
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            self._closed(payload)
            return None
        if kind == WSMsgType.PONG:
            self.frames += 1
            return None
        if kind == WSMsgType.CONTINUATION:
            if self._parts is None:
                raise Malformed(PROTOCOL_ERROR, "it sent the continuation of nothing")
            self._parts += payload
            if len(self._parts) > MAX_MESSAGE:
                raise Malformed(TOO_BIG, f"it sent a message of more than {MAX_MESSAGE} bytes")
        elif self._parts is not None:
            raise Malformed(PROTOCOL_ERROR, "it began a message inside another one")
        else:
            self._parts = bytearray(payload)
            self._text = kind == WSMsgType.TEXT
        if not frame.fin:
            self._known = nothing.get
            return None
        whole, self._parts = bytes(self._parts), None
        if not self._text:
            return whole
        try:
            return whole.decode()
        except UnicodeDecodeError as error:
            raise Malformed(NOT_UTF8, "it sent text that is not UTF-8") from error

    def _closed(self, payload: bytes) -> None:
        code = int.from_bytes(payload[:2]) if len(payload) >= 2 else None
        if code is not None and code not in CLOSE_CODES:
            raise Malformed(PROTOCOL_ERROR, f"it closed with {code}, which nobody may send")
        self._close(1000 if code is None else code)
        self._end("connection lost" if code is None else f"closed by the server with code {code}")

    # From messages to what they say

    def _hear(self, record: Record, now: float) -> None:
        """A message that is new to us all, out of place, or the first on its channel."""
        self.frames += 1
        if record.counts:
            self.heard_at = now
            self._tally.count(record, now, timely=not self.slow)
        channel = record.channel
        if channel in self._left:
            return
        lane = self.lanes.get(channel)
        if lane is None and (former := self.former.get(channel)) is not None:
            lane = former
            self._crossing[channel] = Crossing(Had.of(former), self.began_at)
        before = None if lane is None else (lane.epoch, lane.last)
        lane = self._tally.judge(self.conn, record, now)
        if lane is None:
            return
        if record.counts:
            self.lanes[channel] = lane
            self._refresh(record, now)
            if record.seq is not None and lane.proves_loss and not self.slow:
                self._follow(record, record.seq, lane, before, now)
        self._settle(channel, lane)

    def _refresh(self, record: Record, now: float) -> None:
        """Tell of what the client did not have before."""
        reconnection, crossing = self._tally.reconnection, self._crossing.get(record.channel)
        if crossing is None:
            reconnection.heard(self.client, record.channel, now, True)
            return
        sent_at = self._tally.sent_by_our_clock(record.seen)
        reconnection.across(self.client, crossing.add(record.seen, sent_at, is_state=record.is_state))
        if crossing.is_fresh:
            reconnection.heard(self.client, record.channel, now, True)
        if crossing.is_over:
            del self._crossing[record.channel]

    def _follow(self, record: Record, seq: int, lane: Lane, before: tuple[str | None, int] | None, now: float) -> None:
        """What a message says about who is reached by what, where numbers show whom one misses."""
        channel, fanout = record.channel, self._tally.fanout
        if channel not in self._audience:
            self._audience.add(channel)
            fanout.joined(channel, lane.epoch, seq if record.kind is Kind.SNAPSHOT else seq - 1)
        elif before is not None and before[0] != lane.epoch:
            fanout.left(channel, *before)
            fanout.joined(channel, lane.epoch, seq - 1)
        moved = before is None or before[0] != lane.epoch or before[1] < lane.last
        if moved and record.is_update and lane.last == seq:
            record.spread = fanout.received(channel, lane.epoch, seq, now)

    def _settle(self, channel: str, lane: Lane) -> None:
        """See how the next message may come: by the common path not before what is sent to us does, and never where
        latencies are not to be measured."""
        if lane.settled and channel in self.lanes and channel not in self._crossing and not self.slow:
            self._lanes[channel] = lane
        else:
            self._lanes.pop(channel, None)

    # Ends

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
            self._known = nothing.get
            for name in self._audience:
                lane = self.lanes[name]
                self._tally.fanout.left(name, lane.epoch, lane.last)

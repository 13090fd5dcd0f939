"""Side: one of the two sockets of a connection: read in turn while HTTP is spoken, then streamed."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from wsctl.chaos.pace import Pace
from wsctl.server.sockets import linger

SMALL_WINDOW = 4096
"""bytes that a side may send ahead while it is read slowly"""
HIGH_WATER = 256 * 1024
"""bytes waiting for one side past which the other is read no further"""
_FULL, _SHUT, _PACED = "full", "shut", "paced"
"""why a side holds itself"""


class Side(asyncio.Protocol):
    """A socket. `other` is not read while this one cannot be written to.

    What comes is taken with `read`, or handed to `stream`'s callback; its end is told by `ended` (nothing more comes:
    FIN, or worse) and `lost` (the socket is gone; `broke`: by a reset or the like), and to `when_ended`.
    """

    def __init__(self, connected: Callable[[], None] = lambda: None) -> None:
        self._connected: Callable[[], None] | None = connected
        self.other: Side | None = None
        self.ended = asyncio.Event()
        self.lost = asyncio.Event()
        self.broke = False
        self.when_ended: Callable[[], None] | None = None
        self._transport: asyncio.Transport | None = None
        self._finished = False
        """whether its FIN is on the way: nothing more is written"""
        self._buffer = b""
        self._came = asyncio.Event()
        self._receive: Callable[[bytes], None] | None = None
        self._paces: dict[object, float] = {}
        """bytes a second that it is read at most, by who wants that"""
        self._pace: Pace | None = None
        self._usual_window = 0
        """bytes that it could send ahead before they were to be few"""
        self._holders: set[object] = set()
        """who does not want it to be read at the moment"""

    @property
    def transport(self) -> asyncio.Transport:
        """Its transport."""
        assert self._transport is not None, "it is connected"
        return self._transport

    # Writing, and leaving

    def write(self, data: bytes) -> None:
        """Write, unless it was left: whoever asks for its end is told by `lost`."""
        if not self._finished and not self.transport.is_closing():
            self.transport.write(data)

    def finish(self) -> None:
        """Write no more, as soon as what was written is out; what comes is still read. TLS knows no such half."""
        if self._finished or self.transport.is_closing():
            return
        if self.is_tls:
            self.leave(reset=False)
            return
        self._finished = True
        try:
            self.transport.write_eof()
        except OSError:  # it was reset meanwhile, after a FIN: nobody reads that any more
            self.transport.abort()

    def leave(self, *, reset: bool) -> None:
        """Close the socket, as soon as what was written is out: by RST or FIN."""
        if not self.lost.is_set():
            if reset:
                linger(self.transport)
            self.transport.close()

    def abort(self, *, reset: bool) -> None:
        """Close the socket at once."""
        if not self.lost.is_set():
            if reset:
                linger(self.transport)
            self.transport.abort()

    @property
    def is_tls(self) -> bool:
        """Whether it knows no end of one direction."""
        return not self.transport.can_write_eof()

    @property
    def waiting(self) -> int:
        """Bytes that it has not taken yet; of a TLS side that was left nobody knows."""
        if self.lost.is_set() or (self.is_tls and self.transport.is_closing()):
            return 0
        return self.transport.get_write_buffer_size()

    # Reading

    @property
    def is_shut(self) -> bool:
        """Whether somebody wants it not to be read at all."""
        return _SHUT in self._holders

    async def read(self) -> bytes:
        """What came; empty at the end."""
        await self._came.wait()
        data, self._buffer = self._buffer, b""
        if not self.ended.is_set():
            self._came.clear()
        self.hold(_FULL, held=False)
        return data

    def unread(self, data: bytes) -> None:
        """Put back what was read too much."""
        if data:
            self._buffer = data + self._buffer
            self._came.set()

    def stream(self, receive: Callable[[bytes], None] | None) -> None:
        """From here on hand over what comes, beginning with what is there; None: keep it for `read` again."""
        self._receive = receive
        if receive is not None and self._buffer:
            data, self._buffer = self._buffer, b""
            self.hold(_FULL, held=False)
            if not self.ended.is_set():
                self._came.clear()
            receive(data)

    def hold(self, who: object, *, held: bool) -> None:
        """Read no further until nobody holds it."""
        before = bool(self._holders)
        (self._holders.add if held else self._holders.discard)(who)
        if bool(self._holders) is before or self.ended.is_set() or self.transport.is_closing():
            return
        (self.transport.pause_reading if held else self.transport.resume_reading)()

    def throttle(self, who: object, rate: float | None, *, window: int | None = None) -> None:
        """Read so many bytes a second; 0: none; None: as far as `who` is concerned as fast as it comes.

        `window` is what it may send ahead, where the system can say so.
        """
        if self.lost.is_set():
            return
        if rate is None:
            self._paces.pop(who, None)
        else:
            self._paces[who] = rate
        self._open_window(window)
        lowest = min(self._paces.values(), default=None)
        self.hold(_SHUT, held=lowest == 0)
        if self._pace is not None:
            self._pace.stop()
            self._pace = None
        if lowest:
            self._pace = Pace(lowest, self._deliver, lambda held: self.hold(_PACED, held=held))

    def _open_window(self, window: int | None) -> None:
        """Let the other end send few bytes ahead, or as many as before.

        A smaller SO_RCVBUF would do the same, and never quite undo it: TCP avoids silly windows for seconds after.
        """
        option = getattr(socket, "TCP_WINDOW_CLAMP", None)  # Linux
        sock = self.transport.get_extra_info("socket")
        if option is None:
            return
        if window is not None and not self._usual_window:
            self._usual_window = sock.getsockopt(socket.IPPROTO_TCP, option)
            sock.setsockopt(socket.IPPROTO_TCP, option, window)
        elif window is None and self._usual_window and not self._paces:
            sock.setsockopt(socket.IPPROTO_TCP, option, self._usual_window)
            self._usual_window = 0

    def _deliver(self, data: bytes) -> None:
        if self._receive is not None:
            self._receive(data)
            return
        self._buffer += data
        self._came.set()
        if len(self._buffer) > HIGH_WATER:
            self.hold(_FULL, held=True)

    def _end(self) -> None:
        if self._pace is not None:
            self._pace.stop()
        if not self.ended.is_set():
            self.ended.set()
            self._came.set()
            if self.when_ended is not None:
                self.when_ended()

    def forget(self) -> None:
        """It is over: let go of whatever knows it, so that no ring is left for the garbage collector."""
        self.other = self.when_ended = self._receive = self._pace = None
        self._holders.clear()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected, self._connected = self._connected, None
        assert connected is not None, "it is made once"
        connected()

    def data_received(self, data: bytes) -> None:
        """Keep it, or hand it over."""
        if self._pace is not None:
            self._pace.take(data)
        else:
            self._deliver(data)

    def eof_received(self) -> bool:
        """It says no more, and may still listen; not where TLS is spoken."""
        if self._pace is not None and self._pace.is_late:
            self._pace.then(self._end)
        else:
            self._end()
        return self.transport.can_write_eof()

    def pause_writing(self) -> None:
        """It reads too slowly: the other side is to feel that."""
        if self.other is not None:
            self.other.hold(self, held=True)

    def resume_writing(self) -> None:
        """It has caught up."""
        if self.other is not None:
            self.other.hold(self, held=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self.broke = exc is not None
        self.lost.set()
        if self.other is not None:
            self.other.hold(self, held=False)
        self._end()

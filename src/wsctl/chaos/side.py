"""Side: one of the two sockets of a connection: read in turn while HTTP is spoken, then streamed."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

SMALL_BUFFER = 4096
"""bytes that the kernel keeps of a side that is read slowly; it doubles them, and has a least of its own"""
HIGH_WATER = 256 * 1024
"""bytes waiting for one side past which the other is read no further"""


class Side(asyncio.Protocol):
    """A socket. `other` is not read while this one cannot be written to."""

    def __init__(self, connected: Callable[[], None] = lambda: None) -> None:
        self._connected = connected
        self.other: Side | None = None
        self.lost = asyncio.Event()
        self.broke = False
        """whether it ended by a reset or the like"""
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._came = asyncio.Event()
        self._receive: Callable[[bytes], None] | None = None
        self._throttle: Throttle | None = None
        self._holders: set[object] = set()
        """who does not want it to be read at the moment"""

    @property
    def transport(self) -> asyncio.Transport:
        """Its transport."""
        assert self._transport is not None, "it is connected"
        return self._transport

    def write(self, data: bytes) -> None:
        """Write, unless the socket is closing: that it does is told by `lost`."""
        if not self.transport.is_closing():
            self.transport.write(data)

    async def read(self) -> bytes:
        """What came; empty at the end."""
        await self._came.wait()
        data, self._buffer = self._buffer, b""
        if not self.lost.is_set():
            self._came.clear()
        return data

    def unread(self, data: bytes) -> None:
        """Put back what was read too much."""
        if data:
            self._buffer = data + self._buffer
            self._came.set()

    def stream(self, receive: Callable[[bytes], None]) -> None:
        """From here on hand over what comes, beginning with what is there."""
        self._receive = receive
        data, self._buffer = self._buffer, b""
        if data:
            receive(data)

    def hold(self, who: object, *, held: bool) -> None:
        """Read no further until nobody holds it."""
        before = bool(self._holders)
        (self._holders.add if held else self._holders.discard)(who)
        if bool(self._holders) is before or self.transport.is_closing():
            return
        (self.transport.pause_reading if held else self.transport.resume_reading)()

    def write_eof(self) -> None:
        """Write no more; what comes is still read."""
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()

    def throttle(self, who: object, rate: float) -> None:
        """Read so many bytes a second, 0: none, with a small receive buffer, until `unthrottle`."""
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        self._throttle = Throttle(self, who, rate)

    def unthrottle(self, who: object) -> None:
        """Read as fast as it comes."""
        if self._throttle is not None and self._throttle.who is who:
            self._throttle.stop()
            self._throttle = None

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connected()

    def data_received(self, data: bytes) -> None:
        """Keep it, or hand it over."""
        if self._throttle is not None:
            self._throttle.took(len(data))
        if self._receive is not None:
            self._receive(data)
        else:
            self._buffer += data
            self._came.set()

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
        if self._throttle is not None:
            self._throttle.stop()
        self.lost.set()
        self._came.set()
        if self.other is not None:
            self.other.hold(self, held=False)


class Throttle:
    """Reads a side at a pace: after so many bytes it is held for as long as they take."""

    def __init__(self, side: Side, who: object, rate: float) -> None:
        self.who = who
        self._side = side
        self._rate = rate
        self._timer: asyncio.TimerHandle | None = None
        if not rate:
            side.hold(self, held=True)

    def took(self, count: int) -> None:
        """So many bytes were read."""
        if self._rate and self._timer is None:
            self._side.hold(self, held=True)
            self._timer = asyncio.get_running_loop().call_later(count / self._rate, self._go_on)

    def stop(self) -> None:
        """No longer."""
        if self._timer is not None:
            self._timer.cancel()
        self._side.hold(self, held=False)

    def _go_on(self) -> None:
        self._timer = None
        self._side.hold(self, held=False)

"""Side: one of the two sockets of a connection: read in turn while HTTP is spoken, then streamed."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

HIGH_WATER = 256 * 1024
"""bytes waiting for one side past which the other is read no further"""


class Side(asyncio.Protocol):
    """A socket. `other` is not read while this one cannot be written to."""

    def __init__(self) -> None:
        self.other: Side | None = None
        self.lost = asyncio.Event()
        self.broke = False
        """whether it ended by a reset or the like"""
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._came = asyncio.Event()
        self._receive: Callable[[bytes], None] | None = None
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

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Keep it, or hand it over."""
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
        self.lost.set()
        self._came.set()
        if self.other is not None:
            self.other.hold(self, held=False)

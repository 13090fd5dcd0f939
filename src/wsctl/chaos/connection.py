"""Connection: a client and its server with the proxy between them: HTTP at first; as a WebSocket, two streams.

Ends are handed on as they are: a FIN as a FIN, a reset as a reset, and only after what was said, or is held.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from wsctl.chaos.exchange import Exchange
from wsctl.chaos.message import Message, client_name
from wsctl.chaos.side import Side
from wsctl.chaos.stream import Stream
from wsctl.chaos.upstream import Upstream
from wsctl.errors import WireError
from wsctl.wire.frames import CLOSE, TEXT, build

if TYPE_CHECKING:
    from wsctl.chaos.proxy import Proxy

LAST_WORDS = 2.0
"""seconds for a side to go, once it was left and has taken all"""
PATIENCE = 60.0
"""seconds for which a side that was left may take nothing of what waits for it"""
TOO_LONG = 1009
"""to be held (RFC 6455, 7.4.1)"""


class Connection:
    """One client's TCP connection, and the one that was made to an upstream for it. `run` is its life."""

    def __init__(self, proxy: "Proxy", connected: Callable[[], None]) -> None:
        self.proxy = proxy
        self.number = 0
        """of those that knocked at the door; 0: it did not"""
        self.address = ""
        """of the client, without its port"""
        self.port = 0
        self.client: str | None = None
        """as a Socket.IO client calls itself in its handshake auth, if it does"""
        self.target = ""
        """path and query of its latest request"""
        self.upstream: Upstream | None = None
        """that it was led to"""
        self.down: Stream | None = None
        self.up: Stream | None = None
        self.lower = Side(connected)
        self.upper: Side | None = None
        self.closing_code: int | None = None
        self._over = asyncio.Event()
        self._closes = False
        """whether we closed it, and the sides are to say good-bye"""

    @property
    def name(self) -> str:
        """As logs call it."""
        return f"c{self.number}" if self.number else self.address

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Both directions of a WebSocket."""
        return () if self.down is None or self.up is None else (self.down, self.up)

    @property
    def sides(self) -> tuple[Side, ...]:
        """Both sockets, as far as there are two."""
        return (self.lower,) if self.upper is None else (self.lower, self.upper)

    async def run(self) -> None:
        """Serve the client until both sides have left."""
        peer = self.lower.transport.get_extra_info("peername")
        self.address, self.port = peer[:2] if peer else ("", 0)
        try:
            if await Exchange(self).becomes_websocket():
                self._become_websocket()
                await self._over.wait()
        except asyncio.CancelledError:
            for side in self.sides:
                side.abort(reset=False)
            raise
        finally:
            await self._end()

    # What faults do

    def close(self, code: int, reason: str) -> None:
        """Close both ends with a code, as if the other side had."""
        content = code.to_bytes(2, "big") + reason.encode()
        self.closing(content)
        self._stop()
        self._closes = True
        for side, mask in zip(self.sides, (False, True), strict=False):
            side.write(build(CLOSE, content, mask=mask).raw)

    def cut(self, *, reset: bool) -> None:
        """End both sockets, by RST or FIN, without a word of WebSocket: at once, where by RST."""
        self._stop()
        for side in self.sides:
            (side.abort if reset else side.leave)(reset=reset)

    def half_close(self) -> None:
        """Say no more to the client, and listen on."""
        if self.down is not None:
            self.down.stop()
            self.lower.finish()

    def text(self, content: str) -> None:
        """Tell the client something in a text message, as if the server had; not within another message."""
        if self.down is not None and self.down.is_between_messages:
            self.down.flush()
            self.lower.write(build(TEXT, content.encode(), mask=False).raw)

    # WebSocket

    def _become_websocket(self) -> None:
        assert self.upper is not None, "an upstream said yes"
        self.number = self.number or self.proxy.number()
        reader = self.proxy.reader(self.target)
        self.down = down = Stream(self, "down", self.upper, self.lower, reader)
        self.up = up = Stream(self, "up", self.lower, self.upper, reader)
        self.proxy.opened(self)
        for stream in (up, down):
            stream.source.when_ended = self.guarded(lambda stream=stream: self.heed(stream))
            stream.source.stream(self.guarded(stream.feed))
            self.heed(stream)

    def guarded(self, function: Callable[..., None]) -> Callable[..., None]:
        """What asyncio calls: it has nobody to tell of what goes wrong."""

        def call(*given: bytes) -> None:
            try:
                function(*given)
            except WireError as error:
                self.proxy.say(f"{self.name}: {error}")
                if self.streams:
                    self.close(TOO_LONG, "")
                else:
                    self.cut(reset=False)
            except Exception as error:
                self.cut(reset=True)
                self.proxy.fail(error)

        return call

    def heed(self, stream: Stream) -> None:
        """A stream may be over: its other side is told as it was told itself."""
        if self._closes:
            if stream.source.ended.is_set():
                stream.source.leave(reset=False)
            return
        if stream.is_over:
            if stream.source.lost.is_set():
                stream.sink.leave(reset=stream.source.broke)
            else:
                stream.sink.finish()
            # one that is silenced has nothing to tell who has left
            if stream.source.broke or all(one.is_over or one.is_silenced for one in self.streams):
                self._over.set()
        elif all(side.ended.is_set() for side in self.sides):
            self._over.set()

    def joined(self, message: Message) -> None:
        """A client said `40`: perhaps with its name."""
        if self.client is None:
            self.client = client_name(message.content)

    def closing(self, content: bytes) -> None:
        """A close frame passes."""
        if self.closing_code is None and len(content) >= 2:
            self.closing_code = int.from_bytes(content[:2], "big")

    # The end

    def _stop(self) -> None:
        """It no longer counts as open, and nothing more is handed on."""
        for stream in self.streams:
            stream.stop()
        self.proxy.closed(self)
        self._over.set()

    async def _end(self) -> None:
        """Both sides are left; however it came to that, nothing of it stays."""
        for stream in self.streams:
            stream.stop()
        self.proxy.closed(self)
        try:
            if self._closes:
                await self._until_lost()
            broke = [side.broke for side in self.sides]
            for side, other_broke in zip(self.sides, reversed(broke), strict=True):
                side.leave(reset=other_broke)
            await self._until_lost()
        finally:
            for side in self.sides:
                side.abort(reset=side.waiting > 0)
                await side.lost.wait()
                side.forget()
            self.down = self.up = None

    async def _until_lost(self) -> None:
        """Both are gone, or take no more."""
        before = -1
        while (waiting := sum(side.waiting for side in self.sides)) != before:
            before = waiting
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE if waiting else LAST_WORDS):
                    for side in self.sides:
                        await side.lost.wait()

"""Connection: a client and its server with the proxy between them: HTTP at first; as a WebSocket, two streams."""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httptools

from wsctl.chaos import heads
from wsctl.chaos.door import Reject, Reset, Slow
from wsctl.chaos.heads import Head
from wsctl.chaos.message import Direction, Message
from wsctl.chaos.side import Side
from wsctl.chaos.stream import Stream
from wsctl.chaos.upstream import Upstream
from wsctl.errors import WireError
from wsctl.server.sockets import linger
from wsctl.wire.frames import CLOSE, build

if TYPE_CHECKING:
    from wsctl.chaos.proxy import Proxy

LAST_WORDS = 2.0
"""seconds for what one side said last to reach the other"""


class Gone(Exception):
    """One of the sides has left, or was cut."""


class Connection:
    """One client's TCP connection, and the one that was made to an upstream for it. `run` is its life."""

    def __init__(self, proxy: "Proxy", number: int, connected: Callable[[], None]) -> None:
        self.proxy = proxy
        self.number = number
        self.name = f"c{number}"
        self.address = ""
        """of the client, without its port"""
        self.client: str | None = None
        """as a Socket.IO client calls itself in its handshake auth, if it does"""
        self.upstream: Upstream | None = None
        """that it was led to"""
        self.down: Stream | None = None
        self.up: Stream | None = None
        self.lower = Side(connected)
        self.upper: Side | None = None
        self.closing_code: int | None = None

    @property
    def is_websocket(self) -> bool:
        """Whether it has become one."""
        return self.down is not None

    async def run(self) -> None:
        """Serve the client until one side leaves."""
        peer = self.lower.transport.get_extra_info("peername")
        self.address = peer[0] if peer else ""
        try:
            while True:
                head = await self._read_head(self.lower)
                if head.is_upgrade:
                    await self._websocket(head)
                    return
                await self._exchange(head)
        except Gone:
            pass
        except (OSError, TimeoutError) as error:
            self._answer(
                Reject(HTTPStatus.BAD_GATEWAY, body=f"the upstream cannot be reached: {error or 'timed out'}\n")
            )
        finally:
            self._end()

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Both directions of a WebSocket."""
        return () if self.down is None or self.up is None else (self.down, self.up)

    # What faults do

    def close(self, code: int, reason: str) -> None:
        """Close both ends with a code, as if the other side had."""
        content = code.to_bytes(2, "big") + reason.encode()
        self.closing("down", content)
        for side, mask in ((self.lower, False), (self.upper, True)):
            if side is not None and not side.lost.is_set():
                side.write(build(CLOSE, content, mask=mask).raw)
                side.transport.close()

    def cut(self, *, reset: bool) -> None:
        """End both sockets at once, by RST or FIN, without a word of WebSocket."""
        for side in (self.lower, self.upper):
            if side is not None and not side.lost.is_set():
                if reset:
                    linger(side.transport)
                    side.transport.abort()
                else:
                    side.transport.close()

    # HTTP

    async def _read_head(self, side: Side) -> Head:
        text = b""
        while (end := text.find(b"\r\n\r\n")) < 0:
            data = await side.read()
            if not data or len(text) > heads.MAX_HEAD:
                raise Gone
            text += data
        side.unread(text[end + 4 :])
        return heads.parse(text[: end + 4])

    async def _exchange(self, head: Head) -> None:
        """One request and its answer, as they are."""
        upper = await self._connected(head)
        request, answer = _Watch(), _Watch()
        encoded = self._rewritten(head).encode()
        parser = httptools.HttpRequestParser(request)
        parser.feed_data(encoded)
        upper.write(encoded)
        await self._pass(self.lower, upper, parser, request)
        await self._pass(upper, self.lower, httptools.HttpResponseParser(answer), answer)

    async def _pass(self, source: Side, sink: Side, parser: Any, watch: "_Watch") -> None:
        """Hand on until the message is there as a whole; one that leaves meanwhile takes the other with it."""
        leaving = asyncio.ensure_future(sink.lost.wait())
        try:
            while not watch.is_whole:
                reading = asyncio.ensure_future(source.read())
                await asyncio.wait((reading, leaving), return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    reading.cancel()
                    raise Gone
                data = reading.result()
                if not data:
                    raise Gone
                sink.write(data)
                parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise Gone from error
        finally:
            leaving.cancel()

    async def _connected(self, head: Head) -> Side:
        if self.upper is None or self.upper.lost.is_set():
            self.upstream = self.proxy.choose_upstream()
            self.upper = await self.upstream.dial()
            self.upper.other, self.lower.other = self.lower, self.upper
        return self.upper

    def _rewritten(self, head: Head) -> Head:
        """For the upstream: its own name, and no compression, which would not bear what faults do to messages."""
        assert self.upstream is not None
        return self.upstream.addressed(head).changed(without=("sec-websocket-extensions",))

    # WebSocket

    async def _websocket(self, head: Head) -> None:
        if not await self._pass_door():
            return
        upper = await self._connected(head)
        upper.write(self._rewritten(head).encode())
        answer = await self._read_head(upper)
        self.lower.write(answer.encode())
        if answer.status != HTTPStatus.SWITCHING_PROTOCOLS:
            await self._let_pass(upper)
            return
        reader = self.proxy.reader(head.target)
        self.down = Stream(self, "down", upper, self.lower, reader)
        self.up = Stream(self, "up", self.lower, upper, reader)
        self.proxy.opened(self)
        self.lower.stream(lambda data: self._feed(self.up, data))
        upper.stream(lambda data: self._feed(self.down, data))
        await _either(self.lower.lost, upper.lost)
        await self._last_words(upper)

    async def _pass_door(self) -> bool:
        """Whether the faults let a client in."""
        for fault in self.proxy.faults:
            match fault.at_door(self):
                case Reject() as reject:
                    self._answer(reject)
                    return False
                case Reset():
                    self.cut(reset=True)
                    return False
                case Slow(seconds):
                    await asyncio.sleep(seconds)
        return True

    async def _let_pass(self, upper: Side) -> None:
        """The upstream's own no, to its end."""
        while data := await upper.read():
            self.lower.write(data)

    def _feed(self, stream: Stream | None, data: bytes) -> None:
        assert stream is not None
        try:
            stream.feed(data)
        except WireError as error:
            self.proxy.say(f"{self.name}: {error}")
            self.cut(reset=False)

    async def _last_words(self, upper: Side) -> None:
        """One side left: what it said before still reaches the other, held messages included."""
        left, stays, stream = (
            (self.lower, upper, self.up) if self.lower.lost.is_set() else (upper, self.lower, self.down)
        )
        assert stream is not None
        done = asyncio.Event()
        stream.when_done(done.set)
        await _either(done, stays.lost)
        if stays.lost.is_set():
            return
        if left.broke:
            linger(stays.transport)
            stays.transport.abort()
        else:
            stays.transport.close()

    def joined(self, message: Message) -> None:
        """A client said `40`: perhaps with its name."""
        if self.client is None and message.content.startswith(b"40"):
            start = message.content.find(b"{")
            if start > 0:
                try:
                    auth = json.loads(message.content[start:])
                except ValueError:
                    return
                name = auth.get("client") if isinstance(auth, dict) else None
                self.client = name if isinstance(name, str) else None

    def closing(self, direction: Direction, content: bytes) -> None:
        """A close frame passes."""
        if self.closing_code is None and len(content) >= 2:
            self.closing_code = int.from_bytes(content[:2], "big")

    def _answer(self, reject: Reject) -> None:
        if self.lower.lost.is_set():
            return
        status, body = HTTPStatus(reject.status), reject.body.encode()
        headers = (*reject.headers, ("Content-Length", str(len(body))), ("Connection", "close"))
        self.lower.write(Head(f"HTTP/1.1 {status.value} {status.phrase}", headers).encode() + body)

    def _end(self) -> None:
        for side in (self.lower, self.upper):
            if side is not None and not side.lost.is_set():
                side.transport.close()
        if self.is_websocket:
            self.proxy.closed(self)


class _Watch:
    """Knows when an HTTP message is there as a whole."""

    def __init__(self) -> None:
        self.is_whole = False

    def on_message_complete(self) -> None:
        """What the parser calls."""
        self.is_whole = True


async def _either(*events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()

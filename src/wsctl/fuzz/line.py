"""Line: one TCP connection, either end of it, on which anything may be written; what comes is kept, within bounds.

First there is HTTP, and then frames. It answers pings and heartbeats as it is right, unless told not to.
"""

import asyncio
import zlib
from collections.abc import Callable
from typing import cast

from wsctl.fuzz import frames
from wsctl.fuzz.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, RSV1, TEXT, Reader
from wsctl.fuzz.steps import Frame, data, expand
from wsctl.server.sockets import linger

MAX_KEPT = 1000
"""messages of one connection that are remembered, the latest"""
MAX_REMEMBERED = 8 * 1024 * 1024
"""bytes of all of them"""
MAX_MESSAGE = 1 << 16
"""bytes of a message or HTTP body that are remembered"""
MAX_PING = 125
"""bytes of a ping's payload (RFC 6455, section 5.5)"""
WRITE_TIMEOUT = 5.0
"""seconds for the other side to read what fills all buffers"""


class Line(asyncio.Protocol):
    """One connection. `messages`, `close_code` and `ended` say what came in frames; HTTP is for who derives from it."""

    def __init__(self, *, client: bool) -> None:
        self.upgraded = False
        """whether frames are spoken"""
        self.messages: list[str | bytes] = []
        self.received = 0
        """messages, those included that are not kept"""
        self.pongs: set[bytes] = set()
        """answers to pings of ours; others are not remembered"""
        self.close_code: int | None = None
        """of the other side's close; 1005: it had none"""
        self.close_reason = ""
        self.ended = False
        self.stalled = False
        """whether the other side stopped reading"""
        self.answering = True
        """whether pings and heartbeats are answered"""
        self._client = client
        self._asked: set[bytes] = set()
        """payloads of pings that are not answered yet"""
        self._size = 0
        """bytes of `messages`, of those that are gone as well"""
        self._closing = False
        """whether a close was sent"""
        self._transport: asyncio.Transport | None = None
        self._reader = Reader(MAX_MESSAGE)
        self._message = bytearray()
        """what came of the one that is being received"""
        self._first: tuple[int, int] = (TEXT, 0)
        """its opcode and reserved bits"""
        self._waiting: set[asyncio.Future[None]] = set()
        self._writable = asyncio.Event()
        self._writable.set()

    # What is done

    async def write(self, content: bytes) -> None:
        """Write, as far as the other side takes it; nothing, once it ended or has read no more for too long."""
        if self._transport is None or self._transport.is_closing() or self.stalled:
            return
        self._transport.write(content)
        try:
            async with asyncio.timeout(WRITE_TIMEOUT):
                await self._writable.wait()
        except TimeoutError:
            self.stalled = True

    async def send(self, frame: Frame) -> None:
        """Write a frame, so many times."""
        built = frames.build(frame, client=self._client)
        self._closing |= frame.opcode == CLOSE
        if frame.opcode == PING and len(content := expand(frame.data)) <= MAX_PING:
            self._asked.add(content)
        at_once = max(1, 65536 // len(built))
        for left in range(frame.times, 0, -at_once):
            await self.write(built * min(left, at_once))
            if self.ended or self.stalled:
                return

    async def say(self, message: str | bytes, times: int = 1) -> None:
        """Write a message in one lawful frame."""
        opcode = TEXT if isinstance(message, str) else BINARY
        await self.send(Frame(opcode=opcode, data=data(message), times=times))

    def close(self) -> None:
        """End the socket, what is written first."""
        if self._transport is not None:
            self._transport.close()

    def abort(self, *, reset: bool = False) -> None:
        """End the socket at once."""
        if self._transport is not None and not self.ended:  # asyncio's own fails where a flush was the end
            if reset:
                self.reset_in_the_end()
            self._transport.abort()

    def reset_in_the_end(self) -> None:
        """Whoever ends the socket, our part of it is a reset."""
        if self._transport is not None and not self.ended:
            linger(self._transport)

    async def until(self, condition: Callable[[], bool], within: float) -> bool:
        """Wait until something that came makes a condition true, or the connection ended; whether it is true."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while not condition() and not self.ended and (left := deadline - loop.time()) > 0:
            change: asyncio.Future[None] = loop.create_future()
            self._waiting.add(change)
            try:
                async with asyncio.timeout(left):
                    await change
            except TimeoutError:
                break
            finally:
                self._waiting.discard(change)
        return condition()

    @property
    def said(self) -> list[str]:
        """The messages so far, as texts; those of bytes in hexadecimal."""
        return [one if isinstance(one, str) else one.hex() for one in self.messages]

    # What comes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        self._transport = cast("asyncio.Transport", transport)

    def pause_writing(self) -> None:
        """The other side does not read as fast."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self.ended = True
        self._writable.set()
        self._changed()

    def data_received(self, received: bytes) -> None:
        """HTTP until a 101, frames after it."""
        if not self.upgraded:
            received = self._read_http(received)
        if self.upgraded:
            for seen in self._reader.feed(received):
                self._take(seen)
        self._changed()

    def _read_http(self, received: bytes) -> bytes:
        """Take in HTTP; once it is over, what follows it."""
        raise NotImplementedError

    def _take(self, seen: frames.Seen) -> None:
        if seen.opcode == PING:
            self._answer(Frame(opcode=PONG, data=data(seen.content)))
        elif seen.opcode == PONG:
            if seen.content in self._asked:
                self._asked.discard(seen.content)
                self.pongs.add(seen.content)
        elif seen.opcode == CLOSE:
            self._take_close(seen.content)
        else:
            self._take_part(seen)

    def _take_close(self, content: bytes) -> None:
        """The other side's close, which is answered; the socket is the server's to end (RFC 6455, section 7.1.1)."""
        if self.close_code is None:
            self.close_code = int.from_bytes(content[:2], "big") if len(content) >= 2 else 1005
            self.close_reason = content[2:].decode("utf-8", "replace")
            if not self._closing:
                self._write_now(Frame(opcode=CLOSE, data=data(content[:2])))
            if not self._client:
                self.close()

    def _take_part(self, seen: frames.Seen) -> None:
        if seen.opcode != CONTINUATION:
            self._message, self._first = bytearray(), (seen.opcode, seen.rsv)
        self._message += seen.content[: MAX_MESSAGE - len(self._message)]
        if seen.fin:
            self._take_message(bytes(self._message))
            self._message = bytearray()

    def _take_message(self, content: bytes) -> None:
        opcode, rsv = self._first
        if rsv & RSV1:
            try:
                content = frames.inflate(content, MAX_MESSAGE)
            except zlib.error:
                content = b"(compressed)"
        self._hear(content.decode("utf-8", "replace") if opcode == TEXT else content)

    def _hear(self, message: str | bytes) -> None:
        self.received += 1
        self.messages.append(message)
        if len(self.messages) > 2 * MAX_KEPT:
            del self.messages[:MAX_KEPT]
        self._size += len(message)
        if self._size > MAX_REMEMBERED:
            del self.messages[: len(self.messages) // 2]
            self._size = sum(map(len, self.messages))

    def _answer(self, frame: Frame) -> None:
        """As it is right, unless told not to; not to who asks and does not read: it would be kept here without end."""
        if self.answering and self._writable.is_set():
            self._write_now(frame)

    def _write_now(self, frame: Frame) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frames.build(frame, client=self._client))

    def _changed(self) -> None:
        for change in self._waiting:
            if not change.done():
                change.set_result(None)

"""A WebSocket between a client and its server: both ends, what passes between them, and how they end."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

import aiohttp
from aiohttp import WSMsgType
from msgspec import Struct

from wsctl.client.websocket import ABNORMAL, CLOSE_TIMEOUT

NO_STATUS: Final = 1005
"""what stands for the code of a close frame that has none (RFC 6455, 7.1.5)"""
GOING_AWAY: Final = 1001


class Socket(Protocol):
    """What both kinds of aiohttp's WebSockets can do."""

    async def receive(self) -> Any: ...

    async def send_frame(self, message: bytes, opcode: WSMsgType) -> None: ...


class Closed(Struct, frozen=True):
    """How one end of a connection ended: its close code, or 1006 where it broke."""

    code: int
    reason: str = ""

    @property
    def payload(self) -> bytes:
        """As it stands in a close frame."""
        return b"" if self.code == NO_STATUS else self.code.to_bytes(2, "big") + self.reason.encode()


class End(Struct, frozen=True):
    """One end of a connection that is passed on."""

    socket: Socket
    note: Callable[[str | bytes], None]
    """told of each message that comes from here"""
    cut: Callable[[], None]
    """end the connection beneath, once everything is sent"""

    async def pump(self, other: "End") -> Closed:
        """Hand on what comes until the end. Waits where the other side is slow, and so lets this one wait, too."""
        while True:
            message = await self.socket.receive()
            match message.type:
                case WSMsgType.TEXT:
                    self.note(message.data)
                    await other.send(message.data.encode(), WSMsgType.TEXT)
                case WSMsgType.BINARY:
                    self.note(message.data)
                    await other.send(message.data, WSMsgType.BINARY)
                case WSMsgType.PING | WSMsgType.PONG:
                    await other.send(bytes(message.data), message.type)
                case WSMsgType.CLOSE:
                    return Closed(message.data or NO_STATUS, message.extra or "")
                case WSMsgType.ERROR if isinstance(message.data, aiohttp.WebSocketError):
                    return Closed(message.data.code, str(message.data))
                case _:
                    return Closed(ABNORMAL)

    async def send(self, data: bytes, kind: WSMsgType) -> None:
        """Send a frame; where this end is gone its own pump will say so."""
        try:
            await self.socket.send_frame(data, kind)
        except (aiohttp.ClientError, ConnectionError):
            await asyncio.Event().wait()

    async def close(self, closed: Closed, *, answered: bool) -> None:
        """Say good-bye in the same words, wait for the answer if there is none yet, and end the connection."""
        try:
            if closed.code != ABNORMAL:
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self.socket.send_frame(closed.payload, WSMsgType.CLOSE)
                    while not answered:
                        message = await self.socket.receive()
                        answered = message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR)
        except (TimeoutError, aiohttp.ClientError, ConnectionError):
            pass  # not politely, then
        finally:
            self.cut()


async def relay(client: End, server: End, leaving: asyncio.Event) -> Closed:
    """Both directions until one end leaves, or we do; then both ends are closed, with the code that is answered."""
    up = asyncio.create_task(client.pump(server))
    down = asyncio.create_task(server.pump(client))
    away = asyncio.create_task(leaving.wait())
    tasks = (down, up, away)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        closed = next((task.result() for task in (down, up) if task.done()), Closed(GOING_AWAY, "recording ends"))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(
        client.close(closed, answered=not up.cancelled()),
        server.close(closed, answered=not down.cancelled()),
    )
    return closed


class Refusal:
    """The body of an answer that is no WebSocket: aiohttp throws it away, unless it is read where it passes."""

    def __init__(self, limit: int) -> None:
        self.body: bytes | None = b""
        """None where it is longer than the limit"""
        self._limit = limit

    def trace(self) -> aiohttp.TraceConfig:
        """To be one of a session's."""
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._read)
        trace.freeze()
        return trace

    async def _read(self, session: Any, context: Any, params: Any) -> None:
        if params.response.status == 101:
            return
        body = bytearray()
        with suppress(aiohttp.ClientError):  # cut short: what came of it
            async for piece in params.response.content.iter_any():
                body += piece
                if len(body) > self._limit:
                    self.body = None
                    return
        self.body = bytes(body)

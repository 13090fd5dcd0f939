"""A connection of frames over one WebSocket, on aiohttp; what the frames mean is for who builds on it."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import aiohttp
from yarl import URL

from wsctl.client import causes
from wsctl.client.connection import OnClose
from wsctl.client.losses import Lost
from wsctl.client.net import open_session
from wsctl.client.speech import Speech
from wsctl.client.tap import Frame, Tap
from wsctl.client.target import Target
from wsctl.errors import UsageError, WireError
from wsctl.spec.units import format_duration

MAX_MESSAGE = 64 * 1024 * 1024
"""bytes of one WebSocket message; a larger one ends the connection with 1009"""

ABNORMAL = 1006
"""the close code of a connection that broke (RFC 6455, 7.1.5)"""

CLOSE_TIMEOUT = 1.0
"""seconds for a polite good-bye"""


class WebSocketConnection(ABC):
    """The part of a Connection (see `wsctl.client.connection`) that is the same whatever the frames mean."""

    ping_every: ClassVar[float | None] = None
    """seconds of silence after which the peer is pinged; half as many later it is dead. None: it pings us"""

    def __init__(self, target: Target, transport: str, *, on_close: OnClose, tap: Tap | None, speech: Speech) -> None:
        self.transport = transport
        self._target = target
        self._speech = speech
        self._on_close = on_close
        self._tap = tap
        self._trail = causes.Trail()
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """with the reason; whoever awaits an answer stops waiting on it"""
        self._tasks: list[asyncio.Task[Any]] = []
        self._closing = False
        self._close_reason = ""
        """the close frame's"""

    @property
    @abstractmethod
    def _url(self) -> str:
        """Where the WebSocket is asked for."""

    @abstractmethod
    async def _join(self) -> None:
        """Whatever has to be so before there is anything to ask for. Frames are read meanwhile."""

    @abstractmethod
    async def _take(self, frame: Frame) -> None:
        """What a frame means. Raises WireError, or Lost."""

    async def _farewell(self) -> None:  # noqa: B027 - most have nothing to say
        """What is said before the WebSocket closes."""

    @property
    def _welcomed(self) -> bool:
        """Whether the peer said anything that a joining waits for."""
        return False

    @property
    def _silence(self) -> float | None:
        """Seconds without any frame after which the peer is dead; None: pings tell."""
        return None

    async def open(self, timeout: float, handshake: float | None = None) -> None:  # noqa: ASYNC109
        """Connect and join; see Connection.open."""
        if self.transport != "websocket":
            raise UsageError("only WebSocket has frames that can be seen; expected transport websocket, not polling")
        try:
            async with asyncio.timeout(timeout):
                await self._connect(handshake or timeout)
                self._tasks.append(asyncio.create_task(self._read()))
                await self._join()
        except TimeoutError as error:
            await self._abort()
            raise causes.timed_out(
                self._target,
                self._trail,
                timeout,
                transport=self.transport,
                opened=self._welcomed,
                speech=self._speech,
            ) from error
        except BaseException:
            await self._abort()
            raise
        self._ended.add_done_callback(self._tell_end)

    async def close(self) -> None:
        """Leave politely if that is quick, and anyway; see Connection.close."""
        self._closing = True
        try:
            if not self._ended.done():
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self._farewell()
                    if self._socket is not None:
                        await self._socket.close()
        except (TimeoutError, Lost):
            pass  # not polite, then
        finally:
            await self._abort()

    async def _connect(self, within: float) -> None:
        self._http = await open_session(self._target, self._trail)
        # Through a proxy aiohttp would write `GET ws://…`, which proxies do not know.
        text = self._url.replace("ws", "http", 1) if self._url.startswith("ws") else self._url
        url = URL(text, encoded=text.isascii())  # as it is: the library would write %40 as @
        try:
            async with asyncio.timeout(within):
                self._socket = await self._http.ws_connect(url, max_msg_size=MAX_MESSAGE, heartbeat=self.ping_every)
        except aiohttp.ClientError as error:
            raise causes.handshake_failed(self._target, self._trail, error, speech=self._speech) from error
        if self._tap is not None:
            self._tap.opened(self._url, self._trail.request_headers)

    async def _abort(self) -> None:
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()
        if self._socket is not None:
            socket, self._socket = self._socket, None
            if self._tap is not None:
                self._tap.closed(socket.close_code or ABNORMAL, self._close_reason)
        self._trail.close()

    async def _write(self, frame: Frame, shown: Frame | None = None) -> None:
        """Send a frame; `shown` is the same without its secrets. Raises Lost."""
        if self._socket is None or self._ended.done():
            raise Lost("the connection ended")
        if self._tap is not None:
            self._tap.sent(frame, frame if shown is None else shown)
        try:
            await (self._socket.send_str(frame) if isinstance(frame, str) else self._socket.send_bytes(frame))
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Lost("the connection ended") from error

    async def _read(self) -> None:
        reason = "connection lost"
        try:
            while (frame := await self._receive()) is not None:
                await self._take(frame)
        except WireError as error:
            reason = f"it sent a message that is not {self._speech.name}: {error.message}"
        except TimeoutError:
            reason = f"nothing received for {format_duration(self._silence or 0)}, not even a ping"
        except Lost:
            pass  # it ended while an answer was being written
        finally:
            self._end(reason)

    async def _receive(self) -> Frame | None:
        """The next frame; None once it is over. Raises TimeoutError."""
        if self._socket is None or self._ended.done():
            return None
        message = await self._socket.receive(timeout=self._silence)
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            if self._tap is not None:
                self._tap.received(message.data)
            return message.data  # type: ignore[no-any-return]
        self._close_reason = message.extra if isinstance(message.extra, str) else ""
        broken = isinstance(message.data, aiohttp.WebSocketError)
        self._end(f"it broke the rules of WebSocket: {message.data}" if broken else self._describe_end(self._socket))
        return None

    def _describe_end(self, socket: aiohttp.ClientWebSocketResponse) -> str:
        code, error = socket.close_code, socket.exception()
        if isinstance(error, aiohttp.ServerTimeoutError) and self.ping_every is not None:
            return f"nothing received for {format_duration(self.ping_every * 1.5)}, not even a pong"
        if code in (None, ABNORMAL):
            return "connection lost"
        return f"closed by the server with code {code}" + (f": {self._close_reason}" if self._close_reason else "")

    def _end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)

    def _tell_end(self, ended: asyncio.Future[str]) -> None:
        if not self._closing:
            self._on_close(ended.result())

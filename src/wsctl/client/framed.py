"""One Socket.IO connection on our own wire sessions: every frame can be seen, which no client library allows."""

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any

import aiohttp

from wsctl.client import causes
from wsctl.client.connection import OnClose, OnEvent
from wsctl.client.emitting import Emitting
from wsctl.client.losses import AckTimeout, Lost
from wsctl.client.net import open_session
from wsctl.client.tap import Tap
from wsctl.client.target import Target
from wsctl.errors import UsageError, WireError
from wsctl.spec.units import format_duration
from wsctl.wire import engineio, socketio

MAX_MESSAGE = 64 * 1024 * 1024
"""bytes of one WebSocket message; a larger one ends the connection with 1009"""

ABNORMAL = 1006
"""the close code of a connection that broke (RFC 6455, 7.1.5)"""

CLOSE_TIMEOUT = 1.0
"""seconds for a polite good-bye"""

SAFE_AUTH = frozenset({"client", "format"})
"""keys of the handshake auth whose values are no secrets"""


class FramedConnection(Emitting):
    """A Connection (see `wsctl.client.connection`) over WebSocket only."""

    def __init__(
        self,
        target: Target,
        auth: Mapping[str, Any],
        transport: str,
        *,
        on_event: OnEvent,
        on_close: OnClose,
        tap: Tap,
    ) -> None:
        self.transport = transport
        self._target = target
        self._auth = dict(auth)
        self._on_event = on_event
        self._on_close = on_close
        self._tap = tap
        self._engine = engineio.ClientSession()
        self._session = socketio.ClientSession()
        self._trail = causes.Trail()
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        loop = asyncio.get_running_loop()
        self._joined: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[str] = loop.create_future()
        self._acknowledgements: dict[int, asyncio.Future[list[Any]]] = {}
        self._numbers = itertools.count(1)
        self._reading: asyncio.Task[None] | None = None
        self._closing = False
        self._close_reason = ""

    async def open(self, timeout: float, handshake: float | None = None) -> None:  # noqa: ASYNC109
        """Connect and join; see Connection.open."""
        if self.transport != "websocket":
            raise UsageError("only WebSocket has frames that can be seen; expected transport websocket, not polling")
        try:
            async with asyncio.timeout(timeout):
                await self._connect(handshake or timeout)
                self._reading = asyncio.create_task(self._read())
                await asyncio.wait((self._joined, self._ended), return_when=asyncio.FIRST_COMPLETED)
            if not self._joined.done():
                raise causes.ended_early(self._target, self._ended.result())
            self._joined.result()
        except TimeoutError as error:
            await self._abort()
            opened = self._engine.handshake is not None
            raise causes.timed_out(
                self._target, self._trail, timeout, transport=self.transport, opened=opened
            ) from error
        except BaseException:
            await self._abort()
            raise
        self._ended.add_done_callback(self._tell_end)

    async def _connect(self, within: float) -> None:
        self._http = await open_session(self._target, self._trail)
        url = self._target.engineio_url("websocket")
        try:
            async with asyncio.timeout(within):
                self._socket = await self._http.ws_connect(url, max_msg_size=MAX_MESSAGE)
        except aiohttp.ClientError as error:
            raise causes.handshake_failed(self._target, self._trail, error, polling=False) from error
        self._tap.opened(url, self._trail.request_headers)

    async def emit(self, event: str, *args: Any, timeout: float) -> list[Any]:  # noqa: ASYNC109
        """Send and await the acknowledgement; see Emitting.emit."""
        number = next(self._numbers)
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._acknowledgements[number] = answer
        try:
            await self._send(self._session.event(self._target.namespace, event, args, number))
            await asyncio.wait((answer, self._ended), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._acknowledgements[number]
        if answer.done():
            return answer.result()
        if self._ended.done():
            raise Lost(self._ended.result())
        raise AckTimeout(f"{event} was not acknowledged within {format_duration(timeout)}")

    async def send(self, event: str, *args: Any) -> None:
        """Send without asking for an acknowledgement; see Emitting.send."""
        await self._send(self._session.event(self._target.namespace, event, args))

    async def close(self) -> None:
        """Leave politely if that is quick, and anyway; see Connection.close."""
        self._closing = True
        try:
            if not self._ended.done():
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self._send(self._session.leave(self._target.namespace))
                    if self._socket is not None:
                        await self._socket.close()
        except TimeoutError:
            pass  # not polite, then
        finally:
            await self._abort()

    async def _abort(self) -> None:
        self._closing = True
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._http is not None:
            await self._http.close()
        if self._socket is not None:
            socket, self._socket = self._socket, None
            self._tap.closed(socket.close_code or ABNORMAL, self._close_reason)
        self._trail.close()

    async def _send(self, messages: list[socketio.Frame]) -> None:
        for message in messages:
            await self._write(message if isinstance(message, bytes) else "4" + message)

    async def _write(self, frame: engineio.Frame, shown: engineio.Frame | None = None) -> None:
        if self._socket is None or self._ended.done():
            raise Lost("the connection ended")
        self._tap.sent(frame, frame if shown is None else shown)
        try:
            await (self._socket.send_str(frame) if isinstance(frame, str) else self._socket.send_bytes(frame))
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Lost("the connection ended") from error

    async def _read(self) -> None:
        reason = "connection lost"
        try:
            while not self._ended.done():
                reason = await self._read_one() or reason
        except WireError as error:
            reason = f"it sent a packet that is not Socket.IO: {error}"
        except TimeoutError:
            reason = f"nothing received for {format_duration(self._silence or 0)}, not even a ping"
        except Lost:
            pass  # it ended while an answer was being written
        finally:
            self._end(reason)

    async def _read_one(self) -> str | None:
        """Take one frame; at the end of the socket note why."""
        assert self._socket is not None
        message = await self._socket.receive(timeout=self._silence)
        if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            code = self._socket.close_code
            self._close_reason = message.extra if isinstance(message.extra, str) else ""
            reason = "connection lost" if code in (None, 1006) else f"closed by the server with code {code}"
            self._end(reason)
            return reason
        self._tap.received(message.data)
        await self._take(message.data)
        return None

    @property
    def _silence(self) -> float | None:
        """Seconds without any frame after which the peer is dead (Engine.IO, heartbeat); None: not known yet."""
        handshake = self._engine.handshake
        return None if handshake is None else (handshake.ping_interval + handshake.ping_timeout) / 1000

    async def _take(self, frame: engineio.Frame) -> None:
        match self._engine.receive(engineio.decode(frame)):
            case engineio.Opened():
                await self._join()
            case engineio.Pinged(answer):
                await self._write(engineio.encode(answer))
            case engineio.Message(data):
                await self._take_message(data)
            case engineio.Closed():
                self._end("closed by the server")

    async def _join(self) -> None:
        namespace = self._target.namespace
        hidden = {key: value if key in SAFE_AUTH else "…" for key, value in self._auth.items()}
        [frame] = self._session.connect(namespace, self._auth)
        [shown] = self._session.connect(namespace, hidden)
        await self._write(f"4{frame!s}", f"4{shown!s}")

    async def _take_message(self, data: str | bytes) -> None:
        match self._session.receive(data):
            case socketio.Joined():
                if not self._joined.done():
                    self._joined.set_result(None)
            case socketio.Refused(_, answer):
                if not self._joined.done():
                    self._joined.set_exception(causes.refused(self._target, answer))
            case socketio.EventReceived(namespace, name, args, number):
                self._on_event(name, tuple(args))
                if number is not None:
                    await self._send(self._session.ack(namespace, number, []))
            case socketio.AckReceived(_, number, args):
                answer = self._acknowledgements.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(args)
            case socketio.Left():
                self._end("disconnected by the server")

    def _end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)

    def _tell_end(self, ended: asyncio.Future[str]) -> None:
        if not self._closing:
            self._on_close(ended.result())

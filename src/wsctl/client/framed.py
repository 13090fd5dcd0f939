"""One Socket.IO connection on our own wire sessions: every frame can be seen, which no client library allows."""

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any

from wsctl.client import causes
from wsctl.client.connection import OnClose, OnEvent
from wsctl.client.emitting import Emitting
from wsctl.client.losses import AckTimeout, Lost
from wsctl.client.speech import SOCKETIO
from wsctl.client.tap import Tap
from wsctl.client.target import Target
from wsctl.client.websocket import WebSocketConnection
from wsctl.spec.units import format_duration
from wsctl.wire import engineio, socketio

SAFE_AUTH = frozenset({"client", "format"})
"""keys of the handshake auth whose values are no secrets"""


class FramedConnection(WebSocketConnection, Emitting):
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
        super().__init__(target, transport, on_close=on_close, tap=tap, speech=SOCKETIO)
        self._auth = dict(auth)
        self._on_event = on_event
        self._engine = engineio.ClientSession()
        self._session = socketio.ClientSession()
        self._joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acknowledgements: dict[int, asyncio.Future[list[Any]]] = {}
        self._numbers = itertools.count(1)

    @property
    def _url(self) -> str:
        return self._target.engineio_url("websocket")

    @property
    def _welcomed(self) -> bool:
        return self._engine.handshake is not None

    async def _join(self) -> None:
        """The namespace, which the handshake's answer lets us ask for."""
        await asyncio.wait((self._joined, self._ended), return_when=asyncio.FIRST_COMPLETED)
        if not self._joined.done():
            raise causes.ended_early(self._target, self._ended.result())
        self._joined.result()

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

    async def _farewell(self) -> None:
        await self._send(self._session.leave(self._target.namespace))

    async def _send(self, messages: list[socketio.Frame]) -> None:
        for message in messages:
            await self._write(message if isinstance(message, bytes) else "4" + message)

    @property
    def _silence(self) -> float | None:
        """Seconds without any frame after which the peer is dead (Engine.IO, heartbeat); None: not known yet."""
        handshake = self._engine.handshake
        return None if handshake is None else (handshake.ping_interval + handshake.ping_timeout) / 1000

    async def _take(self, frame: engineio.Frame) -> None:
        match self._engine.receive(engineio.decode(frame)):
            case engineio.Opened():
                await self._ask_in()
            case engineio.Pinged(answer):
                await self._write(engineio.encode(answer))
            case engineio.Message(data):
                await self._take_message(data)
            case engineio.Closed():
                self._end("closed by the server")

    async def _ask_in(self) -> None:
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

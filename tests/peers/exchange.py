"""An exchange of raw WebSocket feeds, on `websockets`: it speaks a dialect, and plays what it is told to."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, NamedTuple, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.peers.background import Background
from wsctl.wire.dialect import Asked, Dialect, Frame, Reply, ServerSession


class Say(NamedTuple):
    """A payload, once somebody listens to its channel, to whoever does."""

    channel: str
    payload: Any
    binary: bool = False


class Send(NamedTuple):
    """A frame as it is, to everybody who listens to anything."""

    frame: Frame


class Close(NamedTuple):
    """The end of every connection."""

    code: int
    reason: str = ""


class Cut(NamedTuple):
    """The same without a word."""


class Alone(NamedTuple):
    """A pause until everybody has left."""


Step = Say | Send | Close | Cut | Alone


class Exchange:
    """Plays its steps once, whoever comes and goes; it waits where nobody listens.

    It has the channels of its steps and of `channels`. `deaf`: it answers no request. `refuse`: it answers handshakes
    with this status.
    """

    def __init__(
        self,
        background: Background,
        dialect: Dialect,
        steps: Sequence[Step] = (),
        *,
        channels: Sequence[str] = (),
        deaf: bool = False,
        refuse: int | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.frames: list[Frame] = []
        """what clients sent"""
        self.requests: list[Request] = []
        self.port = port
        self._background = background
        self._dialect = dialect
        self._steps = steps
        self._channels = {*channels, *(step.channel for step in steps if isinstance(step, Say))}
        self._deaf = deaf
        self._refuse = refuse
        self._tls = tls
        self._listeners: dict[str, dict[ServerConnection, ServerSession]] = defaultdict(dict)
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self._background.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._background.run(self._stop())

    @property
    def url(self) -> str:
        return f"wss://localhost:{self.port}" if self._tls else f"ws://127.0.0.1:{self.port}"

    def play(self, *steps: Step) -> None:
        """Some more, now."""
        self._background.run(self._play(steps))

    async def _start(self) -> None:
        self._changed = asyncio.Condition()
        self._server = await serve(
            self._serve,
            "localhost" if self._tls else "127.0.0.1",
            self.port,
            process_request=self._answer,
            ping_interval=None,
            ssl=self._tls,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]
        self._playing = asyncio.create_task(self._play(self._steps))

    async def _stop(self) -> None:
        self._playing.cancel()
        assert self._server is not None
        for connection in list(self._server.connections):
            connection.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        if self._refuse is None:
            return None
        status = HTTPStatus(self._refuse)
        return Response(status, status.phrase, Headers([("Content-Length", "0")]))

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        session = self._dialect.server(connection.request.path, self._channels.__contains__)
        try:
            await self._do(connection, session, session.open())
            async for frame in connection:
                self.frames.append(frame)
                await self._do(connection, session, session.receive(frame))
        except ConnectionClosed:
            pass
        finally:
            self._forget(connection)
            await self._note_change()

    async def _do(self, connection: ServerConnection, session: ServerSession, found: list[Asked | Reply]) -> None:
        for each in found:
            if isinstance(each, Reply):
                if not self._deaf:
                    await connection.send(each.frame)
                continue
            for channel in each.channels:
                if each.subscribe:
                    self._listeners[channel][connection] = session
                else:
                    self._listeners[channel].pop(connection, None)
            await self._note_change()

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(condition)

    async def _note_change(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _play(self, steps: Sequence[Step]) -> None:
        for step in steps:
            match step:
                case Say(channel, payload, binary):
                    listeners = self._listeners[channel]
                    await self._until(lambda heard=listeners: bool(heard))  # type: ignore[misc]
                    for connection, session in list(listeners.items()):
                        frame = session.publish(channel, payload)
                        await _send(connection, frame.encode() if binary and isinstance(frame, str) else frame)
                case Send(frame):
                    for connection in await self._everybody():
                        await _send(connection, frame)
                case Close(code, reason):
                    for connection in await self._everybody():
                        self._forget(connection)
                        await connection.close(code, reason)
                case Cut():
                    for connection in await self._everybody():
                        self._forget(connection)
                        connection.transport.abort()
                case Alone():
                    await self._until(lambda: not any(self._listeners.values()))

    async def _everybody(self) -> set[ServerConnection]:
        """Whoever listens to anything, once there is somebody."""
        await self._until(lambda: any(self._listeners.values()))
        return {connection for listeners in self._listeners.values() for connection in listeners}

    def _forget(self, connection: ServerConnection) -> None:
        for listeners in self._listeners.values():
            listeners.pop(connection, None)


async def _send(connection: ServerConnection, frame: Frame) -> None:
    with suppress(ConnectionClosed):
        await connection.send(frame)

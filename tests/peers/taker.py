"""Servers of others that take whatever is sent to them: stock python-socketio, and the websockets library."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import socketio
import uvicorn
import websockets.asyncio.server as websockets_server
from websockets.exceptions import ConnectionClosed

from tests.peers.background import Background


class Taken:
    """What came, and where it is sent to."""

    def __init__(self, port: int, cut: Callable[[], Awaitable[None]]) -> None:
        self.address = f"127.0.0.1:{port}"
        self.auth: list[Any] = []
        """of each client that joined"""
        self.events: list[tuple[Any, ...]] = []
        """name and arguments, or a message alone"""
        self.cut = cut
        """ends everybody's connection"""


@contextmanager
def socketio_taker() -> Iterator[Taken]:
    """A stock AsyncServer that takes every event on every transport; its loop is its own, as it leaves tasks behind."""
    background = Background()
    server = socketio.AsyncServer(async_mode="asgi")
    listener = socket.create_server(("127.0.0.1", 0))
    sids: list[str] = []

    async def cut() -> None:
        background.run(_disconnect(server, sids))

    taken = Taken(listener.getsockname()[1], cut)

    def note(sid: str, environ: Any, auth: Any) -> None:
        sids.append(sid)
        taken.auth.append(auth)

    server.on("connect", note)
    server.on("*", lambda event, sid, *args: taken.events.append((event, *args)))
    running = uvicorn.Server(uvicorn.Config(socketio.ASGIApp(server), log_config=None, lifespan="off"))
    running.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    background.loop.call_soon_threadsafe(background.loop.create_task, running.serve(sockets=[listener]))
    try:
        yield taken
    finally:
        background.stop()
        listener.close()


async def _disconnect(server: socketio.AsyncServer, sids: list[str]) -> None:
    for sid in sids:
        await server.disconnect(sid)


@asynccontextmanager
async def websocket_taker() -> AsyncIterator[Taken]:
    """A WebSocket server that takes every message, and has something to say to each."""
    connections: list[websockets_server.ServerConnection] = []

    async def take(connection: websockets_server.ServerConnection) -> None:
        connections.append(connection)
        try:
            async for message in connection:
                taken.events.append((message,))
                with suppress(ConnectionClosed):  # it has said all it had to say
                    await connection.send("thanks")
        except ConnectionClosed:
            pass  # cut

    async def cut() -> None:
        for connection in connections:
            await connection.close(1011, "enough")

    async with websockets_server.serve(take, "127.0.0.1", 0) as server:
        taken = Taken(next(iter(server.sockets)).getsockname()[1], cut)
        yield taken

"""A Socket.IO server of somebody else, on python-socketio: it says what it is told to, and may leave without a word."""

import logging
from collections.abc import Sequence
from typing import Any, Self

import socketio
from aiohttp import web

from tests.peers.background import Background

_silent = logging.getLogger(__name__)
_silent.disabled = True  # it would tell of every transport that it refuses


class Stranger:
    """Whoever subscribes to prices, or sends `ask`, gets the same events; to `ask` it disconnects instead of answering.

    `transports` are those it speaks; `answer` is what every other event is acknowledged with.
    """

    def __init__(
        self,
        background: Background,
        events: Sequence[tuple[str, Any]] = (),
        *,
        transports: Sequence[str] = ("polling", "websocket"),
        answer: Any = None,
    ) -> None:
        self._background = background
        self._events = events
        self._transports = list(transports)
        self._answer = answer

    def __enter__(self) -> Self:
        self._background.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._background.run(self._stop())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _start(self) -> None:
        self._server = socketio.AsyncServer(
            async_mode="aiohttp", monitor_clients=False, transports=self._transports, engineio_logger=_silent
        )
        self._listen()
        app = web.Application()
        self._server.attach(app)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        server = self._runner.server
        for connection in list(server.connections) if server else ():
            if connection.transport is not None:
                connection.transport.abort()
        await self._runner.cleanup()

    def _listen(self) -> None:
        self._server.on("price:subscribe", self._subscribe)
        self._server.on("ask", self._ask)
        self._server.on("*", self._acknowledge)

    async def _subscribe(self, sid: str, symbols: list[str]) -> dict[str, Any]:
        await self._tell(sid)
        return {"ok": True, "subscribed": symbols}

    async def _ask(self, sid: str, *args: Any) -> None:
        await self._tell(sid)
        await self._server.disconnect(sid)

    async def _acknowledge(self, event: str, sid: str, *args: Any) -> Any:
        return self._answer

    async def _tell(self, sid: str) -> None:
        for name, payload in self._events:
            await self._server.emit(name, payload, to=sid)

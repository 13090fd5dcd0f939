"""A Socket.IO feed that nobody foresaw, on python-socketio: events of its own, described by a dialect's file."""

from collections.abc import Sequence
from typing import Any, Self

import socketio
from aiohttp import web

from tests.peers.background import Background

DIALECT = """\
name: bourse
over: socketio
subscribe:
  - {channels: "ticks.{pair}", frame: [listen, {pairs: ["{pair}"]}, 2]}
  - {channels: "book.{pair}", frame: [open book, "{pair}"]}
message: {channel: "{topic}", seq: meta.n, time: meta.at, time_unit: ms, price: px, scheme: counter}
channels: [{match: "book.{pair}", scheme: monotonic}]
feeds: {ticker: "ticks.{base}{quote}"}
"""
NO = {"ok": False, "code": "unknown", "message": "no such pair"}


def tick(number: int, pair: str = "BTCUSDT", **more: Any) -> dict[str, Any]:
    """A numbered price."""
    return {"topic": f"ticks.{pair}", "px": "100.5", "meta": {"n": number, "at": 1_700_000_000_000}, **more}


class Bourse:
    """Greets whoever comes; who listens is sent, in turn, the events of one more round, and disconnected in between.

    Pairs but BTCUSDT are refused. `acknowledges`: whether it answers at all.
    """

    def __init__(
        self, background: Background, rounds: Sequence[Sequence[tuple[str, Any]]], *, acknowledges: bool = True
    ) -> None:
        self.asked: list[tuple[str, tuple[Any, ...]]] = []
        self._background = background
        self._rounds = list(rounds)
        self._acknowledges = acknowledges

    def __enter__(self) -> Self:
        self._background.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._background.run(self._stop())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _start(self) -> None:
        self._server = socketio.AsyncServer(async_mode="aiohttp", monitor_clients=False)
        self._server.on("connect", self._greet)
        self._server.on("listen", self._listen)
        self._server.on("open book", self._open_book)
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

    async def _greet(self, sid: str, environ: Any, auth: Any) -> None:
        await self._server.emit("welcome", {"hello": 1}, to=sid)

    async def _listen(self, sid: str, *args: Any) -> Any:
        self.asked.append(("listen", args))
        if "BTCUSDT" not in args[0]["pairs"]:
            return NO
        self._server.start_background_task(self._tell, sid, self._rounds.pop(0) if self._rounds else ())
        return {"ok": True} if self._acknowledges else await self._never()

    async def _open_book(self, sid: str, *args: Any) -> Any:
        self.asked.append(("open book", args))
        return {"ok": True} if self._acknowledges else await self._never()

    async def _never(self) -> None:
        await self._server.eio.sleep(3600)

    async def _tell(self, sid: str, events: Sequence[tuple[str, Any]]) -> None:
        for name, payload in events:
            await self._server.emit(name, payload, to=sid)
        if self._rounds:
            await self._server.disconnect(sid)

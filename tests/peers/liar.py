"""A price feed that lies at known places, on python-socketio's server: a peer to prove the ordering check with."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Self

import socketio
from aiohttp import web

from tests.peers.background import Background
from tests.peers.plan import Evict, Message, script

PACE = 0.0005
"""seconds between two messages"""


class Stream:
    """One symbol's messages: sent once, from the first subscription on; it waits while nobody listens."""

    def __init__(self, messages: list[Message | Evict]) -> None:
        self.messages = messages
        self.listeners: set[str] = set()
        self.listened = asyncio.Event()
        self.latest: Message | None = None
        self._facts: dict[int, tuple[float, float]] = {}

    def facts(self, message: Message) -> tuple[float, float]:
        """Its price and time (ms), settled when it is sent first: a repetition is the same to the last bit."""
        price = 100.0 + len(self._facts)
        return self._facts.setdefault(id(message), (price, round(time.time() * 1000, 3)))


class Liar:
    """Serves each symbol by its plan (see `tests.peers.plan`), `length` messages long.

    `without` leaves fields out (`seq`, `epoch`). `envelope` sends `{seq, payload}` as event `data` to whoever
    connects, by the first plan, as many tutorials do. A stream goes on while at least `listeners` listen to it.
    """

    def __init__(
        self,
        background: Background,
        plans: Mapping[str, str],
        *,
        length: int = 60,
        without: tuple[str, ...] = (),
        envelope: bool = False,
        listeners: int = 1,
        port: int = 0,
    ) -> None:
        self._background = background
        self._scripts = {symbol: script(plan, length) for symbol, plan in plans.items()}
        self._without = without
        self._envelope = envelope
        self._wanted = listeners
        self.port = port

    def __enter__(self) -> Self:
        self._background.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._background.run(self._stop())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def listeners(self, symbol: str) -> int:
        """How many listen to a symbol."""
        return len(self._streams[symbol].listeners)

    def sent(self, symbol: str) -> int:
        """How many messages the symbol's whole stream has."""
        return sum(isinstance(message, Message) for message in self._scripts[symbol])

    async def _start(self) -> None:
        self._server = socketio.AsyncServer(async_mode="aiohttp", monitor_clients=False)
        self._server.on("connect", self._connect)
        self._server.on("disconnect", self._leave)
        self._server.on("price:subscribe", self._subscribe)
        self._server.on("time:sync", self._time)
        app = web.Application()
        self._server.attach(app)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        self._streams = {symbol: Stream(messages) for symbol, messages in self._scripts.items()}
        self._tasks = [asyncio.create_task(self._play(symbol)) for symbol in self._streams]

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        server = self._runner.server
        for connection in list(server.connections) if server else ():
            if connection.transport is not None:
                connection.transport.abort()
        await self._runner.cleanup()

    async def _connect(self, sid: str, environ: Any, auth: Any) -> None:
        if self._envelope:
            self._listen(sid, next(iter(self._streams)))

    async def _leave(self, sid: str, reason: str) -> None:
        for stream in self._streams.values():
            stream.listeners.discard(sid)
            if len(stream.listeners) < self._wanted:
                stream.listened.clear()

    async def _time(self, sid: str) -> dict[str, Any]:
        return {"ok": True, "serverTime": time.time() * 1000}

    async def _subscribe(self, sid: str, symbols: list[str]) -> dict[str, Any]:
        for symbol in symbols:
            latest = self._streams[symbol].latest
            if latest is not None:
                await self._server.emit(*self._write(symbol, latest, snapshot=True), to=sid)
            self._listen(sid, symbol)
        return {"ok": True, "subscribed": symbols}

    def _listen(self, sid: str, symbol: str) -> None:
        stream = self._streams[symbol]
        stream.listeners.add(sid)
        if len(stream.listeners) >= self._wanted:
            stream.listened.set()

    async def _play(self, symbol: str) -> None:
        stream = self._streams[symbol]
        for message in stream.messages:
            await stream.listened.wait()
            if isinstance(message, Evict):
                await self._evict(stream)
                continue
            stream.latest = message
            for sid in tuple(stream.listeners):
                await self._server.emit(*self._write(symbol, message), to=sid)
            await asyncio.sleep(PACE)

    async def _evict(self, stream: Stream) -> None:
        stream.listened.clear()
        for sid in tuple(stream.listeners):
            stream.listeners.discard(sid)
            await self._server.emit("connection:closing", {"reason": "evicted", "retry": False}, to=sid)
            await self._server.disconnect(sid)

    def _write(self, symbol: str, message: Message, *, snapshot: bool = False) -> tuple[str, dict[str, Any]]:
        price, sent_at = self._streams[symbol].facts(message)
        if self._envelope:
            return "data", {"seq": message.seq, "payload": {"symbol": symbol, "price": price}}
        payload = {
            "symbol": symbol,
            "price": price,
            "bid": price - 1,
            "ask": price + 1,
            "volume": 1.0,
            "channel": f"symbol:{symbol}:ticker",
            "seq": message.seq,
            "epoch": f"e{message.epoch}",
            "timestamp": sent_at,
            **({"snapshot": True} if snapshot else {}),
        }
        return "price:update", {key: value for key, value in payload.items() if key not in self._without}

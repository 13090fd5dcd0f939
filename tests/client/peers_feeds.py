"""Real peers for the client's tests: python-socketio's server on aiohttp, a proxy, and those of `tests.peers`.

They live on a loop of their own, in a thread, so that a test can count the tasks on its own loop.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Coroutine
from typing import Any, Self

import socketio
from aiohttp import web
from tests.peers.babbler import Babbler
from tests.peers.background import Background
from tests.peers.relay import Relay

__all__ = ["Babbler", "Background", "Peer", "Proxy", "Relay", "price"]


class Peer:
    """python-socketio's own server with a feed's events on it."""

    def __init__(
        self,
        background: Background,
        *,
        acks: bool = True,
        token: str | None = None,
        symbols: tuple[str, ...] = ("BTC/USDT", "ETH/USDT"),
        clock_ahead: float = 0.0,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        on_join: Callable[["Peer", str], Coroutine[Any, Any, None]] | None = None,
        join_delay: float = 0.0,
        **server_options: Any,
    ) -> None:
        self._background = background
        self.port = port
        self.acks = acks
        self.token = token
        self.symbols = symbols
        self.clock_ahead = clock_ahead
        self.refusal: dict[str, Any] | None = None
        self.subscribed: list[list[str]] = []
        self.handshakes: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.sids: list[str] = []
        self._tls = tls
        self._on_join = on_join
        self._join_delay = join_delay
        self._options = {"ping_interval": 25, "ping_timeout": 20, **server_options}

    def __enter__(self) -> Self:
        self._background.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://localhost:{self.port}"

    def stop(self) -> None:
        if self.runner is not None:
            self._background.run(self._stop())

    def emit(self, name: str, *args: Any) -> None:
        self._background.run(self.server.emit(name, args))

    def restart(self) -> None:
        self.stop()
        self._background.run(self._start())

    def drop(self, closing: dict[str, Any] | None = None) -> None:
        """The Socket.IO DISCONNECT for everybody, after a `connection:closing` if one is given."""
        self._background.run(self._drop(closing))

    async def _start(self) -> None:
        self.server = socketio.AsyncServer(async_mode="aiohttp", monitor_clients=False, namespaces="*", **self._options)
        self.server.on("connect", self._connect)
        self.server.on("disconnect", self._disconnect)
        self.server.on("price:subscribe", self._subscribe)
        self.server.on("time:sync", self._time)
        self.server.on("echo", lambda sid, *args: tuple(args))
        self.server.on("quiet", self._quiet)
        app = web.Application(middlewares=[self._note_headers])
        self.server.attach(app)
        self.runner: web.AppRunner | None = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "localhost", self.port, ssl_context=self._tls).start()
        self.port = self.runner.addresses[0][1]

    async def _stop(self) -> None:
        runner, self.runner = self.runner, None
        assert runner is not None
        server = runner.server
        assert server is not None
        for connection in list(server.connections):  # as a killed process: no good-byes
            if connection.transport is not None:
                connection.transport.abort()
        await runner.cleanup()

    @web.middleware
    async def _note_headers(self, request: web.Request, handler: Any) -> Any:
        self.headers.append(dict(request.headers))
        return await handler(request)

    async def _connect(self, sid: str, environ: Any, auth: dict[str, Any]) -> None:
        await asyncio.sleep(self._join_delay)
        self.handshakes.append(auth)
        if self.token is not None and auth.get("token") != self.token:
            raise socketio.exceptions.ConnectionRefusedError("Authentication error")
        self.sids.append(sid)
        if self._on_join is not None:
            self._on_join_task = asyncio.create_task(self._on_join(self, sid))

    async def _disconnect(self, sid: str, reason: str) -> None:
        if sid in self.sids:
            self.sids.remove(sid)

    async def _quiet(self, sid: str, *args: Any) -> None:
        await asyncio.Event().wait()

    async def _subscribe(self, sid: str, symbols: list[str]) -> Any:
        self.subscribed.append(symbols)
        known = [symbol for symbol in symbols if symbol in self.symbols]
        for symbol in known:
            await self.server.emit("price:update", price(symbol, 1, snapshot=True), to=sid)
        if not self.acks:
            await asyncio.Event().wait()
        if self.refusal is not None:
            return self.refusal
        if len(known) < len(symbols):
            refused = [symbol for symbol in symbols if symbol not in known]
            message = f"unknown symbol {', '.join(refused)}"
            return {
                "ok": False,
                "code": "unknown_symbol",
                "message": message,
                "subscribed": known,
                "refused": refused,
            }
        return {"ok": True, "subscribed": known}

    async def _time(self, sid: str) -> dict[str, Any]:
        return {"ok": True, "serverTime": (time.time() + self.clock_ahead) * 1000}

    async def _drop(self, closing: dict[str, Any] | None) -> None:
        for sid in list(self.sids):
            if closing is not None:
                await self.server.emit("connection:closing", closing, to=sid)
            await self.server.disconnect(sid)


def price(symbol: str, seq: int, *, ahead: float = 0.0, **more: Any) -> dict[str, Any]:
    """A price update as the platform sends it."""
    return {
        "symbol": symbol,
        "price": 100.0 + seq,
        "bid": 99.0,
        "ask": 101.0,
        "volume": 1.0,
        "channel": f"symbol:{symbol}:ticker",
        "seq": seq,
        "epoch": "e1",
        "timestamp": (time.time() + ahead) * 1000,
        **more,
    }


class Proxy(Relay):
    """A forward proxy for one upstream whatever host is asked for: CONNECT, and absolute-form requests."""

    def __init__(self, background: Background, upstream: int) -> None:
        super().__init__(background, upstream)
        self.requests: list[str] = []
        self.credentials: list[str] = []

    async def _connect_upstream(
        self, head: bytes, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        line, _, rest = head.partition(b"\r\n")
        method, target, version = line.split(b" ")
        self.requests.append(f"{method.decode()} {target.decode()}")
        self.credentials += [
            text.decode() for text in rest.split(b"\r\n") if text.lower().startswith(b"proxy-authorization")
        ]
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            return await super()._connect_upstream(b"", writer)
        path = b"/" + target.split(b"/", 3)[3]
        # one request per connection, so that each is seen
        rest = rest.replace(b"\r\nConnection: keep-alive", b"")
        return await super()._connect_upstream(b" ".join((method, path, version)) + b"\r\n" + rest, writer)

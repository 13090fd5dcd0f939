"""An endpoint on its sockets: uvicorn put around it."""

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from functools import partial
from typing import Any

import uvicorn
from starlette.applications import Starlette

from wsctl.errors import UsageError
from wsctl.server.endpoint import Endpoint
from wsctl.server.front_door import HttpProtocol
from wsctl.server.options import ServeOptions
from wsctl.server.sockets import BACKLOG, bind, dialable
from wsctl.server.websocket import WebSocketProtocol

LAST_ANSWERS = 0.3
"""seconds for HTTP requests under way when all sessions have ended"""


class Listening:
    """The sockets that options ask for. Raises UsageError for a port in use or files that are no use for TLS."""

    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self._tls = _tls(options)
        self._sockets = bind(options.host, options.port)
        self.url = f"{'https' if self._tls else 'http'}://{dialable(*self._sockets[0].getsockname()[:2])}"

    async def serve(self, endpoint: Endpoint, app: Starlette) -> asyncio.Task[None]:
        """Take connections; returns, once that is so, the task that does it. `stop` ends it."""
        self._server = _Uvicorn(self._config(endpoint, app), endpoint)
        serving = asyncio.create_task(self._server.serve(sockets=self._sockets), name="uvicorn")
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait((listening, serving), return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        return serving

    def stop(self) -> None:
        """Have the endpoint closed; the task is over when that is done."""
        self._server.should_exit = True

    def _config(self, endpoint: Endpoint, app: Starlette) -> uvicorn.Config:
        return uvicorn.Config(
            app,
            http=partial(HttpProtocol, endpoint),  # type: ignore[arg-type]
            ws=partial(WebSocketProtocol, endpoint),  # type: ignore[arg-type]
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # X-Forwarded-For would let anyone pass for loopback at /control
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=1,
            ssl_certfile=self._options.tls_cert if self._tls else None,
            ssl_keyfile=self._options.tls_key if self._tls else None,
        )


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handlers; the endpoint says goodbye before connections are shut."""

    def __init__(self, config: uvicorn.Config, endpoint: Endpoint) -> None:
        super().__init__(config)
        self._endpoint = endpoint
        self.listening = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        """Say so once connections are taken."""
        await super().startup(sockets=sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs us."""
        yield

    async def shutdown(self, sockets: Any = None) -> None:
        """Stop listening, tell the clients, then do what uvicorn does."""
        for server in self.servers:
            server.close()
        await self._endpoint.close()
        dropping = self._endpoint.loop.call_later(LAST_ANSWERS, self._drop_connections)
        await super().shutdown(sockets=sockets)
        dropping.cancel()

    def _drop_connections(self) -> None:
        """End half requests and half-read answers; uvicorn would cancel their tasks, which ends in a traceback."""
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()


def _tls(options: ServeOptions) -> bool:
    """Whether TLS is asked for; tried out here, so that a bad file is one clear sentence."""
    if (options.tls_cert is None) is not (options.tls_key is None):
        raise UsageError("--tls-cert and --tls-key go together")
    if options.tls_cert is None:
        return False
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(options.tls_cert, options.tls_key)
    except OSError as error:  # SSLError is one
        raise UsageError(f"cannot use {options.tls_cert} and {options.tls_key} for TLS: {error}") from error
    return True

"""PassThrough: stands between other people's clients and their server, and puts on tape what they say."""

import asyncio
import itertools
import logging
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from wsctl.client import causes
from wsctl.client.connection import OPEN_TIMEOUT
from wsctl.client.net import open_session
from wsctl.client.route import find_proxy, tls_context
from wsctl.client.target import Target
from wsctl.client.websocket import MAX_MESSAGE
from wsctl.errors import TargetError, UsageError
from wsctl.server.sockets import BACKLOG, bind, dialable
from wsctl.tape.deck import Deck
from wsctl.tape.polled import Asked, Polls, Register
from wsctl.tape.redact import redacted_url
from wsctl.tape.relay_http import (
    MAX_BODY,
    OURS_TO_ANSWER,
    OURS_TO_ASK,
    RequestRelay,
    Unanswered,
    cut,
    dialled,
    passed_headers,
    plain,
    record,
)
from wsctl.tape.relay_websocket import End, Refusal, relay

_LAST_ANSWERS: Final = 0.3
"""seconds for HTTP requests under way at the end"""

_UNHEARD = logging.getLogger("aiohttp")
"""of requests that it objects to, with what is secret in them; what people should know is told"""
_UNHEARD.addHandler(logging.NullHandler())
_UNHEARD.propagate = False


class _Comings:
    """A Register: connections are `c1`, `c2`, `c3`, …, as they come."""

    def __init__(self, deck: Deck, tell: Callable[[str], None]) -> None:
        self.deck = deck
        self.tell = tell
        self._numbers = itertools.count(1)

    def opened(self, asked: Asked) -> str:
        conn = f"c{next(self._numbers)}"
        self.deck.open(conn, asked.url, asked.headers)
        self.tell(f"{conn} opened: {asked.path} ({asked.client})")
        return conn

    def closed(self, conn: str, code: int | None, reason: str) -> None:
        self.deck.end(conn, code, reason)
        with_code = "" if code is None else f" with code {code}"
        self.tell(f"{conn} closed{with_code}" + (f" ({reason})" if reason else ""))


class _Direct:
    """A WebSocket that is a connection of its own; see Candidate for others."""

    def __init__(self, register: Register, asked: Asked) -> None:
        self._register = register
        conn = self._conn = register.opened(asked)
        self.send = partial(register.deck.send, conn)
        self.receive = partial(register.deck.receive, conn)

    def end(self, code: int, reason: str) -> None:
        self._register.closed(self._conn, code, reason)


class PassThrough:
    """`async with PassThrough(upstream, deck, host, port, tell) as passing: …`; takes clients meanwhile, at `url`.

    WebSocket messages go both ways in their order, as do pings; whichever side leaves, the other is left with the same
    code. HTTP requests are passed on as well: polls of Engine.IO are recorded as the frames that they hold, of other
    requests the answers. Leaving the block closes what is open with 1001. `tell` is told of comings and goings, in a
    line for people.

    Raises UsageError for an address that cannot be had, and for files and proxies that are no use.
    """

    def __init__(self, upstream: Target, deck: Deck, host: str | None, port: int, tell: Callable[[str], None]) -> None:
        if "?" in upstream.url:
            raise UsageError("the upstream's URL has a query; expected none: clients bring their own")
        self._upstream = upstream
        self._base = upstream.url.rstrip("/")
        self._tell = tell
        self._register = _Comings(deck, tell)
        self._polls = Polls(self._register)
        self._sockets = bind(host, port)
        self.url = f"http://{dialable(*self._sockets[0].getsockname()[:2])}"
        self._leaving = asyncio.Event()
        self._relays: set[asyncio.Task[Any]] = set()
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None),
            handle_signals=False,
            shutdown_timeout=_LAST_ANSWERS,
        )

    async def __aenter__(self) -> Self:
        context = await asyncio.to_thread(tls_context, self._upstream) if self._upstream.secure else None
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context or True, limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),  # cookies are the clients' own
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=OPEN_TIMEOUT),
            skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
            proxy=find_proxy(self._upstream),
        )
        self._requests = RequestRelay(self._http, self._register, self._polls)
        await self._runner.setup()
        for sock in self._sockets:
            await web.SockSite(self._runner, sock, backlog=BACKLOG).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        for site in tuple(self._runner.sites):
            await site.stop()
        if self._relays:
            await asyncio.wait(self._relays)
        self._polls.close()
        await self._http.close()
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = self._asked(request)
        try:
            if request.headers.get("Upgrade", "").lower() != "websocket":
                return await self._requests.run(request, asked)
            task = asyncio.current_task()
            assert task is not None
            self._relays.add(task)
            try:
                return await self._pass_websocket(request, asked)
            finally:
                self._relays.discard(task)
        except Unanswered as error:
            return self._unreachable(asked, error.__cause__)
        except (web.HTTPException, ConnectionError):  # no handshake; a client that has left
            raise
        except Exception as error:  # the client gets a 500
            self._tell(f"{asked.path}: {type(error).__name__}: {error}")
            raise

    async def _pass_websocket(self, request: web.BaseRequest, asked: Asked) -> web.StreamResponse:
        trail, refusal = causes.Trail(), Refusal(MAX_BODY)
        session = await open_session(self._upstream, trail)
        session.trace_configs.append(refusal.trace())
        protocols = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                upper = await session.ws_connect(
                    dialled(asked.url),
                    headers=CIMultiDict(asked.headers),
                    protocols=[name for name in protocols if name],
                    compress=15 if "permessage-deflate" in request.headers.get("Sec-WebSocket-Extensions", "") else 0,
                    autoclose=False,
                    autoping=False,
                    max_msg_size=MAX_MESSAGE,
                )
        except aiohttp.WSServerHandshakeError as error:
            return self._refused(asked, error, refusal.body)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unanswered from error
        else:
            lower = _accepting(upper, trail)
            await lower.prepare(request)
            taped = self._polls.candidate(asked.url) or _Direct(self._register, asked)
            client, server = End(lower, taped.send, partial(cut, request)), End(upper, taped.receive, trail.close)
            closed = await relay(client, server, self._leaving)
            taped.end(closed.code, closed.reason)
            return lower
        finally:
            await session.close()
            trail.close()

    def _asked(self, request: web.BaseRequest) -> Asked:
        """What a client says, as if it had come to the upstream itself: path and query behind its URL, to the byte."""
        path = request.raw_path
        if not path.startswith("/"):  # as to a proxy: http://host/path
            path = urlsplit(path)._replace(scheme="", netloc="").geturl() or "/"
        headers = passed_headers(request.headers, OURS_TO_ASK)
        if headers.get("Origin") == f"http://{request.host}":  # a page of this very address: the upstream's own
            headers["Origin"] = str(dialled(self._base).origin())
        return Asked(
            request.method, self._base + path, plain(headers), redacted_url(request.path), request.remote or "unknown"
        )

    def _refused(self, asked: Asked, error: aiohttp.WSServerHandshakeError, body: bytes | None) -> web.Response:
        """The server's own no, on tape as well."""
        self._tell(f"{asked.path}: {self._upstream.shown} answers {error.status} {error.message}")
        headers = passed_headers(error.headers or {}, OURS_TO_ANSWER)
        record(self._register, asked, error.status, headers, body)
        return web.Response(status=error.status, headers=headers, body=body)

    def _unreachable(self, asked: Asked, error: BaseException | None) -> web.Response:
        if self._leaving.is_set():
            return web.Response(status=503, text="recording ends\n")
        if isinstance(error, aiohttp.ClientError):
            cause: TargetError = causes.handshake_failed(self._upstream, causes.Trail(), error)
        else:
            cause = causes.timed_out(self._upstream, causes.Trail(), OPEN_TIMEOUT, transport="HTTP", opened=False)
        self._tell(f"{asked.path}: {cause.message}")
        return web.Response(status=502, text=f"{cause.message}\n")


def _accepting(upper: aiohttp.ClientWebSocketResponse, trail: causes.Trail) -> web.WebSocketResponse:
    """Our answer to a client, as the upstream answered us."""
    lower = web.WebSocketResponse(
        protocols=(upper.protocol,) if upper.protocol else (),
        autoclose=False,
        autoping=False,
        max_msg_size=MAX_MESSAGE,
    )
    if trail.response is not None:
        lower.headers.extend(passed_headers(trail.response.headers, OURS_TO_ANSWER))
    return lower

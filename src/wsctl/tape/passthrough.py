"""PassThrough: somebody else's clients connect here instead of to their server, and what both say is put on tape."""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Final, Protocol, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp import WSMsgType, web
from msgspec import Struct
from multidict import CIMultiDict
from yarl import URL

from wsctl.client import causes
from wsctl.client.connection import OPEN_TIMEOUT
from wsctl.client.net import open_session
from wsctl.client.route import find_proxy, tls_context
from wsctl.client.target import Target
from wsctl.client.websocket import ABNORMAL, CLOSE_TIMEOUT, MAX_MESSAGE
from wsctl.errors import TargetError, UsageError
from wsctl.server.sockets import BACKLOG, bind, dialable
from wsctl.tape.deck import Deck, Headers

MAX_BODY: Final = 16 * 1024 * 1024
"""bytes of an HTTP answer that a tape takes; longer ones are passed on, and it is said that they are not on tape"""
NO_STATUS: Final = 1005
"""what stands for the code of a close frame that has none (RFC 6455, 7.1.5)"""
GOING_AWAY: Final = 1001
_LAST_ANSWERS: Final = 0.3
"""seconds for HTTP requests under way at the end"""

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""headers that are between two neighbours (RFC 9110, 7.6.1)"""
_OURS_TO_ASK: Final = frozenset({"host", "expect", "accept-encoding"})
"""of a request: each side agrees on these by itself"""
_OURS_TO_ANSWER: Final = frozenset({"content-encoding", "content-length", "date", "server"})


class _Socket(Protocol):
    """What both kinds of aiohttp's WebSockets can do."""

    async def receive(self) -> Any: ...

    async def send_frame(self, message: bytes, opcode: WSMsgType) -> None: ...


class _Closed(Struct, frozen=True):
    """How one end of a connection ended: its close code, or 1006 where it broke."""

    code: int
    reason: str = ""

    @property
    def payload(self) -> bytes:
        """As it stands in a close frame."""
        return b"" if self.code == NO_STATUS else self.code.to_bytes(2, "big") + self.reason.encode()


class _End(Struct, frozen=True):
    """One end of a connection that is passed on."""

    socket: _Socket
    cut: Callable[[], None]
    """end the connection beneath, once everything is sent"""

    async def pump(self, other: "_End", note: Callable[[str | bytes], None]) -> _Closed:
        """Hand on what comes until the end. Waits where the other side is slow, and so lets this one wait, too."""
        while True:
            message = await self.socket.receive()
            match message.type:
                case WSMsgType.TEXT:
                    note(message.data)
                    await other.send(message.data.encode(), WSMsgType.TEXT)
                case WSMsgType.BINARY:
                    note(message.data)
                    await other.send(message.data, WSMsgType.BINARY)
                case WSMsgType.PING | WSMsgType.PONG:
                    await other.send(bytes(message.data), message.type)
                case WSMsgType.CLOSE:
                    return _Closed(message.data or NO_STATUS, message.extra or "")
                case WSMsgType.ERROR if isinstance(message.data, aiohttp.WebSocketError):
                    return _Closed(message.data.code, str(message.data))
                case _:
                    return _Closed(ABNORMAL)

    async def send(self, data: bytes, kind: WSMsgType) -> None:
        """Send a frame; where this end is gone its own pump will say so."""
        try:
            await self.socket.send_frame(data, kind)
        except (aiohttp.ClientError, ConnectionError):
            await asyncio.Event().wait()

    async def close(self, closed: _Closed, *, answered: bool) -> None:
        """Say good-bye in the same words, wait for the answer if there is none yet, and end the connection."""
        try:
            if closed.code != ABNORMAL:
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self.socket.send_frame(closed.payload, WSMsgType.CLOSE)
                    while not answered:
                        message = await self.socket.receive()
                        answered = message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR)
        except (TimeoutError, aiohttp.ClientError, ConnectionError):
            pass  # not politely, then
        finally:
            self.cut()


class PassThrough:
    """`async with PassThrough(upstream, deck, host, port, tell) as passing: …`; takes clients meanwhile, at `url`.

    WebSocket messages go both ways in their order, as do pings; whichever side leaves, the other is left with the same
    code. HTTP requests are passed on as well, and their answers recorded. Leaving the block closes what is open with
    1001. `tell` is told of comings and goings, in a line for people.

    Raises UsageError for an address that cannot be had, and for files and proxies that are no use.
    """

    def __init__(self, upstream: Target, deck: Deck, host: str | None, port: int, tell: Callable[[str], None]) -> None:
        if "?" in upstream.url:
            raise UsageError("the upstream's URL has a query; expected none: clients bring their own")
        self._upstream = upstream
        self._base = upstream.url.rstrip("/")
        self._deck = deck
        self._tell = tell
        self._sockets = bind(host, port)
        self.url = f"http://{dialable(*self._sockets[0].getsockname()[:2])}"
        self._numbers = itertools.count(1)
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
        await self._http.close()
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return await self._pass_request(request)
        task = asyncio.current_task()
        assert task is not None
        self._relays.add(task)
        try:
            return await self._pass_websocket(request)
        finally:
            self._relays.discard(task)

    # WebSocket

    async def _pass_websocket(self, request: web.BaseRequest) -> web.StreamResponse:
        trail = causes.Trail()
        session = await open_session(self._upstream, trail)
        protocols = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        url, asked = self._url_of(request), self._request_headers(request)
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                upper = await session.ws_connect(
                    _dialled(url),
                    headers=asked,
                    protocols=[name for name in protocols if name],
                    compress=15 if "permessage-deflate" in request.headers.get("Sec-WebSocket-Extensions", "") else 0,
                    autoclose=False,
                    autoping=False,
                    max_msg_size=MAX_MESSAGE,
                )
        except aiohttp.WSServerHandshakeError as error:
            self._tell(f"{request.path}: {self._upstream.shown} answers {error.status} {error.message}")
            return web.Response(status=error.status, headers=_headers(error.headers or {}, _OURS_TO_ANSWER))
        except (aiohttp.ClientError, TimeoutError) as error:
            return self._unreachable(request, error)
        else:
            lower = _accepting(upper, trail)
            await lower.prepare(request)
            conn = f"c{next(self._numbers)}"
            self._deck.open(conn, url, _plain(asked))
            self._tell(f"{conn} opened: {request.path} ({request.remote})")
            closed = await self._relay(conn, _End(lower, partial(_cut, request)), _End(upper, trail.close))
            self._deck.end(conn, closed.code, closed.reason)
            self._tell(f"{conn} closed with code {closed.code}" + (f" ({closed.reason})" if closed.reason else ""))
            return lower
        finally:
            await session.close()
            trail.close()

    async def _relay(self, conn: str, client: _End, server: _End) -> _Closed:
        """Both directions until one end leaves, or we do; then both ends are closed, with the code that is answered."""
        up = asyncio.create_task(client.pump(server, partial(self._deck.send, conn)))
        down = asyncio.create_task(server.pump(client, partial(self._deck.receive, conn)))
        leaving = asyncio.create_task(self._leaving.wait())
        tasks = (down, up, leaving)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            closed = next((task.result() for task in (down, up) if task.done()), _Closed(GOING_AWAY, "recording ends"))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(
            client.close(closed, answered=not up.cancelled()),
            server.close(closed, answered=not down.cancelled()),
        )
        return closed

    # HTTP

    async def _pass_request(self, request: web.BaseRequest) -> web.StreamResponse:
        url, asked = self._url_of(request), self._request_headers(request)
        asked["Accept-Encoding"] = "identity"  # tapes are to be read
        try:
            answer = await self._http.request(
                request.method,
                _dialled(url),
                headers=asked,
                data=request.content if request.can_read_body else None,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            return self._unreachable(request, error)
        async with answer:
            headers = _headers(answer.headers, _OURS_TO_ANSWER)
            response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
            if "Content-Encoding" not in answer.headers:
                response.content_length = answer.content_length
            await response.prepare(request)
            try:
                body = await _pass_body(answer, response)
            except (aiohttp.ClientError, ConnectionError) as error:
                self._tell(f"{request.path}: an answer was cut short: {error}")
                _cut(request)
                return response
            if body is None:
                self._tell(
                    f"{request.path}: an answer of more than {MAX_BODY >> 20} MiB was passed on, and is not on tape"
                )
            else:
                self._deck.answer(request.method, url, answer.status, _plain(headers), body)
            await response.write_eof()
            return response

    # Both

    def _url_of(self, request: web.BaseRequest) -> str:
        """Where a request is meant to go: its own path and query behind the upstream's URL, to the byte."""
        asked = request.raw_path
        if not asked.startswith("/"):  # as to a proxy: http://host/path
            asked = urlsplit(asked)._replace(scheme="", netloc="").geturl() or "/"
        return self._base + asked

    def _request_headers(self, request: web.BaseRequest) -> CIMultiDict[str]:
        """What the client says, as if it had come to the upstream itself."""
        headers = _headers(request.headers, _OURS_TO_ASK)
        if headers.get("Origin") == f"http://{request.host}":  # a page of this very address: the upstream's own
            headers["Origin"] = str(_dialled(self._base).origin())
        return headers

    def _unreachable(self, request: web.BaseRequest, error: Exception) -> web.Response:
        if isinstance(error, aiohttp.ClientError):
            cause: TargetError = causes.handshake_failed(self._upstream, causes.Trail(), error)
        else:
            cause = causes.timed_out(self._upstream, causes.Trail(), OPEN_TIMEOUT, transport="HTTP", opened=False)
        self._tell(f"{request.path}: {cause.message}")
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
        lower.headers.extend(_headers(trail.response.headers, _OURS_TO_ANSWER))
    return lower


async def _pass_body(answer: aiohttp.ClientResponse, response: web.StreamResponse) -> str | bytes | None:
    """Hand on a body as it comes; all of it, or None where it is too long for a tape."""
    kept: bytearray | None = bytearray()
    async for piece in answer.content.iter_any():
        await response.write(piece)
        if kept is not None:
            kept += piece
            kept = kept if len(kept) <= MAX_BODY else None
    if kept is None:
        return None
    try:
        return kept.decode()
    except UnicodeDecodeError:
        return bytes(kept)


def _headers(headers: Mapping[str, str], left_out: frozenset[str]) -> CIMultiDict[str]:
    """Those that are for the other end, WebSocket's own apart."""
    between = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    return CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if not (name.lower() in _HOP_BY_HOP | between | left_out or name.lower().startswith("sec-websocket-"))
    )


def _plain(headers: CIMultiDict[str]) -> Headers:
    return tuple((str(name), value) for name, value in headers.items())


def _dialled(url: str) -> URL:
    """As HTTP has it on the wire."""
    return URL(url.replace("ws", "http", 1) if url.startswith("ws") else url, encoded=True)


def _cut(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.close()

"""The HTTP side of an endpoint: long-polling, /healthz, /metrics."""

import asyncio
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from wsctl.errors import WireError
from wsctl.server.body import read_body
from wsctl.server.connection import Connection
from wsctl.server.endpoint import Endpoint
from wsctl.server.front_door import TRANSPORT
from wsctl.server.handshake import Refusal, read_query
from wsctl.server.loopback import LOOPBACK_ORIGIN
from wsctl.server.polling import PollingCarrier
from wsctl.server.prometheus import metrics_route
from wsctl.server.sockets import linger
from wsctl.wire import engineio


def build_app(platform: Endpoint, more: Sequence[Route] = ()) -> Starlette:
    """The ASGI application behind uvicorn's HTTP protocol; `more` routes than the usual."""
    routes = [Route("/healthz", _healthy), metrics_route(platform), *more]
    for path in platform.applications:
        polling = Polling(platform, path)
        routes += [Route(path, polling), Route(path.rstrip("/"), polling)]
    cors = Middleware(
        CORSMiddleware,
        allow_origins=platform.options.cors_origin,
        allow_origin_regex=LOOPBACK_ORIGIN.pattern,
        allow_methods=["GET", "POST"],
        allow_headers=["content-type"],
        allow_credentials=True,
    )
    return Starlette(routes=routes, middleware=[cors], exception_handlers={ClientDisconnect: _nobody_listens})


async def _nobody_listens(request: Request, error: Exception) -> Response:
    return Response()  # the client went away in the middle of its request


async def _healthy(request: Request) -> Response:
    return PlainTextResponse("ok\n")


class Polling:
    """Engine.IO over HTTP requests. An ASGI application: unlike a function it is given every method."""

    def __init__(self, platform: Endpoint, path: str) -> None:
        self._platform = platform
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.answer(Request(scope, receive))
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """GET fetches packets, or opens a session; POST brings packets."""
        if self._platform.out:
            return self._cut(request)
        query = read_query(request.query_params, self._platform.options.transports)
        if isinstance(query, Refusal):
            return _refuse(query)
        if query.transport != "polling":
            return _refuse(Refusal.BAD_REQUEST)  # a WebSocket handshake would not have come here
        if not self._platform.allows_origin(request.headers.get("origin")):
            return _refuse(Refusal.FORBIDDEN, status=403)
        if query.sid is None:
            return self._open(request)
        return await self._continue(request, query.sid)

    def _cut(self, request: Request) -> Response:
        """A request over a connection from before the outage."""
        transport = request.scope[TRANSPORT]
        linger(transport)
        transport.abort()
        return Response()

    def _open(self, request: Request) -> Response:
        if request.method != "GET":
            return _refuse(Refusal.BAD_METHOD)
        if self._platform.closing:
            return Response(status_code=503)
        peer = request.client
        connection = self._platform.new_connection(self._path, f"{peer.host}:{peer.port}" if peer else "unknown")
        carrier = PollingCarrier(on_fetched=connection.caught_up)
        connection.begin(carrier)
        return PlainTextResponse(carrier.fetch())

    async def _continue(self, request: Request, sid: str) -> Response:
        connection = self._platform.connections.get(sid)
        if connection is None:
            return self._see_off(request, sid)
        carrier = connection.carrier
        if not isinstance(carrier, PollingCarrier):
            return _refuse(Refusal.BAD_REQUEST)  # upgraded: polling is over
        if request.method == "GET":
            return await self._poll(request, connection, carrier)
        if request.method == "POST":
            return await self._post(request, connection, carrier)
        return _refuse(Refusal.BAD_REQUEST)

    def _see_off(self, request: Request, sid: str) -> Response:
        """The session is over; perhaps the client does not know yet."""
        departing = self._platform.departing.get(sid)
        if departing is None:
            return _refuse(Refusal.UNKNOWN_SID)
        if request.method == "POST":
            return PlainTextResponse("ok")  # too late to matter; its poll brings the end
        return self._fetch(sid, departing.carrier)

    def _fetch(self, sid: str, carrier: PollingCarrier) -> Response:
        body = carrier.fetch()
        if carrier.closed and not carrier.waiting:
            self._platform.seen_off(sid)
        return PlainTextResponse(body)

    async def _poll(self, request: Request, connection: Connection, carrier: PollingCarrier) -> Response:
        if carrier.polled:
            connection.end("two polls at once")
            return _refuse(Refusal.BAD_REQUEST)
        if not connection.upgrading:
            poll = carrier.begin_poll(request.scope[TRANSPORT])
            try:
                if not await _unless_disconnected(request, poll):
                    return Response()  # nobody is there to read it; the packets wait for the next poll
            finally:
                carrier.end_poll()
        return self._fetch(connection.sid, carrier)

    async def _post(self, request: Request, connection: Connection, carrier: PollingCarrier) -> Response:
        if carrier.posting:
            connection.end("two posts at once")
            return _refuse(Refusal.BAD_REQUEST)
        carrier.posting = True
        try:
            body = await read_body(request, self._platform.options.max_payload)
        finally:
            carrier.posting = False
        if body is None:
            connection.end("request body over the limit")
            return Response(status_code=413)
        try:
            for packet in engineio.decode_payload(body.decode()):
                if connection.carrier is not None:
                    connection.receive_packet(packet)
        except (WireError, UnicodeDecodeError) as error:
            connection.malformed(error)
            return _refuse(Refusal.BAD_REQUEST)
        return PlainTextResponse("ok")


async def _unless_disconnected(request: Request, awaited: asyncio.Future[None]) -> bool:
    """Wait for something unless the HTTP client goes away; answers whether it came, and somebody is there for it."""
    leaving = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((awaited, leaving), return_when=asyncio.FIRST_COMPLETED)
        return not leaving.done()
    finally:
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _refuse(refusal: Refusal, status: int = 400) -> Response:
    return Response(refusal.body(), status_code=status, media_type="application/json")

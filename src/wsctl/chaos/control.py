"""The proxy's control API, in the shape that Toxiproxy's users know: JSON over HTTP, a proxy and its toxics.

A toxic is a fault: `stream` is downstream or upstream, `toxicity` the share of connections that it means, `attributes`
its other options. What a fault did is `applied`; whom it struck, each connection once, is `struck`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from wsctl import __version__
from wsctl.chaos.asked import Asked, as_attributes, asked
from wsctl.chaos.fault import AnyFault
from wsctl.chaos.metrics import registry_of
from wsctl.chaos.proxy import Proxy
from wsctl.chaos.struck import Struck
from wsctl.errors import UsageError
from wsctl.server.sockets import bind, dialable

LAST_ANSWERS = 0.3
"""seconds for requests under way at the end"""
NAME = "wsctl"
"""of the one proxy"""
_ONE = f"/proxies/{NAME}"
_TOXICS = f"{_ONE}/toxics"
_DIRECTIONS = {"downstream": "down", "upstream": "up", "both": "both"}
_STREAMS = {direction: stream for stream, direction in _DIRECTIONS.items()}
_APART = ("direction", "p_connection")
"""options that are not among a toxic's attributes"""

T = TypeVar("T")


class Toxic(Struct, forbid_unknown_fields=True):
    """A fault as it is asked for."""

    type: str
    name: str | None = None
    stream: str = "downstream"
    toxicity: float = 1.0
    attributes: dict[str, Any] = {}


class Control:
    """The API of a proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._registry = registry_of(proxy)
        self._struck = Struck()
        proxy.hear(self._struck)

    def app(self) -> web.Application:
        """To be served, on loopback."""
        app = web.Application(middlewares=[_errors])
        app.add_routes(
            [
                web.get("/version", self._version),
                web.get("/metrics", self._metrics),
                web.get("/connections", self._connections),
                web.get("/proxies", self._list),
                web.get(_ONE, self._show),
                web.post(_ONE, self._change),
                web.patch(_ONE, self._change),
                web.get(_TOXICS, self._toxics),
                web.post(_TOXICS, self._create),
                web.get(_TOXICS + "/{name}", self._toxic),
                web.post(_TOXICS + "/{name}", self._update),
                web.patch(_TOXICS + "/{name}", self._update),
                web.delete(_TOXICS + "/{name}", self._delete),
                web.get(_TOXICS + "/{name}/struck", self._whom),
                web.post("/populate", self._populate),
                web.post("/reset", self._reset),
            ]
        )
        return app

    # The proxy

    async def _version(self, request: web.Request) -> web.Response:
        return _json({"version": __version__})

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _connections(self, request: web.Request) -> web.Response:
        open_ones = [
            {
                "conn": one.name,
                "client": one.client,
                "address": one.address,
                "port": one.port,
                "upstream": one.upstream.shown,
            }
            for one in self._proxy.connections.values()
            if one.upstream is not None
        ]
        return _json({"connections": open_ones})

    async def _list(self, request: web.Request) -> web.Response:
        return _json({NAME: self._shown()})

    async def _show(self, request: web.Request) -> web.Response:
        return _json(self._shown())

    async def _change(self, request: web.Request) -> web.Response:
        """`{"enabled": false}` takes the proxy down: who is there is cut, who comes is reset."""
        enabled = (await _body(request, dict[str, Any])).get("enabled")
        if not isinstance(enabled, bool):
            raise UsageError("nothing to change; expected enabled, true or false")
        self._proxy.enable(enabled=enabled)
        return _json(self._shown())

    # Its faults

    async def _toxics(self, request: web.Request) -> web.Response:
        return _json([shown(fault) for fault in self._proxy.faults])

    async def _create(self, request: web.Request) -> web.Response:
        """In force when this answers; `struck` are those that it met at once."""
        fault = self._proxy.add(_asked(await _body(request, Toxic)))
        return _json({**shown(fault), "struck": self._struck.by(fault.name)})

    async def _toxic(self, request: web.Request) -> web.Response:
        return _json(shown(self._find(request)))

    async def _update(self, request: web.Request) -> web.Response:
        """Other attributes, the rest as it was; it begins anew, its counts at zero."""
        fault = self._find(request)
        before, change = shown(fault), await _body(request, dict[str, Any])
        attributes = {**before["attributes"], **change.get("attributes", {})}
        given = {key: change.get(key, before[key]) for key in ("stream", "toxicity")}
        wanted = _asked(Toxic(type=fault.type_name, name=fault.name, attributes=attributes, **given))
        self._take_away(fault)
        return _json(shown(self._proxy.add(wanted)))

    async def _delete(self, request: web.Request) -> web.Response:
        """What it holds goes on."""
        self._take_away(self._find(request))
        return web.Response(status=204)

    async def _whom(self, request: web.Request) -> web.Response:
        """Those that a fault struck, in their order; `?from=N` leaves out the first N, for who asks again and again."""
        start = request.query.get("from", "0")
        if not start.isdecimal():
            raise UsageError(f"from is {start!r}; expected how many are known already")
        return _json({"struck": self._struck.by(self._find(request).name, int(start))})

    async def _populate(self, request: web.Request) -> web.Response:
        """These faults and no others, all at once: no message passes between."""
        wanted = [_asked(toxic) for toxic in await _body(request, list[Toxic])]
        self._struck.forget()
        self._proxy.populate(wanted)
        return _json(self._shown(), status=201)

    async def _reset(self, request: web.Request) -> web.Response:
        """No faults, and open to all."""
        self._struck.forget()
        self._proxy.populate([])
        self._proxy.enable(enabled=True)
        return web.Response(status=204)

    def _take_away(self, fault: AnyFault) -> None:
        self._proxy.remove(fault)
        self._struck.forget(fault.name)

    def _find(self, request: web.Request) -> AnyFault:
        name = request.match_info["name"]
        for fault in self._proxy.faults:
            if fault.name == name:
                return fault
        raise web.HTTPNotFound(text=f"no toxic {name!r}")

    def _shown(self) -> dict[str, Any]:
        proxy = self._proxy
        return {
            "name": NAME,
            "listen": proxy.url,
            "upstream": ", ".join(one.shown for one in proxy.upstreams),
            "enabled": proxy.enabled,
            "seed": proxy.seed,
            "toxics": [shown(fault) for fault in proxy.faults],
        }


def shown(fault: AnyFault) -> dict[str, Any]:
    """A fault as the API tells of it: only those attributes that say something."""
    options = as_attributes(fault.spec)
    return {
        "name": fault.name,
        "type": fault.type_name,
        "stream": _STREAMS[fault.spec.direction],
        "toxicity": fault.spec.p_connection,
        "attributes": {key: value for key, value in options.items() if key not in _APART},
        "matched": fault.matched,
        "applied": fault.applied,
    }


def _asked(toxic: Toxic) -> Asked:
    if toxic.stream not in _DIRECTIONS:
        raise UsageError(f"no stream {toxic.stream!r}; expected {', '.join(_DIRECTIONS)}")
    options = {**toxic.attributes, "direction": _DIRECTIONS[toxic.stream], "p_connection": toxic.toxicity}
    return asked(toxic.type, options, name=toxic.name, where="attributes")


async def _body(request: web.Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.DecodeError as error:
        raise UsageError(f"the body cannot be read: {error}") from error


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json", status=status)


@web.middleware
async def _errors(request: web.Request, handler: Any) -> web.StreamResponse:
    """Errors as Toxiproxy tells them: `{"error": …, "status": …}`, and perhaps a `hint`."""
    try:
        response: web.StreamResponse = await handler(request)
    except UsageError as error:
        told = {"error": error.message, "hint": error.hint, "status": 400}
        return _json({key: value for key, value in told.items() if value is not None}, status=400)
    except web.HTTPException as error:
        return _json({"error": error.text or error.reason, "status": error.status}, status=error.status)
    return response


@asynccontextmanager
async def served(proxy: Proxy, port: int) -> AsyncIterator[str]:
    """The API on loopback, at the URL that this yields. Raises UsageError for a port that is taken."""
    sockets = bind(None, port)
    runner = web.AppRunner(Control(proxy).app(), access_log=None, handle_signals=False, shutdown_timeout=LAST_ANSWERS)
    await runner.setup()
    try:
        for sock in sockets:
            await web.SockSite(runner, sock).start()
        yield f"http://{dialable(*sockets[0].getsockname()[:2])}"
    finally:
        await runner.cleanup()

"""The proxy's control API, in the shape that Toxiproxy's users know: JSON over HTTP, a proxy and its toxics.

There is one proxy, of the command's making: it is neither created nor deleted here. A toxic is a fault: `stream` is
downstream or upstream, `toxicity` the share of connections that it means (its options `direction` and `p_connection`,
which may be said as such), `attributes` its other options. What a fault did is `applied`; whom it struck, each
connection once, is `struck`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

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
from wsctl.server.loopback import is_loopback_host, is_loopback_origin
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

_DIGITS = 18
"""of a number: islice takes no more, and int() no thousands"""

T = TypeVar("T")


class Toxic(Struct, forbid_unknown_fields=True):
    """A fault as it is asked for."""

    type: str
    name: str | None = None
    stream: str = "downstream"
    toxicity: float = 1.0
    attributes: dict[str, Any] = {}


class Change(Struct, forbid_unknown_fields=True):
    """What is to be different about a fault; clients send along what they know of it."""

    name: str | None = None
    type: str | None = None
    stream: str | None = None
    toxicity: float | None = None
    attributes: dict[str, Any] = {}


class Wanted(Struct, forbid_unknown_fields=True):
    """The proxy as it is to be; clients send along what they know of it."""

    name: str = NAME
    listen: str | None = None
    upstream: str | None = None
    enabled: bool | None = None


class Populated(Wanted, forbid_unknown_fields=True):
    """The proxy with all its faults."""

    toxics: list[Toxic] = []


class Control:
    """The API of a proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._registry = registry_of(proxy)
        self._struck = Struck()
        proxy.hear_strikes(self._struck)

    def app(self) -> web.Application:
        """To be served, on loopback."""
        app = web.Application(middlewares=[self._errors, _this_machine_only])
        app.add_routes(
            [
                web.get("/version", self._version),
                web.get("/metrics", self._metrics),
                web.get("/connections", self._connections),
                web.get("/proxies", self._list),
                web.post("/proxies", self._make),
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
                web.route("*", "/proxies/{proxy}", self._nobody),
                web.route("*", "/proxies/{proxy}/toxics{rest:.*}", self._nobody),
                web.post("/populate", self._populate),
                web.post("/reset", self._reset),
            ]
        )
        return app

    @web.middleware
    async def _errors(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Errors as Toxiproxy tells them: `{"error": …, "status": …}`, and perhaps a `hint`."""
        try:
            response: web.StreamResponse = await handler(request)
        except UsageError as error:
            told = {"error": error.message, "hint": error.hint, "status": 400}
            return _json({key: value for key, value in told.items() if value is not None}, status=400)
        except web.HTTPException as error:
            is_ours = error.text != f"{error.status}: {error.reason}"
            text = error.text if is_ours else f"there is no {request.method} {request.path}"
            return _json({"error": text, "status": error.status}, status=error.status)
        except Exception as error:
            self._proxy.fail(error)
            return _json({"error": f"{type(error).__name__}: the proxy fails with it", "status": 500}, status=500)
        return response

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

    async def _make(self, request: web.Request) -> web.Response:
        raise web.HTTPConflict(text=f"there is one proxy, {NAME}, and it is of the command's making")

    async def _nobody(self, request: web.Request) -> web.Response:
        if request.match_info["proxy"] == NAME:
            raise web.HTTPMethodNotAllowed(request.method, ())
        raise web.HTTPNotFound(text=f"no proxy {request.match_info['proxy']!r}; there is one, {NAME}")

    async def _change(self, request: web.Request) -> web.Response:
        """`{"enabled": false}` takes the proxy down: who is there is cut, who comes is reset."""
        wanted = await _body(request, Wanted)
        self._check(wanted)
        self._enable(wanted)
        return _json(self._shown())

    # Its faults

    async def _toxics(self, request: web.Request) -> web.Response:
        return _json([shown(fault) for fault in self._proxy.faults])

    async def _create(self, request: web.Request) -> web.Response:
        """In force when this answers; `struck` are those that it met at once."""
        wanted = _asked(await _body(request, Toxic))
        if any(fault.name == wanted.name for fault in self._proxy.faults):
            raise web.HTTPConflict(text=f"a fault is called {wanted.name!r} already; expected another name")
        fault = self._proxy.add(wanted)
        return _json({**shown(fault), **self._struck.by(fault.name)})

    async def _toxic(self, request: web.Request) -> web.Response:
        return _json(shown(self._find(request)))

    async def _update(self, request: web.Request) -> web.Response:
        """Other attributes, the rest as it was; it begins anew, its counts at zero."""
        fault, change = self._find(request), await _body(request, Change)
        before = shown(fault)
        for key, given in (("name", change.name), ("type", change.type)):
            if given not in (None, before[key]):
                raise UsageError(f"the {key} of {fault.name} cannot be changed; expected to remove it and add another")
        wanted = Toxic(
            type=fault.type_name,
            name=fault.name,
            stream=change.stream or before["stream"],
            toxicity=before["toxicity"] if change.toxicity is None else change.toxicity,
            attributes={**before["attributes"], **change.attributes},
        )
        asked_for = _asked(wanted)
        self._proxy.made([asked_for])  # raises before anything is changed
        fault.stop()
        self._struck.forget(fault.name)  # before the other strikes
        return _json(shown(self._proxy.replace(fault, asked_for)))

    async def _delete(self, request: web.Request) -> web.Response:
        """What it holds goes on."""
        fault = self._find(request)
        self._proxy.remove(fault)
        self._struck.forget(fault.name)
        return web.Response(status=204)

    async def _whom(self, request: web.Request) -> web.Response:
        """Those that a fault struck, in their order; `?from=N` leaves out the first N, for who asks again and again."""
        start = request.query.get("from", "0")
        if not start.isdecimal() or len(start) > _DIGITS:
            raise UsageError(f"from is {start!r}; expected how many are known already")
        return _json(self._struck.by(self._find(request).name, int(start)))

    async def _populate(self, request: web.Request) -> web.Response:
        """The proxy with these faults and no others, all at once: no message passes between."""
        proxies = await _body(request, list[Populated])
        for proxy in proxies:
            if proxy.name != NAME:
                raise web.HTTPNotFound(text=f"no proxy {proxy.name!r}; there is one, {NAME}")
            self._check(proxy)
        if len(proxies) > 1:
            raise UsageError(f"{NAME} is told of {len(proxies)} times; expected once")
        for proxy in proxies:
            wanted = [_asked(toxic) for toxic in proxy.toxics]
            self._proxy.made(wanted)  # raises before anything is changed
            self._clear()
            self._proxy.populate(wanted)
            self._enable(proxy)
        return _json({"proxies": [self._shown()]}, status=201)

    async def _reset(self, request: web.Request) -> web.Response:
        """No faults, and open to all."""
        self._clear()
        self._proxy.enable(enabled=True)
        return web.Response(status=204)

    def _clear(self) -> None:
        """No faults; what they let go of may have met others on its way out, which is forgotten as well."""
        self._proxy.populate([])
        self._struck.forget()

    def _check(self, wanted: Wanted) -> None:
        """Raises UsageError for what can only be said on the command line."""
        known = self._shown()
        for key, given in (("name", wanted.name), ("listen", wanted.listen), ("upstream", wanted.upstream)):
            if given not in (None, known[key]):
                raise UsageError(f"the {key} of a proxy that runs is {known[key]}, and cannot be {given}")

    def _enable(self, wanted: Wanted) -> None:
        if wanted.enabled is not None:
            self._proxy.enable(enabled=wanted.enabled)

    def _find(self, request: web.Request) -> AnyFault:
        name = request.match_info["name"]
        for fault in self._proxy.faults:
            if fault.name == name:
                return fault
        raise web.HTTPNotFound(text=f"no fault is called {name!r}")

    def _shown(self) -> dict[str, Any]:
        proxy = self._proxy
        return {
            "name": NAME,
            "listen": urlsplit(proxy.url).netloc,
            "url": proxy.url,
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
    options = {"direction": _DIRECTIONS[toxic.stream], "p_connection": toxic.toxicity, **toxic.attributes}
    return asked(toxic.type, options, name=toxic.name, where="fault")


async def _body(request: web.Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.DecodeError as error:
        raise UsageError(f"the body cannot be read: {error}") from error
    except RecursionError as error:
        raise UsageError("the body cannot be read: it is nested too deeply") from error
    except (OSError, web.RequestPayloadError) as error:
        raise UsageError("the body did not come as a whole") from error


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json", status=status)


@web.middleware
async def _this_machine_only(request: web.Request, handler: Any) -> web.StreamResponse:
    """A page of another site may neither look nor harm, whatever its browser takes this address for.

    Browsers of old do not say where a POST comes from, so that none of them may harm.
    """
    if not is_loopback_host(request.headers.get("Host")):
        raise web.HTTPForbidden(text="control answers as localhost, 127.0.0.1 and [::1] only")
    origin = request.headers.get("Origin")
    if origin is not None and not is_loopback_origin(origin):
        raise web.HTTPForbidden(text="control answers pages of this machine only")
    if request.method != "GET" and request.headers.get("User-Agent", "").startswith("Mozilla/"):
        raise web.HTTPForbidden(text="browsers may only look")
    response: web.StreamResponse = await handler(request)
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

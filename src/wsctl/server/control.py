"""/control: what a test may do to the mock feed while it runs. Loopback only."""

import ipaddress
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wsctl.errors import UsageError
from wsctl.model.channel import is_name
from wsctl.server.body import read_body
from wsctl.server.client import Client, Closing
from wsctl.server.loopback import is_loopback_host
from wsctl.server.platform import Platform
from wsctl.server.services.notifications import Level
from wsctl.server.services.prices import PriceService

MAX_BODY = 64 * 1024
LONGEST_OUTAGE = 3600.0
"""seconds"""


class SetPrice(msgspec.Struct, forbid_unknown_fields=True):
    """POST /control/price"""

    symbol: str
    price: float


class Disconnect(msgspec.Struct, forbid_unknown_fields=True):
    """POST /control/disconnect: whom; nothing named means everyone."""

    user: str | None = None
    client: str | None = None
    percent: float = 100


class Flash(msgspec.Struct, forbid_unknown_fields=True):
    """POST /control/flash: cut a share of the connections; refuse new ones for `outage` seconds."""

    percent: float = 100
    outage: float = 0


class Announce(msgspec.Struct, forbid_unknown_fields=True):
    """POST /control/announce: to everybody who listens."""

    title: str
    body: str = ""


class Notify(msgspec.Struct, forbid_unknown_fields=True):
    """POST /control/notify: to one user."""

    user: str
    title: str
    body: str = ""
    level: Level = "info"


class BadRequest(Exception):
    """The body is not what the endpoint takes."""


Body = TypeVar("Body")
Handler = Callable[[Request], Awaitable[Any]]


def control_routes(platform: Platform, prices: PriceService) -> list[Route]:
    """The endpoints; each answers JSON."""
    control = Control(platform, prices)
    posts: dict[str, Handler] = {
        "price": control.price,
        "announce": control.announce,
        "notify": control.notify,
        "disconnect": control.disconnect,
        "flash": control.flash,
        "pause": control.pause,
        "resume": control.resume,
    }
    gets: dict[str, Handler] = {"connections": control.connections, "sent": control.sent}
    return [
        *(Route(f"/control/{name}", _guarded(platform, post), methods=["POST"]) for name, post in posts.items()),
        *(Route(f"/control/{name}", _guarded(platform, get), methods=["GET"]) for name, get in gets.items()),
    ]


class Control:
    """The endpoints' work."""

    def __init__(self, platform: Platform, prices: PriceService) -> None:
        self._platform = platform
        self._prices = prices
        self._random = random.Random(platform.options.seed)  # noqa: S311 - picks victims, repeatably

    async def price(self, request: Request) -> Any:
        """Move a market: the symbol's next tick has this price."""
        body = await _read(request, SetPrice)
        self._prices.source.set_price(body.symbol, body.price)
        return {"ok": True}

    async def announce(self, request: Request) -> Any:
        """Tell everybody who listens to `announcement`."""
        body = await _read(request, Announce)
        return {"ok": True, "id": self._platform.notifications.announce(body.title, body.body)}

    async def notify(self, request: Request) -> Any:
        """Tell one user, listening or not."""
        body = await _read(request, Notify)
        if not is_name(body.user):
            raise BadRequest(f"{body.user!r} is not a user id")
        return {"ok": True, "id": self._platform.notifications.notify(body.user, body.level, body.title, body.body)}

    async def disconnect(self, request: Request) -> Any:
        """Disconnect clients in good order; they are told that they may come back.

        Here and in `flash` the answer is the truth on who was hit: the `client` ids of their handshakes, and when.
        """
        body = await _read(request, Disconnect)
        chosen = self._pick(body.percent, [one for one in self._everyone() if _matches(one, body)])
        at = self._platform.clock.now()
        for client in chosen:
            client.dismiss(Closing.REQUESTED, retry=True)
        return {"ok": True, "disconnected": len(chosen), "at": at, "clients": [client.name for client in chosen]}

    async def flash(self, request: Request) -> Any:
        """Reset connections as a network failure would; new ones are accepted and reset during the outage."""
        body = await _read(request, Flash)
        if not 0 <= body.outage <= LONGEST_OUTAGE:
            raise BadRequest(f"outage is {body.outage:g} s; expected 0 to {LONGEST_OUTAGE:g}")
        chosen = self._pick(body.percent, self._everyone())
        at = self._platform.clock.now()
        self._platform.outage_until = self._platform.clock.monotonic() + body.outage
        for client in chosen:
            client.cut()
        return {"ok": True, "cut": len(chosen), "at": at, "clients": [client.name for client in chosen]}

    async def pause(self, request: Request) -> Any:
        """Stop prices; closing heartbeats go out, so that counts can be compared."""
        self._prices.pause()
        return {"ok": True}

    async def resume(self, request: Request) -> Any:
        """Let prices go on."""
        self._prices.resume()
        return {"ok": True}

    async def connections(self, request: Request) -> Any:
        """Who is connected."""
        return {
            "connections": [
                {
                    "id": one.id,
                    "address": one.address,
                    "transport": one.transport,
                    "user": one.user.id if one.user else None,
                    "client": one.name,
                    "connectedAt": one.joined_at,
                    "channels": list(one.channels),
                }
                for one in self._everyone()
            ]
        }

    async def sent(self, request: Request) -> Any:
        """What was truly sent, per channel."""
        return {"channels": self._platform.hub.ledger()}

    def _everyone(self) -> list[Client]:
        return list(self._platform.clients.values())

    def _pick(self, percent: float, among: list[Client]) -> list[Client]:
        if not 0 <= percent <= 100:
            raise BadRequest(f"percent is {percent:g}; expected 0 to 100")
        return self._random.sample(among, round(len(among) * percent / 100))


def _matches(client: Client, body: Disconnect) -> bool:
    user = None if client.user is None else client.user.id
    return body.user in (None, user) and body.client in (None, client.name)


async def _read(request: Request, kind: type[Body]) -> Body:
    raw = await read_body(request, MAX_BODY)
    if raw is None:
        raise BadRequest(f"the body is over {MAX_BODY} bytes")
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(str(error)) from error


def _guarded(platform: Platform, handler: Handler) -> Handler:
    """Answer loopback only, and no page of another site: a browser's cross-site POST cannot say application/json."""

    async def answer(request: Request) -> Response:
        if request.client is None or not ipaddress.ip_address(request.client.host).is_loopback:
            return _json({"ok": False, "message": "/control answers loopback addresses only"}, 403)
        if any(name == "forwarded" or name.startswith("x-forwarded-") for name in request.headers):
            return _json({"ok": False, "message": "/control does not answer through a proxy"}, 403)
        if not platform.allows_origin(request.headers.get("origin")):
            return _json({"ok": False, "message": "/control answers pages of this machine only"}, 403)
        if not is_loopback_host(request.headers.get("host")):
            return _json({"ok": False, "message": "/control answers as localhost, 127.0.0.1 and [::1] only"}, 403)
        if request.method == "POST" and not request.headers.get("content-type", "").startswith("application/json"):
            return _json({"ok": False, "message": "expected content-type application/json"}, 415)
        try:
            return _json(await handler(request))
        except (BadRequest, UsageError) as error:
            return _json({"ok": False, "message": str(error)}, 400)

    return answer


def _json(body: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")

"""Coinbase Exchange (once Pro, GDAX): `ticker:BTC-USD` and the like, both ends.

Source of every rule: docs.cdp.coinbase.com, exchange/websocket-feed; where it is silent, captures. A message does not
name the channel it came on, so that it is told by its type and by what was subscribed.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Raw

from wsctl.errors import WireError
from wsctl.model.event import Event
from wsctl.wire.dialect import (
    NO_LINK,
    NO_QUOTE,
    Asked,
    Carrier,
    Exists,
    Frame,
    KeepAlive,
    Link,
    Notice,
    Objected,
    Quote,
    Received,
    Reply,
    Scheme,
    Subscribed,
    Unsubscribed,
    everything,
)
from wsctl.wire.values import decode_json, encode_json, from_iso, instant, integer, text, written

_FEEDS = {"ticker": "ticker", "trades": "matches", "orderbook": "level2"}
_PRODUCT_CHANNELS = frozenset(
    {"heartbeat", "ticker", "ticker_batch", "level2", "level2_batch", "level3", "matches", "full", "user"}
    | {"auctionfeed", "rfq_matches", "balance"}
)
_CHANNELS = _PRODUCT_CHANNELS | {"status"}
_ECHOED = {"level2_batch": "level2_50", "ticker_batch": "ticker_1000"}
"""what an acknowledgement calls a channel that was asked for under another name"""
_ASKED_AS = {echoed: asked for asked, echoed in _ECHOED.items()}
_CARRIERS = {
    "ticker": ("ticker", "ticker_batch"),
    "snapshot": ("level2", "level2_batch"),
    "l2update": ("level2", "level2_batch"),
    "last_match": ("matches",),
    "match": ("matches", "full"),
} | dict.fromkeys(("received", "open", "done", "change", "activate"), ("full",))
"""the channels that a type of message may come on; the last subscribed one is meant, or else the first"""
_SCHEMES: dict[str, Scheme] = {
    "full": "counter",
    "ticker": "monotonic",
    "ticker_batch": "monotonic",
    "matches": "monotonic",
    "heartbeat": "monotonic",
}


class Coinbase:
    """The dialect. A channel is Coinbase's and a product, `level2:BTC-USD`; `status` has none."""

    name = "coinbase"
    over: Carrier = "websocket"
    hosts = (
        "ws-feed.exchange.coinbase.com",
        "ws-direct.exchange.coinbase.com",
        "ws-feed-public.sandbox.exchange.coinbase.com",
        "ws-direct.sandbox.exchange.coinbase.com",
        "ws-feed.pro.coinbase.com",
    )
    acknowledges = True
    keep_alive: KeepAlive | None = None

    def client(self, url: str) -> "ClientSession":
        return ClientSession()

    def server(self, url: str, exists: Exists = everything) -> "ServerSession":
        return ServerSession(exists)

    def channel(self, feed: str, symbol: str) -> str:
        return f"{_FEEDS[feed]}:{symbol.replace('/', '-')}"

    def scheme(self, channel: str) -> Scheme:
        """Only `full` is whole: the others carry its numbers, which rise there and leave most out."""
        return _SCHEMES.get(channel.partition(":")[0], "none")

    def link(self, channel: str, data: Any) -> Link:
        return NO_LINK

    def quote(self, channel: str, data: Any) -> Quote:
        if not isinstance(data, dict):
            return NO_QUOTE
        return Quote(text(data.get("product_id")), text(data.get("price")))

    def payload(self, frame: Frame) -> Raw:
        return Raw(frame)

    def is_snapshot(self, channel: str, data: Any) -> bool:
        return isinstance(data, dict) and data.get("type") == "snapshot"

    def restamped(self, channel: str, data: Any, sent_at: float) -> Any:
        moment = data.get("time") if isinstance(data, dict) else None
        return data if from_iso(moment) is None else {**data, "time": written(sent_at, "iso", moment)}

    def rest(self) -> None:
        """Nothing: books come on the stream."""


class ClientSession:
    """The client's side."""

    def __init__(self) -> None:
        self._subscribed: dict[str, None] = {}
        """what the server says is subscribed"""
        self._known: dict[str, None] = {}
        """what was asked for or said to be subscribed: by it messages are told apart"""

    def open(self) -> list[Received]:
        return []

    def subscribe(self, channels: Sequence[str]) -> list[Frame]:
        self._known.update(dict.fromkeys(channels))
        return _request("subscribe", channels)

    def unsubscribe(self, channels: Sequence[str]) -> list[Frame]:
        return _request("unsubscribe", channels)

    def sent(self, frame: Frame) -> None:
        try:
            request = decode_json(frame)
            if isinstance(request, dict) and request.get("type") == "subscribe":
                self._known.update(dict.fromkeys(_asked_for(request)))
        except (WireError, _Failed):
            return

    def receive(self, frame: Frame) -> list[Received]:
        message = decode_json(frame)
        kind = text(message.get("type")) if isinstance(message, dict) else None
        if kind is None:
            raise WireError("a message without a type")
        if kind == "subscriptions":
            return self._acknowledged(message)
        if kind == "error":
            told = [said for said in (message.get("message"), message.get("reason")) if isinstance(said, str)]
            return [Objected(": ".join(told) or "error")]
        channel = self._channel(kind, text(message.get("product_id")))
        if channel is None:
            return [Notice(kind, message)]
        return [
            Event(
                name=kind,
                channel=channel,
                seq=integer(message.get("sequence")),
                sent_at=_sent_at(message),
                data=message,
            )
        ]

    def _channel(self, kind: str, product: str | None) -> str | None:
        if product is None:
            return kind if kind == "status" else None
        names = [f"{carrier}:{product}" for carrier in _CARRIERS.get(kind, (kind,))]
        return next((name for name in reversed(names) if name in self._known), names[0])

    def _acknowledged(self, message: dict[str, Any]) -> list[Received]:
        """The list is of everything that is subscribed now, after a subscribe and after an unsubscribe."""
        try:
            now = dict.fromkeys(_asked_as(name) for name in _named(message.get("channels"), ()))
        except _Failed as error:
            raise WireError(f"a list of subscriptions that cannot be read: {error}") from error
        gone = tuple(name for name in self._subscribed if name not in now)
        new = any(name not in self._subscribed for name in now)
        self._subscribed = now
        for name in gone:
            self._known.pop(name, None)
        self._known.update(now)
        found: list[Received] = [Unsubscribed(gone)] if gone else []
        if new or not gone:
            found.append(Subscribed(tuple(now)))
        return found


class _Failed(Exception):
    """A request that fails as a whole; says why."""


class ServerSession:
    """The exchange's side. Signatures are not looked at: whoever asks for `full` or `level2` may have it."""

    def __init__(self, exists: Exists) -> None:
        self._exists = exists
        self._subscribed: dict[str, None] = {}

    def open(self) -> list[Asked | Reply]:
        return []

    def receive(self, frame: Frame) -> list[Asked | Reply]:
        """A request that names anything unknown fails as a whole. Raises WireError for what is no JSON object."""
        request = decode_json(frame)
        if not isinstance(request, dict):
            raise WireError("a request that is a list; expected an object")
        kind = request.get("type")
        try:
            if kind == "subscribe":
                asked = self._subscribe(_asked_for(request))
            elif kind == "unsubscribe":
                asked = self._unsubscribe(request)
            else:
                raise _Failed("type has to be subscribe or unsubscribe")
        except _Failed as error:
            what = "Failed to unsubscribe" if kind == "unsubscribe" else "Failed to subscribe"
            return [Reply(encode_json({"type": "error", "message": what, "reason": str(error)}))]
        return [Reply(self._acknowledgement()), *asked]

    def publish(self, channel: str, payload: Any) -> Frame:
        return encode_json(payload)

    def _subscribe(self, names: tuple[str, ...]) -> list[Asked]:
        for name in names:
            _, _, product = name.partition(":")
            if product and not self._exists(name):
                raise _Failed(f"{product} is not a valid product")
        new = tuple(name for name in names if name not in self._subscribed)
        self._subscribed.update(dict.fromkeys(new))
        return [Asked(True, new)] if new else []

    def _unsubscribe(self, request: dict[str, Any]) -> list[Asked]:
        """A channel without products goes with all of its products."""
        names = set(_named(request.get("channels"), _products(request)))
        gone = tuple(name for name in self._subscribed if name in names or name.partition(":")[0] in names)
        for name in gone:
            del self._subscribed[name]
        return [Asked(False, gone)] if gone else []

    def _acknowledgement(self) -> Frame:
        channels = [
            {"name": _ECHOED.get(name, name), "product_ids": products, "account_ids": None}
            for name, products in _by_channel(self._subscribed).items()
        ]
        return encode_json({"type": "subscriptions", "channels": channels})


def _request(kind: str, channels: Sequence[str]) -> list[Frame]:
    """Each channel with its own products, in one frame."""
    asked: list[Any] = [
        {"name": name, "product_ids": products} if products else name
        for name, products in _by_channel(channels).items()
    ]
    return [encode_json({"type": kind, "channels": asked})] if asked else []


def _by_channel(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        channel, _, product = name.partition(":")
        products = found.setdefault(channel, [])
        if product:
            products.append(product)
    return found


def _asked_for(request: dict[str, Any]) -> tuple[str, ...]:
    """The channels of a subscribe request. Raises _Failed as the exchange does."""
    names = _named(request.get("channels"), _products(request))
    if not names:
        raise _Failed("No channels provided")
    for name in names:
        channel, _, product = name.partition(":")
        if channel not in _CHANNELS:
            raise _Failed(f"{channel} is not a valid channel")
        if channel in _PRODUCT_CHANNELS and not product:
            raise _Failed(f"You need to specify at least one product ID for channel {channel}")
    return names


def _named(channels: Any, products: Sequence[str]) -> tuple[str, ...]:
    """`channel:product` of a list of channels, each a name or an object that may have products of its own.

    `channels` absent is an empty list. Raises _Failed for what is neither.
    """
    if not isinstance(channels, list | None):
        raise _Failed("channels is no list")
    found: dict[str, None] = {}
    for entry in channels or ():
        own = products
        if isinstance(entry, dict):
            own = _products(entry) or products
            entry = entry.get("name")
        if not isinstance(entry, str) or not entry:
            raise _Failed("a channel without a name")
        takes_products = own and entry != "status"
        found.update(dict.fromkeys([f"{entry}:{product}" for product in own] if takes_products else [entry]))
    return tuple(found)


def _products(holder: dict[str, Any]) -> list[str]:
    products = holder.get("product_ids")
    if products is None:
        return []
    if not isinstance(products, list) or not all(isinstance(product, str) and product for product in products):
        raise _Failed("product_ids is no list of products")
    return products


def _asked_as(name: str) -> str:
    channel, separator, product = name.partition(":")
    return f"{_ASKED_AS.get(channel, channel)}{separator}{product}"


def _sent_at(message: dict[str, Any]) -> float | None:
    """`time` as text; `activate` has unix seconds in `timestamp`. The last match of before was made then, not sent."""
    if message.get("type") == "last_match":
        return None
    moment = from_iso(message.get("time"))
    return instant(message.get("timestamp"), "s") if moment is None else moment

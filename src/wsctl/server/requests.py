"""The events a client may send, and what each is acknowledged with."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from wsctl.clock import Clock
from wsctl.model.channel import is_name, symbol_of, ticker
from wsctl.model.event import BOTS_SUBSCRIBED, ERROR
from wsctl.server.auth import User
from wsctl.server.services.bots import bot_channels, owner_of
from wsctl.spec.nearest import nearest
from wsctl.wire.payload import Payload

MAX_NAMES = 1000
"""symbols or channels in one request"""
MAX_LENGTH = 256
"""characters of a symbol or channel; answers repeat what cannot be served, and are kept for readers that are slow"""


class Client(Protocol):
    """What a request needs of its connection."""

    user: User | None
    channels: dict[str, None]

    def subscribe(self, channel: str) -> None:
        """Join a channel."""

    def unsubscribe(self, channel: str) -> None:
        """Leave a channel."""

    def send_event(self, name: str, payload: Any) -> None:
        """Send one event to this client only."""


class Owned(Protocol):
    """What comes into being for a user when first asked for."""

    def ensure(self, user: str) -> None:
        """Have it from now on."""


class Bots(Owned, Protocol):
    """The bots there are."""

    def bots_of(self, user: str) -> list[str]:
        """The ids of a user's."""


class Board(Protocol):
    """Where channels are found."""

    @property
    def channels(self) -> Mapping[str, object]:
        """By name."""


class Denied(Exception):
    """A request, or one name in it, cannot be served; code and message go to the client."""

    def __init__(self, code: str, message: str | Callable[[], str]) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        """or what makes it: of a thousand unknown symbols only the first is worth advice"""

    def answer(self) -> Payload:
        """The acknowledgement."""
        message = self.message if isinstance(self.message, str) else self.message()
        return {"ok": False, "code": self.code, "message": message}


class Requests:
    """Serves client events against the hub."""

    def __init__(self, hub: Board, clock: Clock, bots: Bots, notifications: Owned, *, max_subscriptions: int) -> None:
        self._hub = hub
        self._bots = bots
        self._notifications = notifications
        self._max_subscriptions = max_subscriptions
        self._clock = clock
        self.on_subscription: Callable[[], None] = lambda: None
        """called after each subscription that joined something; recorded prices start with the first"""
        self._handlers: dict[str, Callable[[Client, list[Any]], Payload]] = {
            "price:subscribe": self._price_subscribe,
            "price:unsubscribe": self._price_unsubscribe,
            "bot:subscribe": self._bot_subscribe,
            "bot:subscribe:one": self._bot_subscribe_one,
            "bot:unsubscribe": self._bot_unsubscribe,
            "channel:subscribe": self._channel_subscribe,
            "channel:unsubscribe": self._channel_unsubscribe,
            "time:sync": self._time_sync,
        }

    def handle(self, client: Client, name: str, args: list[Any], *, acknowledged: bool) -> Payload:
        """Serve one event. What fails and is not acknowledged is told by an `error` event instead."""
        handler = self._handlers.get(name)
        try:
            if handler is None:
                raise Denied("bad_request", f"unknown event {name[:MAX_LENGTH]!r}")
            answer = handler(client, args)
        except Denied as denied:
            answer = denied.answer()
        if not acknowledged and not answer["ok"] and handler is not None:
            client.send_event(ERROR, {"message": answer["message"], "code": answer["code"]})
        return answer

    def _price_subscribe(self, client: Client, args: list[Any]) -> Payload:
        return self._subscribe(client, _names(args), self._find_ticker)

    def _channel_subscribe(self, client: Client, args: list[Any]) -> Payload:
        return self._subscribe(client, _names(args), self._find_channel)

    def _price_unsubscribe(self, client: Client, args: list[Any]) -> Payload:
        names = _names(args)
        for name in names:
            client.unsubscribe(ticker(name))
        return {"ok": True, "unsubscribed": names}

    def _channel_unsubscribe(self, client: Client, args: list[Any]) -> Payload:
        names = _names(args)
        for name in names:
            client.unsubscribe(name)
        return {"ok": True, "unsubscribed": names}

    def _bot_subscribe(self, client: Client, args: list[Any]) -> Payload:
        """Status, trades and positions of all of the user's bots; answers their ids by event, too."""
        user = _user_of(client, "bots")
        self._bots.ensure(user.id)
        ids = self._bots.bots_of(user.id)
        for id in ids:
            self._join_bot(client, id, ("status", "trades", "positions"))
        client.send_event(BOTS_SUBSCRIBED, ids)
        return {"ok": True, "subscribed": ids}

    def _bot_subscribe_one(self, client: Client, args: list[Any]) -> Payload:
        """All of one bot, its logs, too."""
        ids = _names(args)
        if len(ids) != 1:
            raise Denied("bad_request", "expected the id of one bot")
        self._check_owner(client, f"bot:{ids[0]}")
        self._join_bot(client, ids[0], ("status", "trades", "positions", "logs"))
        return {"ok": True, "subscribed": ids}

    def _bot_unsubscribe(self, client: Client, args: list[Any]) -> Payload:
        """Of the bots named; of all of the user's when none is."""
        user = _user_of(client, "bots")
        ids = _names(args) if args and args != [[]] else self._bots.bots_of(user.id)
        for id in ids:
            for channel in bot_channels(id).values():
                client.unsubscribe(channel)
        return {"ok": True, "unsubscribed": ids}

    def _join_bot(self, client: Client, id: str, feeds: tuple[str, ...]) -> None:
        channels = bot_channels(id)
        for feed in feeds:
            self._check_room(client, channels[feed])
            client.subscribe(channels[feed])
        self.on_subscription()

    def _time_sync(self, client: Client, args: list[Any]) -> Payload:
        return {"ok": True, "serverTime": round(self._clock.now() * 1000, 3)}

    def _subscribe(self, client: Client, names: list[str], find: Callable[[Client, str], str]) -> Payload:
        """Join what can be joined; the first refusal gives code and message."""
        subscribed: list[str] = []
        refusals: dict[str, Denied] = {}
        for name in names:
            try:
                channel = find(client, name)
                self._check_room(client, channel)
            except Denied as denied:
                refusals[name] = denied
            else:
                client.subscribe(channel)
                subscribed.append(name)
        if subscribed:
            self.on_subscription()
        if not refusals:
            return {"ok": True, "subscribed": subscribed}
        first = next(iter(refusals.values()))
        return {**first.answer(), "subscribed": subscribed, "refused": list(refusals)}

    def _check_room(self, client: Client, channel: str) -> None:
        if channel not in client.channels and len(client.channels) >= self._max_subscriptions:
            raise Denied("limit", f"at most {self._max_subscriptions} subscriptions for one connection")

    def _find_ticker(self, client: Client, symbol: str) -> str:
        if not is_name(symbol):
            raise Denied("bad_request", f"{symbol!r} is not a symbol; letters, digits and . _ / - are taken")
        if ticker(symbol) not in self._hub.channels:
            raise self._unknown_symbol(symbol)
        return ticker(symbol)

    def _find_channel(self, client: Client, name: str) -> str:
        if name.startswith(("user:", "bot:")):
            self._check_owner(client, name)
        if name in self._hub.channels:
            return name
        symbol = symbol_of(name)
        if symbol is not None and ticker(symbol) not in self._hub.channels:
            raise self._unknown_symbol(symbol)
        raise Denied("unknown_channel", f"unknown channel {name!r}")

    def _check_owner(self, client: Client, name: str) -> None:
        """Private channels are their user's, and an admin's; those of a user come into being when first asked for."""
        user = _user_of(client, name)
        kind, id, *_ = [*name.split(":"), ""]
        owner = id if kind == "user" else owner_of(id)
        if owner is None or (owner != user.id and not (user.admin and is_name(owner))):
            raise Denied("access_denied", "Access denied")
        self._bots.ensure(owner)
        self._notifications.ensure(owner)

    def _unknown_symbol(self, symbol: str) -> Denied:
        return Denied("unknown_symbol", partial(self._advise, symbol))

    def _advise(self, symbol: str) -> str:
        symbols = [known for known in map(symbol_of, self._hub.channels) if known is not None]
        served = list(dict.fromkeys(symbols))
        near = nearest(symbol, served)
        advice = f"did you mean {near}?" if near else f"served are {', '.join(served[:10])}"
        return f"unknown symbol {symbol!r}; {advice}"


def _user_of(client: Client, what: str) -> User:
    if client.user is None:
        raise Denied("auth_required", f"{what} needs a token" if ":" in what else f"{what} need a token")
    return client.user


def _names(args: list[Any]) -> list[str]:
    """The names in a list, in several arguments, or in one string; each once."""
    names = args[0] if len(args) == 1 and isinstance(args[0], list) else args
    if not names or not all(isinstance(name, str) for name in names):
        raise Denied("bad_request", "expected a list of names")
    if len(names) > MAX_NAMES:
        raise Denied("limit", f"{len(names)} names in one request; at most {MAX_NAMES} are taken")
    if (longest := max(map(len, names))) > MAX_LENGTH:
        raise Denied("bad_request", f"a name of {longest} characters; at most {MAX_LENGTH} are taken")
    return list(dict.fromkeys(names))

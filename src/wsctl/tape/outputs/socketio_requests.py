"""What clients of a played Socket.IO tape may ask for, in one namespace of it: as the platform has it, or a dialect."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final

from wsctl.clock import Clock
from wsctl.errors import WireError
from wsctl.model.channel import symbol_of
from wsctl.server.auth import User
from wsctl.server.requests import Client as Asking
from wsctl.server.requests import Denied, Requests
from wsctl.server.services.bots import bot_channels
from wsctl.wire.dialect import Dialect, Frame, Reply
from wsctl.wire.payload import Payload
from wsctl.wire.values import decode_json, encode_json

ANYBODY: Final = User("anybody", admin=True)
"""whoever comes: a replay protects nothing"""

Serve = Callable[..., Any]
"""(event, arguments, acknowledged=…) of one client: what it is acknowledged with"""
Room = Callable[[Asking], Serve]
"""what serves the clients of a namespace, by what a request needs of each"""


def room(dialect: Dialect | None, channels: Sequence[str], clock: Clock) -> Room:
    """For the channels of one namespace; without a dialect they are asked for as the platform's are."""
    if dialect is not None:
        return lambda client: DialectRequests(dialect, channels, client).handle
    requests = TapeRequests(channels, clock)
    return lambda client: partial(requests.handle, client)


class TapeBots:
    """Bots, users and whatever is theirs, as far as it is on the tape."""

    def __init__(self, channels: Collection[str]) -> None:
        ids = [name.split(":")[1] for name in channels if name.startswith("bot:")]
        self._ids = list(dict.fromkeys(ids))

    def ensure(self, user: str) -> None:
        """What is not on the tape does not come into being."""

    def bots_of(self, user: str) -> list[str]:
        """All there are, whoever's."""
        return self._ids


class _Board:
    """The channels of a namespace, by name."""

    def __init__(self, channels: Sequence[str]) -> None:
        self.channels: Mapping[str, None] = dict.fromkeys(channels)


class TapeRequests(Requests):
    """The platform's requests, served from a tape. Every other event a client may send is acknowledged, and no more."""

    def __init__(self, channels: Sequence[str], clock: Clock) -> None:
        bots = TapeBots(channels)
        super().__init__(_Board(channels), clock, bots, bots, max_subscriptions=len(channels))

    def handle(self, client: Asking, name: str, args: list[Any], *, acknowledged: bool) -> Payload:
        """Serve one event."""
        if name not in self._handlers:
            return {"ok": True}
        return super().handle(client, name, args, acknowledged=acknowledged)

    def _check_owner(self, client: Asking, name: str) -> None:
        """Nothing is private."""

    def _join_bot(self, client: Asking, id: str, feeds: tuple[str, ...]) -> None:
        recorded = tuple(feed for feed, channel in bot_channels(id).items() if channel in self._hub.channels)
        if not recorded:
            raise Denied("unknown_channel", f"bot {id!r} is not on the tape")
        super()._join_bot(client, id, tuple(feed for feed in feeds if feed in recorded))

    def _advise(self, symbol: str) -> str:
        others = [name for name in self._hub.channels if symbol_of(name) == symbol]
        return f"the tape has of {symbol} only {', '.join(others)}" if others else super()._advise(symbol)


class DialectRequests:
    """The requests of a dialect's file, of one client; an answer or a refusal that it gives is the acknowledgement."""

    def __init__(self, dialect: Dialect, channels: Collection[str], client: Asking) -> None:
        self._channels = channels
        self._client = client
        self._session = dialect.server("", self._exists)
        self._asked: dict[str, bool] = {}
        """names in the present request, and whether there is such a channel"""

    def handle(self, name: str, args: list[Any], *, acknowledged: bool) -> Any:
        """Serve one event. What the file does not know is acknowledged, and no more."""
        self._asked.clear()
        answer: Any = None
        for found in self._session.receive(encode_json([name, *args])):
            if isinstance(found, Reply):
                answer = _body(found.frame)
            else:
                change = self._client.subscribe if found.subscribe else self._client.unsubscribe
                for channel in found.channels:
                    change(channel)
        return self._answer() if answer is None else answer

    def _exists(self, channel: str) -> bool:
        self._asked[channel] = channel in self._channels
        return self._asked[channel]

    def _answer(self) -> Payload:
        """The platform's way, where the file says nothing."""
        refused = [name for name, known in self._asked.items() if not known]
        if not refused:
            return {"ok": True}
        subscribed = [name for name, known in self._asked.items() if known]
        message = f"the tape has no {', '.join(refused)}"
        no = {"ok": False, "code": "unknown_channel", "message": message}
        return {**no, "subscribed": subscribed, "refused": refused}


def _body(frame: Frame) -> Any:
    try:
        return decode_json(frame)
    except WireError:  # a plain text answers as well
        return frame

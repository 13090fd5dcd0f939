"""Dialect: a way of speaking over a raw WebSocket, with both ends of its conversations.

A session is fed frames and asked; it never awaits, logs or reads a clock. Whatever a peer sends, a session raises
WireError or nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from msgspec import Raw, Struct

from wsctl.model.event import CONNECTION, Event
from wsctl.wire.rest import Rest

Frame = str | bytes
"""One WebSocket message, text or bytes."""

Scheme = Literal["counter", "range", "chain", "monotonic", "none"]
"""How a channel's numbers prove order; `wsctl.checks` judges by these names."""

Carrier = Literal["websocket", "socketio"]
"""What carries a dialect's messages: WebSocket frames, or the events of Socket.IO, an argument each."""

Price = str | int | float
"""A price as it came: exchanges that quote it mean its digits."""


class Subscribed(Struct, frozen=True):
    """The server took these channels, as far as it says (client side)."""

    channels: tuple[str, ...]


class Unsubscribed(Struct, frozen=True):
    """The server dropped these channels, as far as it says (client side)."""

    channels: tuple[str, ...]


class Objected(Struct, frozen=True):
    """The server said no (client side); to which channels, as far as it says."""

    message: str
    channels: tuple[str, ...] = ()


class Notice(Struct, frozen=True):
    """The server spoke about the connection and no channel: a status, a heartbeat, a shutdown (client side)."""

    name: str
    data: Any = None


class Reply(Struct, frozen=True):
    """A frame to be sent back: a pong, an acknowledgement."""

    frame: Frame


class Asked(Struct, frozen=True):
    """A client asked for channels, or no longer wants them (server side); never one that it has, or has not."""

    subscribe: bool
    channels: tuple[str, ...]


class Link(Struct, frozen=True):
    """How a message ties to the one before it, where its scheme says more than `seq`."""

    first: int | None = None
    """the first id that the message covers, its `seq` being the last (scheme `range`)"""
    previous: int | None = None
    """the `seq` of the message before it (schemes `range` and `chain`)"""


class Quote(Struct, frozen=True):
    """What a message says about a market, for people who watch."""

    symbol: str | None = None
    """as the exchange spells it"""
    price: Price | None = None


class KeepAlive(Struct, frozen=True):
    """What a client sends so that the server does not take it for dead."""

    every: float
    """seconds"""
    frame: Frame


def as_event(said: Event | Notice) -> Event:
    """A Notice as an Event without channel, `connection:` before its name: checks know by it what nobody numbers."""
    return said if isinstance(said, Event) else Event(name=f"{CONNECTION}{said.name}", data=said.data)


Received = Event | Subscribed | Unsubscribed | Objected | Notice | Reply


class ClientSession(Protocol):
    """The client's side of one connection."""

    def open(self) -> list[Received]:
        """What is so without a frame: `Subscribed`, where the URL asked for channels."""

    def subscribe(self, channels: Sequence[str]) -> list[Frame]:
        """The frames that ask for channels; none where there is nothing to ask. Raises UsageError for a bad name."""

    def unsubscribe(self, channels: Sequence[str]) -> list[Frame]:
        """The frames that give channels up. Raises UsageError for a bad name."""

    def sent(self, frame: Frame) -> None:
        """Take note of a frame that another program sent on this connection: a tape holds such."""

    def receive(self, frame: Frame) -> list[Received]:
        """What a frame means. Raises WireError."""


class ServerSession(Protocol):
    """The exchange's side of one connection."""

    def open(self) -> list[Asked | Reply]:
        """What to do once the client is in: what the URL asks for, a greeting."""

    def receive(self, frame: Frame) -> list[Asked | Reply]:
        """What a client's frame means, and how the exchange answers it, in the order to do it. Raises WireError."""

    def publish(self, channel: str, payload: Any) -> Frame:
        """A payload (an Event's `data`, or its JSON as msgspec.Raw) as this connection is sent it."""


Exists = Callable[[str], bool]
"""Whether a server has a channel."""


def everything(channel: str) -> bool:
    """Of a server that has whatever is asked for."""
    return True


class Dialect(Protocol):
    """A way of speaking, by name."""

    @property
    def name(self) -> str:
        """What `--dialect` calls it."""

    @property
    def over(self) -> Carrier:
        """What carries its messages; over Socket.IO only `generic` knows how."""

    @property
    def acknowledges(self) -> bool:
        """Whether a client can tell that its subscriptions were taken."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Known exchange hosts, `host` or `host/path`: URLs to them pick the dialect."""

    @property
    def keep_alive(self) -> KeepAlive | None:
        """What a client sends when idle; None where WebSocket pings are enough."""

    def client(self, url: str) -> ClientSession:
        """The client's side of a connection to a URL, which may say what is subscribed and how payloads are wrapped."""

    def server(self, url: str, exists: Exists = everything) -> ServerSession:
        """The exchange's side of a connection to a URL, or to its path and query."""

    def channel(self, feed: str, symbol: str) -> str:
        """The channel of a symbol (BTC/USDT) for ticker, trades or orderbook. Raises UsageError where there is none."""

    def scheme(self, channel: str) -> Scheme:
        """How a channel's numbers prove order."""

    def link(self, channel: str, data: Any) -> Link:
        """How an Event of a channel, by its `data`, ties to the one before."""

    def quote(self, channel: str, data: Any) -> Quote:
        """What an Event of a channel, by its `data`, says about a market."""

    def payload(self, frame: Frame) -> Raw:
        """The `data` of a frame's Event as the JSON that stands there, to the byte; `publish` takes it."""

    def is_snapshot(self, channel: str, data: Any) -> bool:
        """Whether an Event of a channel, by its `data`, is the whole state that those after it change."""

    def restamped(self, channel: str, data: Any, sent_at: float) -> Any:
        """An Event's `data` with another time of sending, unix seconds, where it has one.

        Raises UsageError where nobody can say where it is written.
        """

    def rest(self) -> Rest | None:
        """What the exchange answers over HTTP beside its stream; None where nothing depends on the stream."""


NO_LINK = Link()
NO_QUOTE = Quote()

"""What a generic dialect's YAML file says: how to ask, how the server answers, where facts sit in a message.

Places are JMESPath expressions on the JSON of a message; over Socket.IO, on the argument of an event.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from wsctl.spec.typed import Duration, Names

Path = Annotated[str, Meta(min_length=1)]
Unit = Literal["s", "ms", "us", "ns", "iso"]
SchemeName = Literal["counter", "range", "chain", "monotonic", "none"]


class RequestSpec(Struct, frozen=True, kw_only=True):
    """How some channels are asked for, or given up. A channel goes by the first request that its name fits."""

    channels: Annotated[
        str, Meta(min_length=1, description="which: names with placeholders, such as book-{depth}:{pair}")
    ] = "{channel}"
    frame: Annotated[
        Any,
        Meta(
            description="what a client sends, a text or JSON, with {channel} and the placeholders of channels; a list "
            "of one item with placeholders is filled with an item per channel, and {channels} with all names"
        ),
    ]
    at_most: Annotated[int, Meta(ge=1, description="channels in one frame")] | None = None
    answer: Annotated[Any, Meta(description="how the server says yes")] = None
    refusal: Annotated[Any, Meta(description="how the server says that there is no such channel")] = None


class AnswerSpec(Struct, frozen=True, kw_only=True):
    """How a client knows an acknowledgement."""

    when: Annotated[Path, Meta(description="true of such a message")]
    channels: Annotated[Path, Meta(description="which channels it is about: {paths} to names, or to a list")] | None = (
        None
    )


class ErrorSpec(AnswerSpec, frozen=True, kw_only=True):
    """How a client knows an error."""

    message: Annotated[Path, Meta(description="what went wrong")]


class KeepAliveSpec(Struct, frozen=True, kw_only=True):
    """Messages that only show that the other side lives. WebSocket pings need none of this."""

    every: Annotated[Duration, Meta(gt=0, description="how often a client that is idle sends")] | None = None
    send: Annotated[Any, Meta(description="what it sends")] = None
    answer: Annotated[Any, Meta(description="what the server answers")] = None
    asked: Annotated[Any, Meta(description="what the server sends to see whether a client lives")] = None
    reply: Annotated[Any, Meta(description="what the client answers, with the placeholders of asked")] = None


class Places(Struct, frozen=True, kw_only=True):
    """Where facts sit in a message."""

    event: Annotated[Path, Meta(description="the message's type word")] | None = None
    seq: Annotated[Path, Meta(description="its number; of a range, the last")] | None = None
    first: Annotated[Path, Meta(description="the first number that it covers")] | None = None
    previous: Annotated[Path, Meta(description="the number of the message before it")] | None = None
    time: Annotated[Path, Meta(description="when the server sent it")] | None = None
    time_unit: Annotated[Unit, Meta(description="iso: a text with a zone")] | None = None
    symbol: Path | None = None
    price: Path | None = None
    snapshot: Annotated[Path, Meta(description="true of a whole state, such as a book, that others change")] | None = (
        None
    )
    scheme: Annotated[SchemeName, Meta(description="how numbers prove order")] | None = None


class MessageSpec(Places, frozen=True, kw_only=True):
    """Where facts sit in messages, as far as `channels` says nothing else."""

    channel: Annotated[Path, Meta(description="its name: a text with {paths}, such as {arg.channel}:{arg.instId}")]


class ChannelSpec(Places, frozen=True, kw_only=True):
    """Other places for some channels."""

    match: Annotated[str, Meta(min_length=1, description="which: names with placeholders, such as book-{depth}:{pair}")]


class FeedsSpec(Struct, frozen=True, kw_only=True):
    """The channel of a symbol, for each feed that there is."""

    ticker: str | None = None
    trades: str | None = None
    orderbook: str | None = None


class GenericSpec(Struct, frozen=True, kw_only=True):
    """A dialect."""

    name: Annotated[str, Meta(min_length=1)]
    hosts: Annotated[Names, Meta(description="known exchange hosts, or host/path")] = ()
    over: Annotated[Literal["websocket", "socketio"], Meta(description="what carries the messages")] = "websocket"
    greeting: Annotated[Any, Meta(description="the first frame that a server sends, unasked")] = None
    subscribe: RequestSpec | tuple[RequestSpec, ...]
    unsubscribe: RequestSpec | tuple[RequestSpec, ...] = ()
    echo: Annotated[Path, Meta(description="a key of a request that its answers repeat")] | None = None
    subscribed: AnswerSpec | None = None
    unsubscribed: AnswerSpec | None = None
    error: ErrorSpec | None = None
    keep_alive: KeepAliveSpec | None = None
    message: MessageSpec
    channels: Annotated[tuple[ChannelSpec, ...], Meta(description="the first that a name fits counts")] = ()
    feeds: Annotated[
        FeedsSpec,
        Meta(
            description="with {symbol}, {base} and {quote}; in lower case {symbol_lower}, {base_lower}, {quote_lower}"
        ),
    ] = FeedsSpec()
    assets: Annotated[dict[str, str], Meta(description="assets that are called otherwise here, such as BTC: XBT")] = {}

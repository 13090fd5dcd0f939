"""Generic: any JSON feed that a YAML file describes (`generic_spec`), both ends, without code.

An Event's `data` is the whole message, so that it can be sent again as it came.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from msgspec import Raw

from wsctl.errors import UsageError
from wsctl.model.event import Event
from wsctl.spec.document import Document
from wsctl.spec.typed import build
from wsctl.wire.dialect import (
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
from wsctl.wire.generic_parts import Compiler, Facts, Request
from wsctl.wire.generic_spec import GenericSpec
from wsctl.wire.paths import is_true
from wsctl.wire.template import FrameTemplate
from wsctl.wire.values import decode_json, encode_json, instant, integer, text, written

_REMEMBERED = 10_000
"""channels whose places are kept at hand; names come from the wire"""


class Generic:
    """A dialect as a document describes it. Raises UsageError, `file:line:column: what is wrong`."""

    def __init__(self, document: Document) -> None:
        spec = build(document, (), GenericSpec)
        compiler = Compiler(document, spec)
        self.name = spec.name
        self.hosts = spec.hosts
        self.over: Carrier = spec.over
        self.subscribe = compiler.requests("subscribe", spec.subscribe)
        self.unsubscribe = compiler.requests("unsubscribe", spec.unsubscribe)
        self.subscribed = compiler.answer("subscribed", spec.subscribed)
        self.unsubscribed = compiler.answer("unsubscribed", spec.unsubscribed)
        self.error = compiler.answer("error", spec.error)
        self.pings = compiler.pings(spec.keep_alive)
        self.greeting = compiler.frame("greeting", spec.greeting)
        self.echo = spec.echo
        self._name = compiler.name()
        self._facts = compiler.facts()
        self._channels = compiler.channels()
        self._feeds = compiler.feeds()
        self._assets = spec.assets
        self._remembered: dict[str, Facts] = {}

    @property
    def acknowledges(self) -> bool:
        return self.subscribed is not None

    @property
    def keep_alive(self) -> KeepAlive | None:
        return self.pings.keep_alive

    def client(self, url: str) -> "ClientSession":
        return ClientSession(self)

    def server(self, url: str, exists: Exists = everything) -> "ServerSession":
        return ServerSession(self, exists)

    def channel(self, feed: str, symbol: str) -> str:
        pattern = self._feeds.get(feed)
        if pattern is None:
            raise UsageError(
                f"{self.name} has no channel for {feed}", hint=f"it has {', '.join(self._feeds) or 'none'}"
            )
        base, slash, quote = symbol.partition("/")
        if not slash:
            raise UsageError(f"symbol {symbol!r} has no /; expected a pair, such as BTC/USDT")
        base, quote = self._assets.get(base, base), self._assets.get(quote, quote)
        spelled = {"symbol": f"{base}/{quote}", "base": base, "quote": quote}
        return pattern.fill(spelled | {f"{name}_lower": said.lower() for name, said in spelled.items()})

    def scheme(self, channel: str) -> Scheme:
        return self._facts_of(channel).scheme

    def link(self, channel: str, data: Any) -> Link:
        facts = self._facts_of(channel)
        return Link(integer(facts.first(data)), integer(facts.previous(data)))

    def quote(self, channel: str, data: Any) -> Quote:
        facts = self._facts_of(channel)
        price = facts.price(data)
        known = isinstance(price, str | int | float) and not isinstance(price, bool)
        return Quote(text(facts.symbol(data)), price if known else None)

    def payload(self, frame: Frame) -> Raw:
        return Raw(frame)

    def is_snapshot(self, channel: str, data: Any) -> bool:
        return is_true(self._facts_of(channel).snapshot(data))

    def restamped(self, channel: str, data: Any, sent_at: float) -> Any:
        facts = self._facts_of(channel)
        recorded = facts.time(data)
        if instant(recorded, facts.time_unit) is None:
            return data
        if facts.set_time is None:
            raise UsageError(
                f"{self.name}: the time of {channel} cannot be written, only read",
                hint="give `time` as keys and indexes, such as data[0].ts, or play without --restamp",
            )
        return facts.set_time(data, written(sent_at, facts.time_unit, recorded))

    def rest(self) -> None:
        """Nothing is known of it."""

    def read(self, message: Any, name: str | None = None) -> Event | Notice:
        """What a message says, whatever carried it; `name` is what an event was called there.

        A message without a channel speaks about the connection.
        """
        channel = self._name.find(message)
        facts = self._facts if channel is None else self._facts_of(channel)
        called = text(facts.event(message)) or name or "message"
        if channel is None:
            return Notice(called, message)
        return Event(
            name=called,
            channel=channel,
            seq=integer(facts.seq(message)),
            sent_at=instant(facts.time(message), facts.time_unit),
            data=message,
        )

    def _facts_of(self, channel: str) -> Facts:
        facts = self._remembered.get(channel)
        if facts is None:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            found = (facts for pattern, facts in self._channels if pattern.match(channel) is not None)
            facts = self._remembered[channel] = next(found, self._facts)
        return facts


class ClientSession:
    """The client's side."""

    def __init__(self, dialect: Generic) -> None:
        self._dialect = dialect

    def open(self) -> list[Received]:
        return []

    def subscribe(self, channels: Sequence[str]) -> list[Frame]:
        return _ask(self._dialect.name, self._dialect.subscribe, channels)

    def unsubscribe(self, channels: Sequence[str]) -> list[Frame]:
        return _ask(self._dialect.name, self._dialect.unsubscribe, channels)

    def sent(self, frame: Frame) -> None:
        """Nothing to note: messages name their channels themselves."""

    def receive(self, frame: Frame) -> list[Received]:
        pings = self._dialect.pings
        if _is_text(pings.asked, frame) or _is_text(pings.answer, frame):
            return self._ping(frame, None) or []
        message = decode_json(frame)
        found = self._ping(frame, message)
        return self._read(message) if found is None else found

    def _ping(self, frame: Frame, message: Any) -> list[Received] | None:
        """What a message that only keeps alive means; None where it is another."""
        pings = self._dialect.pings
        if pings.asked and pings.reply and (said := pings.asked.match(frame, message)) is not None:
            return [Reply(reply) for reply in pings.reply.write(said)]
        return [] if pings.answer and pings.answer.match(frame, message) is not None else None

    def _read(self, message: Any) -> list[Received]:
        dialect = self._dialect
        if dialect.error and dialect.error.fits(message):
            said = dialect.error.message(message)
            told = said if isinstance(said, str) else encode_json(message if said is None else said)
            return [Objected(told, dialect.error.names(message))]
        if dialect.subscribed and dialect.subscribed.fits(message):
            return [Subscribed(dialect.subscribed.names(message))]
        if dialect.unsubscribed and dialect.unsubscribed.fits(message):
            return [Unsubscribed(dialect.unsubscribed.names(message))]
        return [dialect.read(message)]


class ServerSession:
    """The exchange's side. What it does not understand it passes over, as long as it is JSON."""

    def __init__(self, dialect: Generic, exists: Exists) -> None:
        self._dialect = dialect
        self._exists = exists
        self._subscribed: dict[str, None] = {}

    def open(self) -> list[Asked | Reply]:
        greeting = self._dialect.greeting
        return [] if greeting is None else [Reply(frame) for frame in greeting.write([{}])]

    def receive(self, frame: Frame) -> list[Asked | Reply]:
        dialect, message = self._dialect, None
        requests = chain(dialect.subscribe, dialect.unsubscribe)
        texts = [dialect.pings.send, dialect.pings.reply, *(request.frame for request in requests)]
        if not any(_is_text(template, frame) for template in texts):
            message = decode_json(frame)
        extra = _echo(dialect.echo, message)
        send, answer = dialect.pings.send, dialect.pings.answer
        if send and send.match(frame, message) is not None:
            return [] if answer is None else [Reply(pong) for pong in answer.write([{}], extra)]
        for subscribe, known in ((True, dialect.subscribe), (False, dialect.unsubscribe)):
            for request in known:
                bindings = request.frame.match(frame, message)
                if bindings is not None:
                    return self._asked(subscribe, request, bindings, extra)
        return []

    def publish(self, channel: str, payload: Any) -> Frame:
        return encode_json(payload)

    def _asked(
        self, subscribe: bool, request: Request, bindings: list[dict[str, str]], extra: dict[str, Any]
    ) -> list[Asked | Reply]:
        """Answers to those that exist and to those that do not, then what is new."""
        named = {name: binding for binding in bindings if (name := request.channel(binding)) is not None}
        known = [name for name in named if not subscribe or self._exists(name)]
        found: list[Asked | Reply] = []
        for template, names in (
            (request.answer, known),
            (request.refusal, [name for name in named if name not in known]),
        ):
            if template and names:
                said = [{**named[name], **(request.binding(name) or {})} for name in names]
                found += [Reply(frame) for frame in template.write(said, extra)]
        changed = tuple(name for name in known if (name in self._subscribed) is not subscribe)
        for name in changed:
            if subscribe:
                self._subscribed[name] = None
            else:
                del self._subscribed[name]
        if changed:
            found.append(Asked(subscribe, changed))
        return found


def _ask(dialect: str, requests: Sequence[Request], channels: Sequence[str]) -> list[Frame]:
    """The frames for channels, each by the first request that its name fits."""
    sorted_out: dict[int, list[dict[str, str]]] = {}
    for channel in dict.fromkeys(channels):
        for index, request in enumerate(requests):
            binding = request.binding(channel)
            if binding is not None:
                sorted_out.setdefault(index, []).append(binding)
                break
        else:
            patterns = ", ".join(request.channels.text for request in requests)
            raise UsageError(f"{dialect} has no channel {channel!r}", hint=f"known: {patterns}" if patterns else None)
    frames: list[Frame] = []
    for index, bindings in sorted_out.items():
        request = requests[index]
        step = request.at_most or len(bindings)
        for start in range(0, len(bindings), step):
            frames += request.frame.write(bindings[start : start + step])
    return frames


def _is_text(template: FrameTemplate | None, frame: Frame) -> bool:
    return template is not None and template.is_text and template.match(frame, None) is not None


def _echo(key: str | None, message: Any) -> dict[str, Any]:
    return {key: message[key]} if key is not None and isinstance(message, dict) and key in message else {}

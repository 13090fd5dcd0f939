"""The parts of a generic dialect, compiled from its spec; mistakes are told with their place in the file."""

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from msgspec import Struct

from wsctl.errors import UsageError
from wsctl.spec.document import Document, Path, name_of
from wsctl.wire.dialect import KeepAlive, Scheme
from wsctl.wire.generic_spec import AnswerSpec, GenericSpec, KeepAliveSpec, Places, RequestSpec
from wsctl.wire.paths import Change, Search, compile_change, compile_path, is_true
from wsctl.wire.template import CHANNEL, FrameTemplate, Pattern
from wsctl.wire.values import text

FEEDS = ("ticker", "trades", "orderbook")
SYMBOL_NAMES = ("symbol", "base", "quote", "symbol_lower", "base_lower", "quote_lower")

_FACTS = ("event", "seq", "first", "previous", "time", "symbol", "price", "snapshot")
_PATH = re.compile(r"\{([^{}]+)\}")

T = TypeVar("T")


class NameTemplate:
    """A channel's name out of a message: a text with `{paths}`. Raises UsageError when there is none in it."""

    def __init__(self, written: str) -> None:
        parts = _split_paths(written)
        self._literals = parts[::2]
        self._paths = [compile_path(path) for path in parts[1::2]]

    def find(self, message: Any) -> str | None:
        """The name; None where a path finds neither text nor number."""
        name = self._literals[0]
        for search, literal in zip(self._paths, self._literals[1:], strict=True):
            found = _named(search(message))
            if found is None:
                return None
            name += found + literal
        return name

    def find_all(self, message: Any) -> tuple[str, ...]:
        """The names, several where the only path finds a list."""
        found = self._paths[0](message) if len(self._paths) == 1 else None
        if isinstance(found, list):
            before, after = self._literals
            return tuple(f"{before}{name}{after}" for name in map(_named, found) if name is not None)
        name = self.find(message)
        return () if name is None else (name,)


class Facts(Struct, frozen=True):
    """Where facts sit in the messages of one channel, compiled."""

    scheme: Scheme
    time_unit: str
    event: Search
    seq: Search
    first: Search
    previous: Search
    time: Search
    symbol: Search
    price: Search
    snapshot: Search
    set_time: Change | None
    """None where the time has no plain place, or none at all"""


class Request(Struct, frozen=True):
    """How some channels are asked for, compiled."""

    channels: Pattern
    frame: FrameTemplate
    at_most: int | None
    answer: FrameTemplate | None
    refusal: FrameTemplate | None

    def binding(self, channel: str) -> dict[str, str] | None:
        """What the placeholders stand for with a channel; None where this is not how it is asked for."""
        found = self.channels.match(channel)
        return None if found is None else {**found, CHANNEL: channel}

    def channel(self, binding: dict[str, str]) -> str | None:
        """The channel that a recognised frame asks for."""
        if CHANNEL in binding:
            return binding[CHANNEL]
        return self.channels.fill(binding) if binding.keys() >= set(self.channels.names) else None


class Answer(Struct, frozen=True):
    """How a client knows an acknowledgement or an error, compiled."""

    when: Search
    channels: NameTemplate | None
    message: Search

    def fits(self, message: Any) -> bool:
        """Whether a message is one."""
        return is_true(self.when(message))

    def names(self, message: Any) -> tuple[str, ...]:
        """The channels that it names."""
        return self.channels.find_all(message) if self.channels else ()


class Pings(Struct, frozen=True):
    """Keeping a connection alive, compiled."""

    keep_alive: KeepAlive | None
    send: FrameTemplate | None
    answer: FrameTemplate | None
    asked: FrameTemplate | None
    reply: FrameTemplate | None


class Compiler:
    """Compiles a spec. Every method raises UsageError with the place of what is wrong."""

    def __init__(self, document: Document, spec: GenericSpec) -> None:
        self._document = document
        self._spec = spec

    def requests(self, key: str, spec: RequestSpec | tuple[RequestSpec, ...]) -> tuple[Request, ...]:
        """What `subscribe` or `unsubscribe` says."""
        if isinstance(spec, tuple):
            return tuple(self._request((key, index), each) for index, each in enumerate(spec))
        return (self._request((key,), spec),)

    def answer(self, key: str, spec: AnswerSpec | None) -> Answer | None:
        """What `subscribed`, `unsubscribed` or `error` says."""
        if spec is None:
            return None
        message = getattr(spec, "message", None)
        return Answer(
            self._path((key, "when"), spec.when),
            None if spec.channels is None else self._at((key, "channels"), NameTemplate, spec.channels),
            self._path((key, "message"), message),
        )

    def pings(self, spec: KeepAliveSpec | None) -> Pings:
        """What `keep_alive` says."""
        if spec is None:
            return Pings(None, None, None, None, None)
        send, answer = self._ping("send", spec.send), self._ping("answer", spec.answer)
        for one, other, key in (
            (spec.every, spec.send, "send"),
            (spec.send, spec.every, "every"),
            (spec.answer, spec.send, "send"),
            (spec.asked, spec.reply, "reply"),
            (spec.reply, spec.asked, "asked"),
        ):
            if one is not None and other is None:
                raise self._document.value_error(("keep_alive",), f"keep_alive lacks {key!r}")
        asked = reply = None
        if spec.asked is not None:
            asked = self._frame(("keep_alive", "asked"), spec.asked, None)
            reply = self._frame(("keep_alive", "reply"), spec.reply, asked.names)
        keep_alive = KeepAlive(spec.every, send.write([{}])[0]) if spec.every is not None and send else None
        return Pings(keep_alive, send, answer, asked, reply)

    def frame(self, key: str, written: Any) -> FrameTemplate | None:
        """A frame without placeholders."""
        return None if written is None else self._frame((key,), written, ())

    def name(self) -> NameTemplate:
        """What `message.channel` says."""
        return self._at(("message", "channel"), NameTemplate, self._spec.message.channel)

    def facts(self) -> Facts:
        """Where facts sit unless `channels` says otherwise."""
        return self._facts(("message",), self._spec.message)

    def channels(self) -> tuple[tuple[Pattern, Facts], ...]:
        """What `channels` says: the names, and where facts sit in their messages."""
        return tuple(
            (self._at(("channels", index, "match"), Pattern, spec.match), self._facts(("channels", index), spec))
            for index, spec in enumerate(self._spec.channels)
        )

    def feeds(self) -> dict[str, Pattern]:
        """What `feeds` says."""
        found = {}
        for feed in FEEDS:
            written = getattr(self._spec.feeds, feed)
            if written is not None:
                pattern = found[feed] = self._at(("feeds", feed), Pattern, written)
                self._check_names(("feeds", feed), pattern)
        return found

    def _check_names(self, path: Path, pattern: Pattern) -> None:
        for name in pattern.names:
            if name not in SYMBOL_NAMES:
                known = ", ".join(f"{{{known}}}" for known in SYMBOL_NAMES)
                message = f"{name_of(path)}: unknown placeholder {{{name}}}"
                raise self._document.value_error(path, message, hint=f"known: {known}")

    def _request(self, path: Path, spec: RequestSpec) -> Request:
        channels = self._at((*path, "channels"), Pattern, spec.channels)
        known = (*channels.names, CHANNEL)
        return Request(
            channels,
            self._frame((*path, "frame"), spec.frame, known),
            spec.at_most,
            None if spec.answer is None else self._frame((*path, "answer"), spec.answer, known),
            None if spec.refusal is None else self._frame((*path, "refusal"), spec.refusal, known),
        )

    def _facts(self, path: Path, places: Places) -> Facts:
        """Each place of a channel, or else that of `message`."""
        general = self._spec.message

        def search(key: str) -> Search:
            own = getattr(places, key)
            return self._path((*path, key), own) if own else self._path(("message", key), getattr(general, key))

        unit = places.time_unit or general.time_unit
        if places.time and unit is None:
            place = (*path, "time")
            raise self._document.value_error(
                place, f"{name_of(place)} has no unit", hint="time_unit: s, ms, us, ns, iso"
            )
        numbered = places.seq or general.seq
        return Facts(
            scheme=places.scheme or general.scheme or ("counter" if numbered else "none"),
            time_unit=unit or "iso",
            set_time=compile_change(places.time or general.time),
            **{key: search(key) for key in _FACTS},
        )

    def _path(self, path: Path, written: str | None) -> Search:
        return _nothing if written is None else self._at(path, compile_path, written)

    def _ping(self, key: str, written: Any) -> FrameTemplate | None:
        return None if written is None else self._frame(("keep_alive", key), written, ())

    def _frame(self, path: Path, written: Any, known: Iterable[str] | None) -> FrameTemplate:
        return self._at(path, lambda frame: FrameTemplate(frame, known), written)

    def _at(self, path: Path, make: Callable[[Any], T], written: Any) -> T:
        try:
            return make(written)
        except UsageError as error:
            message = f"{name_of(path)}: {error.message}"
            raise self._document.value_error(path, message, hint=error.hint) from error


def _nothing(message: Any) -> None:
    """A fact that has no place."""


def _split_paths(written: str) -> list[str]:
    """Literal, path, literal, …"""
    parts = _PATH.split(written)
    if len(parts) == 1 or any("{" in literal or "}" in literal for literal in parts[::2]):
        raise UsageError(f"no {{path}} in {written!r}", hint="channels read {path}, such as {arg.channel}:{arg.instId}")
    return parts


def _named(value: Any) -> str | None:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)

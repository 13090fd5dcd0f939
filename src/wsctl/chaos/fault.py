"""Fault: one way to harm a stream. Here is what all have in common: whom they mean, how often, and when.

A fault is a file in `faults/`: a struct of options, a class, and a line in the registry. It overrides what it needs of
`on_message`, `on_other`, `on_frame`, `at_door`, `opened`, `begin` and `end`; it counts and tells with `fire`.

Chance is decided by the seed, the fault's name, the connection's number and the direction alone, so that the same seed
decides alike whatever the interleaving.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Literal, TypeVar

from msgspec import Meta, Struct, field, structs

from wsctl.chaos.chance import Chance
from wsctl.chaos.door import Door
from wsctl.chaos.message import Kind, Message
from wsctl.errors import UsageError
from wsctl.spec.kinds import Duration
from wsctl.spec.units import format_duration
from wsctl.wire.frames import RawFrame

if TYPE_CHECKING:
    from wsctl.chaos.connection import Connection
    from wsctl.chaos.proxy import Proxy
    from wsctl.chaos.stream import Stream

Probability = Annotated[float, Meta(ge=0, le=1)]


OF_MESSAGES = ("event", "channel", "symbol", "kind")
"""options that say which messages are meant"""


class FaultSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Options that every fault has, but for those that mean nothing to it."""

    unheeded: ClassVar[tuple[str, ...]] = ()
    """keys of options here that mean nothing to the fault, and are refused"""
    instead: ClassVar[str] = ""
    """why, and what to use instead"""

    enabled: Annotated[bool, Meta(description="false: it is there, and does nothing.")] = True
    direction: Annotated[Literal["down", "up", "both"], Meta(description="down: from the server to its clients.")] = (
        "down"
    )
    event: Annotated[str | None, Meta(description="Only messages with this event; * stands for anything.")] = None
    channel: Annotated[str | None, Meta(description="Only messages about this channel; * stands for anything.")] = None
    symbol: Annotated[str | None, Meta(description="Only messages about this symbol.")] = None
    kind: Annotated[Kind | None, Meta(description="Only messages of this kind; else events of the feed.")] = None
    p: Annotated[float, Meta(ge=0, le=1, description="Share of the messages that match, each by itself.")] = 1.0
    p_connection: Annotated[float, Meta(ge=0, le=1, description="Share of the connections, each by itself.")] = 1.0
    nth: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="Only every n-th that matches.")] = None
    times: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="At most so often, all together.")] = None
    at: Annotated[Duration, Meta(ge=0, description="So long after it came in.")] = 0.0
    lasts: Annotated[Annotated[Duration, Meta(gt=0)] | None, Meta(description="For so long; else for good.")] = field(
        name="for", default=None
    )
    every: Annotated[Annotated[Duration, Meta(gt=0)] | None, Meta(description="Again and again, so far apart.")] = None

    def __post_init__(self) -> None:
        if self.every is not None and self.lasts is not None and self.lasts >= self.every:
            lasts, every = format_duration(self.lasts), format_duration(self.every)
            raise UsageError(f"for {lasts} every {every} has no end; expected every to be longer")
        for option in structs.fields(FaultSpec):
            if option.encode_name in self.unheeded and getattr(self, option.name) != option.default:
                raise UsageError(f"{option.encode_name} means nothing here: {self.instead}")

    @property
    def names_messages(self) -> bool:
        """Whether it says which messages the fault is about, and not just whose."""
        return self.nth is not None or self.p < 1 or any(getattr(self, key) is not None for key in OF_MESSAGES)


Spec = TypeVar("Spec", bound=FaultSpec)


class Fault(Generic[Spec]):
    """One fault of a proxy. `matched` and `applied` are counts since it came in."""

    type_name: ClassVar[str]
    options: ClassVar[type[FaultSpec]]
    kinds: ClassVar[frozenset[Kind]] = frozenset({"event"})
    """messages that it means unless told otherwise; the transport's own and acknowledgements are spared"""

    def __init__(self, name: str, spec: Spec, proxy: "Proxy") -> None:
        self.name = name
        self.spec = spec
        self.proxy = proxy
        self.came_in = proxy.clock.monotonic()
        self.matched = 0
        self.applied = 0
        self._is_time = False
        self._timer: asyncio.TimerHandle | None = None
        self._chances: dict[int, Chance] = {}
        """by connection"""

    # What a fault may do

    def on_message(self, message: Message, stream: "Stream") -> Sequence[Message]:
        """What goes on in the place of a message that the fault means; `stream.hold` keeps one for later."""
        return (message,)

    def on_other(self, message: Message, stream: "Stream") -> Sequence[Message] | None:
        """What goes on in the place of one that it does not mean; None: that one."""
        return None

    def on_frame(self, frame: RawFrame, stream: "Stream") -> bool:
        """Whether a ping or pong of WebSocket goes on."""
        return True

    def at_door(self, connection: "Connection") -> Door | None:
        """What a client meets that wants in; None: nothing of ours."""
        return None

    @property
    def shuts(self) -> bool:
        """Whether it keeps everybody out, polling and plain HTTP included: who comes is reset."""
        return False

    def opened(self, connection: "Connection") -> None:
        """A connection has become a WebSocket."""

    def begin(self) -> None:
        """Its time has come: at `at`, and each `every` from then."""

    def end(self) -> None:
        """Its time is over, or it is taken away: whatever it holds goes on."""

    # When

    def start(self) -> None:
        """It has come in: `begin` and `end` are called at their times."""
        if self.spec.enabled:
            self._begin_at(self.came_in + self.spec.at)

    def stop(self) -> None:
        """It is taken away."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._end()

    def _begin_at(self, when: float) -> None:
        if when <= self.proxy.clock.monotonic():
            self._begin(when)  # at once: nobody slips through
        else:
            self._call_at(when, lambda: self._begin(when))

    def _begin(self, when: float) -> None:
        self._is_time = True
        again = None if self.spec.every is None else when + self.spec.every
        if self.spec.lasts is not None:
            self._call_at(when + self.spec.lasts, lambda: self._end(again))
        elif again is not None:
            self._call_at(again, lambda: self._begin(again))
        self.begin()

    def _end(self, again: float | None = None) -> None:
        if self._is_time:
            self._is_time = False
            self.end()
        if again is not None:
            self._begin_at(again)

    def _call_at(self, when: float, then: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_at(when, self.proxy.guarded(then))

    def left(self, connection: "Connection") -> None:
        """A connection is over."""
        self._chances.pop(connection.number, None)

    # Whom it means

    @property
    def is_on(self) -> bool:
        """Whether it is enabled, within its time, and not yet spent."""
        return self._is_time and (self.spec.times is None or self.applied < self.spec.times)

    @property
    def takes_messages(self) -> bool:
        """Whether it looks at messages at all."""
        return type(self).on_message is not Fault.on_message

    def means(self, message: Message, stream: "Stream") -> bool:
        """Whether it strikes this message: it is on, the message matches, and chance has it so."""
        return self.is_on and self._matches(message) and self.strikes(stream)

    def means_connection(self, connection: "Connection") -> bool:
        """Whether it is on, and the connection is one of those that it means."""
        return self.is_on and self._chance(connection).is_meant

    def strikes(self, stream: "Stream") -> bool:
        """Whether it strikes something of a stream that it is about: `nth` counts those, `p` is for each."""
        chance = self._chance(stream.connection)
        if not chance.is_meant:
            return False
        self.matched += 1
        chance.counts[stream.direction] += 1
        return self._falls(chance.counts[stream.direction], chance.dice(stream.direction))

    def strikes_at_door(self, connection: "Connection") -> bool:
        """Whether it is on and strikes the handshake of a client; here `nth` counts those of all connections."""
        if not self.means_connection(connection):
            return False
        self.matched += 1
        return self._falls(self.matched, self._chance(connection).dice("door"))

    def spare(self, connection: "Connection") -> None:
        """It is not one of those that the fault means, from now on."""
        self._chance(connection).is_meant = False

    @cached_property
    def own_dice(self) -> Random:
        """For what chance decides about all connections together."""
        return Random(f"{self.proxy.seed} {self.name}")  # noqa: S311 - a seed is the point

    def dice(self, stream: "Stream") -> Random:
        """For whatever else chance decides about a stream."""
        return self._chance(stream.connection).dice(stream.direction)

    def fire(
        self,
        action: str,
        connection: "Connection | None" = None,
        message: Message | None = None,
        detail: str | None = None,
    ) -> None:
        """It struck: count it, and tell."""
        self.applied += 1
        self.proxy.tell(self, action, connection, message, detail, is_strike=True)

    def means_direction(self, direction: str) -> bool:
        """Whether it is about this direction."""
        return self.spec.direction in (direction, "both")

    def _matches(self, message: Message) -> bool:
        spec = self.spec
        if not self.means_direction(message.direction) or message.kind not in self._kinds:
            return False
        if self._asks_nothing:
            return True
        event = message.event
        return (
            event is not None
            and (self._event is None or self._event.fullmatch(event.name) is not None)
            and (self._channel is None or (event.channel is not None and bool(self._channel.fullmatch(event.channel))))
            and (spec.symbol is None or message.symbol == spec.symbol)
        )

    @cached_property
    def _kinds(self) -> frozenset[Kind]:
        return self.kinds if self.spec.kind is None else frozenset({self.spec.kind})

    @cached_property
    def _asks_nothing(self) -> bool:
        return self.spec.event is self.spec.channel is self.spec.symbol is None

    @cached_property
    def _event(self) -> re.Pattern[str] | None:
        return _pattern(self.spec.event)

    @cached_property
    def _channel(self) -> re.Pattern[str] | None:
        return _pattern(self.spec.channel)

    def _falls(self, count: int, dice: Random) -> bool:
        """Whether the one of this number is struck."""
        if self.spec.nth is not None and count % self.spec.nth:
            return False
        return self.spec.p >= 1 or dice.random() < self.spec.p

    def _chance(self, connection: "Connection") -> Chance:
        chance = self._chances.get(connection.number)
        if chance is None:
            seed = f"{self.proxy.seed} {self.name} {connection.number}"
            chance = self._chances[connection.number] = Chance(seed, self.spec.p_connection)
        return chance


def _pattern(text: str | None) -> re.Pattern[str] | None:
    """A name in which * stands for anything."""
    return None if text is None else re.compile(".*".join(map(re.escape, text.split("*"))))


AnyFault = Fault[Any]

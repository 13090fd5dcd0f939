"""Fault: one way to harm a stream. Here is what all have in common: whom they mean, how often, and when.

A fault is a file in `faults/`: a struct of options, a class, and a line in the registry. It overrides what it needs of
`on_message`, `on_frame`, `at_door`, `begin` and `end`; it counts and tells with `fire`.

Chance is decided by the seed, the fault's name and the connection's number alone, so that the same seed decides alike
whatever the interleaving.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Literal, TypeVar

from msgspec import Meta, Struct, field

from wsctl.chaos.door import Door
from wsctl.chaos.message import Kind, Message
from wsctl.spec.kinds import Duration
from wsctl.wire.frames import RawFrame

if TYPE_CHECKING:
    from wsctl.chaos.connection import Connection
    from wsctl.chaos.proxy import Proxy
    from wsctl.chaos.stream import Stream

Probability = Annotated[float, Meta(ge=0, le=1)]


class FaultSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Options that every fault has."""

    enabled: bool = True
    direction: Annotated[Literal["down", "up", "both"], Meta(description="down: from the server to its clients.")] = (
        "down"
    )
    event: Annotated[str | None, Meta(description="Only messages with this event; * stands for anything.")] = None
    channel: Annotated[str | None, Meta(description="Only messages about this channel; * stands for anything.")] = None
    symbol: Annotated[str | None, Meta(description="Only messages about this symbol.")] = None
    kind: Annotated[Kind | None, Meta(description="Only messages of this kind; else events of the feed.")] = None
    p: Annotated[float, Meta(ge=0, le=1, description="Share of the messages that match, each by itself.")] = 1.0
    p_connection: Annotated[float, Meta(ge=0, le=1, description="Share of the connections, each by itself.")] = 1.0
    nth: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="Only every so-manieth that matches.")] = None
    times: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="At most so often, all together.")] = None
    at: Annotated[Duration, Meta(ge=0, description="So long after it came in.")] = 0.0
    lasts: Annotated[Duration | None, Meta(description="For so long; else for good.")] = field(name="for", default=None)
    every: Annotated[Duration | None, Meta(description="Again and again, so far apart.")] = None


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
        self._timer: asyncio.TimerHandle | None = None
        self._chances: dict[int, tuple[bool, Random]] = {}
        """by connection: whether it is one of those that the fault means, and its own dice"""
        self._counts: dict[int, int] = {}
        """messages that matched, by connection"""

    # What a fault may do

    def on_message(self, message: Message, stream: "Stream") -> Sequence[Message]:
        """What goes on in the place of a message that the fault means. It may let others follow: `stream.release`."""
        return (message,)

    def passed(self, message: Message, stream: "Stream") -> None:
        """A message that the fault did not mean has gone on."""

    def on_frame(self, frame: RawFrame, stream: "Stream") -> bool:
        """Whether a ping or pong of WebSocket goes on."""
        return True

    def at_door(self, connection: "Connection") -> Door | None:
        """What a client meets that wants in; None: nothing of ours."""
        return None

    def opened(self, connection: "Connection") -> None:
        """A connection has become a WebSocket."""

    def begin(self) -> None:
        """Its time has come: at `at`, and each `every` from then."""

    def end(self) -> None:
        """Its time is over, or it is taken away: whatever it holds goes on."""

    # When

    def start(self) -> None:
        """It has come in: `begin` and `end` are called at their times, `begin` at once where there is no `at`."""
        if self.spec.at:
            self._call_at(self.came_in + self.spec.at, self._begin)
        else:
            self._begin()

    def stop(self) -> None:
        """It is taken away."""
        if self._timer is not None:
            self._timer.cancel()
        self.end()

    def _begin(self) -> None:
        began = self.proxy.clock.monotonic()
        if self.spec.enabled:
            self.begin()
        if self.spec.lasts is not None:
            self._call_at(began + self.spec.lasts, lambda: self._end(began))
        elif self.spec.every is not None:
            self._call_at(began + self.spec.every, self._begin)

    def _end(self, began: float) -> None:
        self.end()
        if self.spec.every is not None:
            self._call_at(began + self.spec.every, self._begin)

    def _call_at(self, when: float, then: Callable[[], None]) -> None:
        left = max(0.0, when - self.proxy.clock.monotonic())
        self._timer = asyncio.get_running_loop().call_later(left, then)

    def left(self, connection: "Connection") -> None:
        """A connection is over."""
        self._chances.pop(connection.number, None)
        self._counts.pop(connection.number, None)

    # Whom it means

    @property
    def is_on(self) -> bool:
        """Whether it is enabled, within its time, and not yet spent."""
        spec = self.spec
        if not spec.enabled or (spec.times is not None and self.applied >= spec.times):
            return False
        since = self.proxy.clock.monotonic() - self.came_in - spec.at
        if since < 0:
            return False
        if spec.every is not None:
            since %= spec.every
        return spec.lasts is None or since < spec.lasts

    def means(self, message: Message, stream: "Stream") -> bool:
        """Whether it strikes this message: it is on, the message matches, and chance has it so."""
        if not self.is_on or not self._matches(message):
            return False
        meant, dice = self._chance(stream.connection)
        if not meant:
            return False
        self.matched += 1
        number = stream.connection.number
        count = self._counts[number] = self._counts.get(number, 0) + 1
        if self.spec.nth is not None and count % self.spec.nth:
            return False
        return self.spec.p >= 1 or dice.random() < self.spec.p

    def means_connection(self, connection: "Connection") -> bool:
        """Whether it is on, and the connection is one of those that it means."""
        return self.is_on and self._chance(connection)[0]

    def strikes_at_door(self, connection: "Connection") -> bool:
        """Whether it is on and strikes a client that wants in; `nth` counts those, `p` is for each of them."""
        if not self.means_connection(connection):
            return False
        self.matched += 1
        if self.spec.nth is not None and self.matched % self.spec.nth:
            return False
        return self.spec.p >= 1 or self.dice(connection).random() < self.spec.p

    @cached_property
    def own_dice(self) -> Random:
        """For what chance decides about all connections together."""
        return Random(f"{self.proxy.seed} {self.name}")  # noqa: S311 - a seed is the point

    @property
    def waits_for_message(self) -> bool:
        """Whether its options say which message it is about."""
        return not self._asks_nothing or self.spec.nth is not None or self.spec.p < 1

    def dice(self, connection: "Connection") -> Random:
        """For whatever else chance decides about a connection."""
        return self._chance(connection)[1]

    def fire(
        self,
        action: str,
        connection: "Connection | None" = None,
        message: Message | None = None,
        detail: str | None = None,
    ) -> None:
        """It struck: count it, and tell."""
        self.applied += 1
        self.proxy.tell(self, action, connection, message, detail)

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

    def _chance(self, connection: "Connection") -> tuple[bool, Random]:
        chance = self._chances.get(connection.number)
        if chance is None:
            dice = Random(f"{self.proxy.seed} {self.name} {connection.number}")  # noqa: S311 - a seed is the point
            chance = self._chances[connection.number] = (dice.random() < self.spec.p_connection, dice)
        return chance


def _pattern(text: str | None) -> re.Pattern[str] | None:
    """A name in which * stands for anything."""
    return None if text is None else re.compile(".*".join(map(re.escape, text.split("*"))))


AnyFault = Fault[Any]

"""limit: so much and no more, as exchanges have it: connections, attempts, messages, streams."""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Annotated, Any

from msgspec import Meta

from wsctl.chaos.connection import Connection
from wsctl.chaos.door import Door, Reject
from wsctl.chaos.fault import OF_MESSAGES, Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream
from wsctl.errors import UsageError, WireError
from wsctl.spec.kinds import Duration
from wsctl.wire.dialect import Asked, Reply, ServerSession

TOO_MANY = 429
POLICY = 1008


class LimitSpec(FaultSpec, frozen=True, kw_only=True):
    """More than this is refused: handshakes with 429, messages and streams by closing the connection with 1008."""

    unheeded = ("direction", *OF_MESSAGES, "p", "nth")
    instead = "whatever a client asks for and says is counted; expected p_connection, for a share of the connections"

    connections: Annotated[Annotated[int, Meta(ge=0)] | None, Meta(description="Open at once, by address.")] = None
    attempts: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="Handshakes in a window, by address.")] = (
        None
    )
    window: Annotated[Duration, Meta(gt=0, description="Of attempts.")] = 300.0
    messages: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="From a client, in a second.")] = None

    streams: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="That a client has asked for, where a raw dialect is spoken."),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.connections is self.attempts is self.messages is self.streams is None:
            raise UsageError("limit limits nothing; expected connections, attempts, messages or streams")


class Limit(Fault[LimitSpec]):
    """Refuses what is too much."""

    type_name = "limit"
    options = LimitSpec

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._attempts: dict[str, _Window] = {}
        """by address, those first that tried nothing for longest; none is kept for longer than its window"""
        self._let_in: dict[str, set[int]] = {}
        """connections by address, also those that are still in their handshake"""
        self._sent: dict[int, _Window] = {}
        """by connection"""
        self._asked_for: dict[int, _Streams] = {}
        """by connection"""
        if self.spec.streams is not None and self.proxy.dialect is None:
            raise UsageError("streams are counted where a raw dialect is spoken", hint="name it with --dialect")

    def at_door(self, connection: Connection) -> Door | None:
        """Count, and refuse; attempts that are refused count as well."""
        spec = self.spec
        if spec.attempts is spec.connections is None or not self.means_connection(connection):
            return None
        self.matched += 1
        now, address = self.proxy.clock.monotonic(), connection.address
        if self.spec.attempts is not None:
            wait = self._try(address, self.spec.attempts, now)
            if wait is not None:
                retry = ("Retry-After", str(math.ceil(wait)))  # never too early: who came then would be refused again
                return self._refuse(connection, f"more than {self.spec.attempts} attempts", retry)
        if self.spec.connections is not None:
            there = self._let_in.get(address, set())
            if len(there - {connection.number}) >= self.spec.connections:
                return self._refuse(connection, f"more than {self.spec.connections} connections")
            self._let(connection)
        return None

    def begin(self) -> None:
        """Those that are there already count as well."""
        for connection in self.proxy.connections.values():
            self._let(connection)

    def opened(self, connection: Connection) -> None:
        """And those that come while it is off."""
        self._let(connection)

    def _let(self, connection: Connection) -> None:
        self._let_in.setdefault(connection.address, set()).add(connection.number)

    def _try(self, address: str, most: int, now: float) -> float | None:
        """One more attempt; seconds until one would be let through, where this one is too many."""
        while self._attempts and next(iter(self._attempts.values())).is_over(now):
            del self._attempts[next(iter(self._attempts))]
        tried = self._attempts.pop(address, None) or _Window(most, self.spec.window)
        self._attempts[address] = tried
        return tried.add(now)

    def means(self, message: Message, stream: Stream) -> bool:
        """Whatever a client says, counts."""
        limits = self.spec.messages is not None or self.spec.streams is not None
        return limits and message.direction == "up" and self.means_connection(stream.connection)

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """It goes on, unless it is one too many, or asks for too much."""
        self.matched += 1
        too_many = self._too_many(message, stream.connection)
        if too_many is None:
            return (message,)
        self.fire("closed", stream.connection, message, detail=f"{POLICY} more than {too_many}")
        stream.connection.close(POLICY, f"more than {too_many}")
        return ()

    def _too_many(self, message: Message, connection: Connection) -> str | None:
        number = connection.number
        if self.spec.messages is not None:
            sent = self._sent.setdefault(number, _Window(self.spec.messages, 1.0))
            if sent.add(self.proxy.clock.monotonic()) is not None:
                return f"{self.spec.messages} messages in a second"
        if self.spec.streams is not None:
            assert self.proxy.dialect is not None, "it was asked for"
            if number not in self._asked_for:
                self._asked_for[number] = _Streams(self.proxy.dialect.server(connection.target))
            if self._asked_for[number].after(message) > self.spec.streams:
                return f"{self.spec.streams} streams"
        return None

    def left(self, connection: Connection) -> None:
        """It counts no more."""
        super().left(connection)
        there = self._let_in.get(connection.address)
        if there is not None:
            there.discard(connection.number)
            if not there:
                del self._let_in[connection.address]
        self._sent.pop(connection.number, None)
        self._asked_for.pop(connection.number, None)

    def _refuse(self, connection: Connection, what: str, *headers: tuple[str, str]) -> Door:
        self.fire("rejected", connection, detail=f"{TOO_MANY} {what}")
        return Reject(TOO_MANY, headers)


class _Streams:
    """What a client has asked for, read as its server reads it."""

    def __init__(self, session: ServerSession) -> None:
        self._session = session
        self._names: set[str] = set()
        self._take(session.open())

    def after(self, message: Message) -> int:
        """How many they are with a message of the client's."""
        with suppress(WireError):  # not for us to answer
            self._take(self._session.receive(message.content.decode("utf-8", "replace")))
        return len(self._names)

    def _take(self, said: Iterable[Asked | Reply]) -> None:
        for one in said:
            if isinstance(one, Asked):
                (self._names.update if one.subscribe else self._names.difference_update)(one.channels)


class _Window:
    """So many within so many seconds, of whatever is counted."""

    def __init__(self, most: int, seconds: float) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=most)
        """of the latest: no more have to be known"""

    def add(self, now: float) -> float | None:
        """One more; seconds until one would be let through, where this one is too many."""
        oldest = self._times[0] if len(self._times) == self._times.maxlen else None
        self._times.append(now)
        if oldest is None or oldest + self._seconds <= now:
            return None
        return self._times[0] + self._seconds - now

    def is_over(self, now: float) -> bool:
        """Whether all that was counted is forgotten."""
        return self._times[-1] + self._seconds <= now

"""limit: so much and no more, as exchanges have it: connections and attempts of an address, messages of a client."""

from collections import Counter, deque
from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta

from wsctl.chaos.connection import Connection
from wsctl.chaos.door import Door, Reject
from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream
from wsctl.errors import UsageError
from wsctl.spec.kinds import Duration

TOO_MANY = 429
POLICY = 1008


class LimitSpec(FaultSpec, frozen=True, kw_only=True):
    """More than this is refused: handshakes with 429, messages of a client by closing its connection with 1008."""

    connections: Annotated[Annotated[int, Meta(ge=0)] | None, Meta(description="Open at once, by address.")] = None
    attempts: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="Handshakes in a window, by address.")] = (
        None
    )
    window: Annotated[Duration, Meta(gt=0, description="Of attempts.")] = 300.0
    messages: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="From a client, in a second.")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.connections is self.attempts is self.messages is None:
            raise UsageError("limit limits nothing; expected connections, attempts or messages")


class Limit(Fault[LimitSpec]):
    """Refuses what is too much."""

    type_name = "limit"
    options = LimitSpec

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._attempts: dict[str, _Window] = {}
        """by address"""
        self._sent: dict[int, _Window] = {}
        """by connection"""

    def at_door(self, connection: Connection) -> Door | None:
        """Count, and refuse; attempts that are refused count as well."""
        if not self.means_connection(connection):
            return None
        self.matched += 1
        now, address = self.proxy.clock.monotonic(), connection.address
        if self.spec.attempts is not None:
            tried = self._attempts.setdefault(address, _Window(self.spec.attempts, self.spec.window))
            wait = tried.add(now)
            if wait is not None:
                retry = ("Retry-After", str(max(1, round(wait))))
                return self._refuse(connection, f"more than {self.spec.attempts} attempts", retry)
        if self.spec.connections is not None:
            there = Counter(one.address for one in self.proxy.connections.values())[address]
            if there >= self.spec.connections:
                return self._refuse(connection, f"{there} connections")
        return None

    def means(self, message: Message, stream: Stream) -> bool:
        """Whatever a client says, counts."""
        return self.spec.messages is not None and message.direction == "up" and self.means_connection(stream.connection)

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """It goes on, unless it is one too many."""
        assert self.spec.messages is not None, "it would not be meant"
        self.matched += 1
        sent = self._sent.setdefault(stream.connection.number, _Window(self.spec.messages, 1.0))
        if sent.add(self.proxy.clock.monotonic()) is None:
            return (message,)
        detail = f"{POLICY} more than {self.spec.messages} messages in a second"
        self.fire("closed", stream.connection, message, detail=detail)
        stream.connection.close(POLICY, "too many messages")
        return ()

    def left(self, connection: Connection) -> None:
        """It counts no more."""
        super().left(connection)
        self._sent.pop(connection.number, None)

    def _refuse(self, connection: Connection, what: str, *headers: tuple[str, str]) -> Door:
        self.fire("rejected", connection, detail=f"{TOO_MANY} {what}")
        return Reject(TOO_MANY, headers)


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

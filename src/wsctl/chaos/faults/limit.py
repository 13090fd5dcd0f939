"""limit: so much and no more, as exchanges have it: connections and attempts of an address, messages of a client."""

from collections import Counter, defaultdict, deque
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
        if self.connections is self.attempts is self.messages is None:
            raise UsageError("limit limits nothing; expected connections, attempts or messages")


class Limit(Fault[LimitSpec]):
    """Refuses what is too much."""

    type_name = "limit"
    options = LimitSpec

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._attempts: dict[str, deque[float]] = defaultdict(deque)
        """when they came, by address"""
        self._sent: dict[int, deque[float]] = defaultdict(deque)
        """when messages came, by connection"""

    def at_door(self, connection: Connection) -> Door | None:
        """Count, and refuse."""
        if not self.means_connection(connection):
            return None
        now, address = self.proxy.clock.monotonic(), connection.address
        if self.spec.attempts is not None:
            tried = _within(self._attempts[address], now, self.spec.window)
            tried.append(now)
            if len(tried) > self.spec.attempts:
                wait = max(1, round(tried[0] + self.spec.window - now))
                return self._refuse(connection, f"{len(tried)} attempts", ("Retry-After", str(wait)))
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
        now = self.proxy.clock.monotonic()
        sent = _within(self._sent[stream.connection.number], now, 1.0)
        sent.append(now)
        assert self.spec.messages is not None, "it would not be meant"
        if len(sent) <= self.spec.messages:
            return (message,)
        self.fire("closed", stream.connection, message, detail=f"{POLICY} {len(sent)} messages in a second")
        stream.connection.close(POLICY, "too many messages")
        return ()

    def left(self, connection: Connection) -> None:
        """It counts no more."""
        super().left(connection)
        self._sent.pop(connection.number, None)

    def _refuse(self, connection: Connection, what: str, *headers: tuple[str, str]) -> Door:
        self.fire("rejected", connection, detail=f"{TOO_MANY} {what}")
        return Reject(TOO_MANY, headers)


def _within(times: deque[float], now: float, window: float) -> deque[float]:
    """Without those that are too old to count."""
    while times and times[0] <= now - window:
        times.popleft()
    return times

"""Feed: what a watched feed says, across reconnects."""

import asyncio
import math
import uuid
from collections import deque
from collections.abc import Sequence
from random import Random
from types import TracebackType
from typing import Any, Protocol, Self

from msgspec import structs

from wsctl.client.backoff import STABLE_AFTER, delays, heeded
from wsctl.client.clock_offset import ClockOffset, latency_ms
from wsctl.client.closing import Closing, read_closing
from wsctl.client.connection import OPEN_TIMEOUT, Connect, Connection
from wsctl.client.dial import Dialler
from wsctl.client.ports import Ports
from wsctl.client.subscription import Subscription, refused_codes, settle, subscribe
from wsctl.client.tap import Tap
from wsctl.client.target import Reconnect, Target
from wsctl.clock import Clock, SystemClock
from wsctl.errors import Gone, Refused, TargetError, Unreachable, WsctlError
from wsctl.model import event as names
from wsctl.model.event import Event
from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.model.observation import Kind, Observation
from wsctl.wire.dialects import SOCKETIO, spoken
from wsctl.wire.payload import EventReader

__all__ = ["Feed", "Subscription"]

QUEUE_LIMIT = 100_000
"""observations that may wait for their reader"""

_TURN = 32
"""observations handed out before the loop gets a turn: a reader that is never made to wait would starve it, and
with it the stamping of what arrives"""


class Reader(Protocol):
    """Makes an Event of what a Connection tells."""

    def read(self, name: str, args: Sequence[Any]) -> Event:
        """The Event in an event's name and arguments."""


class _Line:
    """One connection of a Feed, from its first event to its end."""

    def __init__(self, feed: "Feed", conn: str) -> None:
        self.conn = conn
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.closing: Closing | None = None
        self.joined_at = math.inf
        """monotonic seconds"""
        self._feed = feed

    def on_event(self, name: str, args: tuple[Any, ...]) -> None:
        if name == names.CLOSING:
            self.closing = read_closing(args) or self.closing
        self._feed._receive(self.conn, name, args)  # noqa: SLF001 (one thing in two classes)

    def on_close(self, reason: str) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)

    @property
    def end(self) -> str:
        """Why it ended, once it has, with the server's own word."""
        reason = self.ended.result()
        return f"{reason} ({self.closing.reason})" if self.closing else reason


class Feed:
    """An async iterator of Observations and Lifecycles of one client, across reconnects.

        async with Feed(target, [Subscription("price:subscribe", ("BTC/USDT",))]) as feed:
            async for item in feed: ...

    Connections are named `c1`, `c1.2`, `c1.3`. Iterating raises Unreachable or Refused when the first connection
    fails, Gone when the feed is lost for good, Unserved when nothing of what was asked for exists, and
    WsctlError when the reader falls behind by `QUEUE_LIMIT`; what arrived before comes out first.

    Not `observing`, it yields Lifecycles only, and asks for no time: for who takes frames from a tap.
    """

    def __init__(
        self,
        target: Target,
        subscriptions: Sequence[Subscription] = (),
        *,
        reconnect: Reconnect | None = None,
        reader: Reader | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
        client_name: str = "c1",
        client_id: str | None = None,
        connect: Connect | None = None,
        tap: Tap | None = None,
        observing: bool = True,
        timeout: float = OPEN_TIMEOUT,
    ) -> None:
        self.transport: str | None = None
        """of the current or latest connection"""
        self.reconnects = 0
        """connections joined after the first"""
        self.incomparable = 0
        """latencies left out because the clocks cannot be compared"""
        self.clock_offset: ClockOffset | None = None
        """server clock minus ours, once known; it corrects the latencies from then on"""
        self.ports = Ports()
        """of connections that have no name"""
        self._subscriptions = tuple(subscriptions)
        self._reconnect = reconnect or Reconnect()
        self._reader = reader or _reader(target.dialect)
        self._dialect = None if target.dialect == SOCKETIO else target.dialect
        self._clock: Clock = clock or SystemClock()
        self._random = random or Random()  # noqa: S311 (spreads attempts; protects nothing)
        self._name = client_name
        self._dialler = Dialler(target, target.handshake(client_id or uuid.uuid4().hex), connect, tap)
        self._observing = observing
        self._timeout = timeout
        self._joined = 0
        self._served = False
        """a subscription once left something to watch"""
        self._items: deque[Observation | Lifecycle] = deque()
        self._arrived = asyncio.Event()
        self._handed_out = 0
        self._broken: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._supervise(), name=f"feed {self._name}")
        self._task.add_done_callback(self._note_end)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Observation | Lifecycle:
        self._handed_out += 1
        if self._handed_out % _TURN == 0:
            await asyncio.sleep(0)
        while not self._items:
            assert self._task is not None, "a Feed is iterated inside `async with`"
            if self._task.done():
                self._raise_end(self._task)
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._items.popleft()

    async def close(self) -> None:
        """Leave, and stop. What has arrived can still be read, the CLOSED stage last; then iteration ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    # What the supervising task does

    async def _supervise(self) -> None:
        """Connect, and again after each loss, until the feed is gone or we are."""
        waits = delays(self._reconnect, self._random)
        failures = 0  # attempts in a row that did not get as far as a subscription
        while True:
            line = _Line(self, self._next_conn())
            told = 0.0
            try:
                live = await self._attempt(line)
            except (Unreachable, Refused) as error:
                stage, reason, failures = Stage.FAILED, error.message, failures + 1
                told = heeded(error, self._reconnect)
                self._check_first(line, error)
            else:
                stage, reason, failures = Stage.CUT, line.end, 0 if live else failures + 1
                if self._clock.monotonic() - line.joined_at >= STABLE_AFTER:
                    waits = delays(self._reconnect, self._random)
            self._check_end(line, stage, reason, failures)
            delay = next(waits) + (line.closing.after if line.closing else 0.0) + told
            self._tell(line.conn, stage, reason=reason, delay=delay)
            await asyncio.sleep(delay)

    async def _attempt(self, line: _Line) -> bool:
        """One connection from dialling to its end; whether it got as far as a subscription."""
        self._tell(line.conn, Stage.ATTEMPT)
        connection, note = await self._dialler.open(line.on_event, line.on_close, timeout=self._timeout)
        try:
            line.joined_at = self._clock.monotonic()
            self._joined += 1
            self.reconnects = self._joined - 1
            self.transport = connection.transport
            if connection.port is not None:
                self.ports.opened(connection.port, self._clock.now())
            self._tell(line.conn, Stage.JOINED, reason=note)
            live = await self._subscribe(line, connection)
            await line.ended
            return live
        finally:
            await connection.close()
            if not line.ended.done():
                self._tell(line.conn, Stage.CLOSED)

    async def _subscribe(self, line: _Line, connection: Connection) -> bool:
        """Ask for everything, then for the time. Data flows meanwhile: it comes by callback."""
        answers = await subscribe(connection, self._subscriptions)
        if answers is None:  # the connection ended
            return False
        acknowledged, note = settle(answers, first=not self._served)
        self._served = True
        self._tell(line.conn, Stage.SUBSCRIBED, reason=note, refused=refused_codes(answers))
        if acknowledged and self._observing:
            measured = await connection.clock_offset(self._clock)
            self.clock_offset = measured or self.clock_offset
        return True

    def _check_first(self, line: _Line, error: TargetError) -> None:
        """A target that does not let us in at first, or no longer, is an error at once."""
        if self._joined and (isinstance(error, Unreachable) or self._reconnect.always):
            return
        self._tell(line.conn, Stage.FAILED, reason=error.message)
        raise error

    def _check_end(self, line: _Line, stage: Stage, reason: str, failures: int) -> None:
        """Raise Gone when the server said so, or when attempts ran out."""
        attempts = self._reconnect.attempts
        gone: str | None = None
        if line.closing and not line.closing.retry and not self._reconnect.always:
            gone = f"the server closed this connection for good: {line.closing.reason}"
        elif attempts == 0:
            gone = f"the connection ended and is not tried again: {reason}"
        elif failures >= attempts:
            gone = f"gave up after {attempts} attempt{'s' * (attempts > 1)}: {reason}"
        if gone is not None:
            self._tell(line.conn, stage, reason=reason)
            raise Gone(gone)

    def _next_conn(self) -> str:
        return self._name if self._joined == 0 else f"{self._name}.{self._joined + 1}"

    # What arrives

    def _receive(self, conn: str, name: str, args: tuple[Any, ...]) -> None:
        """One event, as the handler gets it; stamped before anything else is done."""
        if not self._observing:
            return
        received_at = self._clock.now()
        try:
            event = self._reader.read(name, args)
        except Exception as error:
            self._break(error)
            return
        seen = Observation(
            received_at,
            conn,
            event.channel,
            event.name,
            event.epoch,
            event.seq,
            event.sent_at,
            None,
            event.data,
            self._dialect,
        )
        if event.sent_at is not None and seen.kind is Kind.UPDATE:  # the others are never latency samples
            latency = latency_ms(received_at, event.sent_at, self.clock_offset)
            self.incomparable += latency is None
            seen = structs.replace(seen, latency_ms=latency)
        if len(self._items) >= QUEUE_LIMIT:
            self._break(
                WsctlError(
                    f"fell behind: {QUEUE_LIMIT:,} messages wait to be read and the feed goes on",
                    hint="watch fewer symbols, or write the output to something faster",
                )
            )
        elif self._broken is None:
            self._put(seen)

    def _tell(
        self,
        conn: str,
        stage: Stage,
        *,
        reason: str | None = None,
        delay: float | None = None,
        refused: tuple[str, ...] = (),
    ) -> None:
        transport = None if stage in (Stage.ATTEMPT, Stage.FAILED) else self.transport
        at = self._clock.now()
        self._put(
            Lifecycle(at=at, conn=conn, stage=stage, reason=reason, transport=transport, delay=delay, refused=refused)
        )

    def _put(self, item: Observation | Lifecycle) -> None:
        self._items.append(item)
        self._arrived.set()

    def _break(self, error: Exception) -> None:
        """End the feed with an error that a handler met, where nobody could catch it."""
        if self._broken is None and self._task is not None:
            self._broken = error
            self._task.cancel()

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._arrived.set()
        if not task.cancelled():
            task.exception()  # seen, also when nobody iterates any more

    def _raise_end(self, task: asyncio.Task[None]) -> None:
        if self._broken is not None:
            raise self._broken
        error = None if task.cancelled() else task.exception()
        if error is not None:
            raise error


def _reader(dialect: str) -> Reader:
    """What a target that speaks so is read with."""
    speaks = spoken(dialect)
    if speaks is None:
        return EventReader()
    if speaks.over == "socketio":
        from wsctl.wire.over_socketio import DialectReader  # slow imports, as of the next

        return DialectReader(speaks)
    from wsctl.client.raw import RawReader

    return RawReader()

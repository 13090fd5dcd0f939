"""One client of the crowd, across its connections. A task only while it dials; else callbacks."""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs
from picows import ws_connect

from wsctl.checks.lane import Lane
from wsctl.client.backoff import STABLE_AFTER, delays, heeded
from wsctl.client.closing import Closing, read_closing
from wsctl.client.connection import OPEN_TIMEOUT
from wsctl.client.losses import AckTimeout, Lost
from wsctl.client.ports import Ports
from wsctl.client.subscription import ACK_TIMEOUT, Answer, Subscription
from wsctl.errors import Refused, TargetError
from wsctl.model.channel import ticker
from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.spec.units import format_duration
from wsctl.swarm import causes
from wsctl.swarm.connection import Connection
from wsctl.swarm.raw import RawConnection
from wsctl.swarm.socketio import SocketIOConnection
from wsctl.swarm.tally import ACKNOWLEDGE, CONNECT

if TYPE_CHECKING:
    from wsctl.swarm.home import Home

AUTHENTICATION_ERROR = "Authentication error"
EVICTED = "evicted"
_ACCESS = ("access_denied", "auth_required")


OnAnswer = Callable[[Sequence[Any] | None, str | None], None]
"""takes what a request was acknowledged with; None and why, where the connection ended first"""


class _Question(NamedTuple):
    """A request beside those that every connection begins with."""

    answered: OnAnswer
    asked_at: float
    """monotonic seconds"""
    within: float
    """seconds from then, after which an answer is not waited for any longer"""
    subscription: Subscription | None = None
    """what it asks for, if it does"""
    measured: bool = True
    """whether how long it takes is part of the result"""


class Client:
    """Attempt, handshake, subscribe, live; and again after each loss, as its Reconnect says."""

    __slots__ = (
        "_auth",
        "_closing",
        "_deadline",
        "_dialled_at",
        "_dialling",
        "_failures",
        "_former",
        "_home",
        "_joined",
        "_joined_at",
        "_live",
        "_number",
        "_paused",
        "_pending",
        "_questions",
        "_retry",
        "_served",
        "_setting_out",
        "_slow",
        "_subscriptions",
        "_unserved",
        "_waits",
        "connection",
        "error",
        "id",
        "name",
        "ports",
        "settled",
        "user",
    )

    def __init__(
        self,
        home: "Home",
        name: str,
        *,
        token: str | None,
        user: str | None,
        auth: Mapping[str, Any],
        subscriptions: Sequence[Subscription],
        slow: bool = False,
    ) -> None:
        """`auth` are further keys of the handshake auth, `user` whom the token names."""
        self.name = name
        self.id = uuid.UUID(int=home.random.getrandbits(128), version=4).hex
        """the `client` of the handshake auth, the same on every connection"""
        self.user = user
        self.ports: Ports | None = Ports() if home.is_raw else None
        """of a client that has no name where it is connected to"""
        self.connection: Connection | None = None
        """the current one, or the one that is being tried"""
        self.error: TargetError | None = None
        """why the latest attempt failed"""
        self.settled = False
        """subscribed, refused or given up for the first time"""
        self._home = home
        self._auth = {**structs.replace(home.target, token=token).handshake(self.id), **auth}
        self._subscriptions = list(subscriptions)
        """what it asks for on each connection"""
        self._slow = slow
        self._paused = False
        self._setting_out = True
        self._former: dict[str, Lane] = {}
        self._joined = 0
        """connections so far"""
        self._dialled_at = 0.0
        """monotonic seconds of the current attempt"""
        self._joined_at: float | None = None
        """monotonic seconds; None while the current connection is not"""
        self._deadline: float | None = None
        """monotonic seconds by which what is awaited must have come"""
        self._live = False
        """the current connection got as far as a subscription"""
        self._served = False
        """every subscription was served once"""
        self._number = 0
        """of the next request; a connection's first is 0, as with other clients"""
        self._pending: dict[int, tuple[Subscription, float]] = {}
        """subscriptions that are not answered yet, and when they were sent, in monotonic seconds"""
        self._questions: dict[int, _Question] = {}
        """other requests that are not answered yet, by number"""
        self._unserved = False
        self._closing: Closing | None = None
        self._failures = 0
        """attempts in a row that did not get as far as a subscription"""
        self._waits = delays(home.reconnect, home.random)
        self._retry: asyncio.TimerHandle | None = None
        self._dialling: asyncio.Task[None] | None = None

    # What the crowd does

    def connect(self) -> None:
        """Set out, or try again."""
        conn = self.name if self._joined == 0 else f"{self.name}.{self._joined + 1}"
        self._closing, self._joined_at, self._live = None, None, False
        self.connection = self._make_connection(conn)
        self._dialled_at = time.monotonic()
        self._deadline = self._dialled_at + OPEN_TIMEOUT
        self._tell(Stage.ATTEMPT)
        self._dialling = asyncio.create_task(self._dial(self.connection))

    def look(self, now: float) -> None:
        """See to whatever had its time; `now` in monotonic seconds."""
        connection = self.connection
        if connection is None or connection.over:
            return
        pulse = connection.heard_at + connection.frames
        if pulse != connection.pulse or self._paused:
            connection.pulse, connection.alive_at = pulse, now
        connection.look(now)
        if self._questions:
            self._give_up_waiting(now)
        if self._paused:
            return
        if self._deadline is not None:
            if now > self._deadline:
                self._overdue(connection)
        elif connection.silence is not None and now - connection.alive_at > connection.silence:
            silence = format_duration(connection.silence)
            self._lose(connection, f"nothing received for {silence}, not even a ping")

    def pause(self) -> None:
        """Read no longer."""
        if self.connection is not None and self._live:
            self._paused = True
            self.connection.pause()

    def resume(self) -> None:
        """Read on."""
        if self._paused and self.connection is not None:
            self._paused = False
            self.connection.alive_at = time.monotonic()
            self.connection.resume()

    def stop(self) -> None:
        """Try no more. The connection, if there is one, stays until `leave`."""
        if self._dialled_at:  # else it never set out
            self._arrive()
        if self._retry is not None:
            self._retry.cancel()
        if self._dialling is not None:
            self._dialling.cancel()

    def leave(self) -> None:
        """Close the connection politely, without waiting."""
        if self.connection is not None:
            self._home.tally.counts.open -= self.is_open
            self.connection.leave()

    def drop(self) -> None:
        """Close the socket without a word."""
        if self.connection is not None:
            self._home.tally.counts.open -= self.is_open
            self.connection.drop()

    def release(self) -> None:
        """Never to come back: what was remembered of its channels is given up."""
        lanes = {**self._former, **(self.connection.lanes if self.connection is not None else {})}
        for name, lane in lanes.items():
            self._home.tally.leave(lane.conn, name)
        self.connection = self._dialling = None  # else a ring, which the collector would find hours later

    def subscribe(self, subscription: Subscription, answered: OnAnswer, within: float = ACK_TIMEOUT) -> None:
        """Ask for more, now and on each further connection. Here as below: `within` so many seconds."""
        self._subscriptions.append(subscription)
        if (connection := self._open_connection(answered)) is not None:
            connection.expect(channels_of(subscription))
            connection.ask(subscription, self._question(answered, within, subscription))

    def unsubscribe(self, subscription: Subscription, answered: OnAnswer, within: float = ACK_TIMEOUT) -> None:
        """Give channels up. `subscription` names them as they were asked for, its event is the one that says so."""
        gone = set(subscription.names)
        self._subscriptions = [one for kept in self._subscriptions if (one := _without(kept, gone)) is not None]
        if (connection := self._open_connection(answered)) is not None:
            connection.forget(channels_of(subscription))
            connection.give_up(subscription, self._question(answered, within))

    def send(self, event: str, args: Sequence[Any], answered: OnAnswer, within: float = ACK_TIMEOUT) -> None:
        """Send an event that asks to be acknowledged. Socket.IO only."""
        if (connection := self._open_connection(answered)) is not None:
            assert isinstance(connection, SocketIOConnection), "raw dialects have no events"
            connection.event(event, args, self._question(answered, within))

    @property
    def is_open(self) -> bool:
        """Whether it is in, at this moment."""
        return self._joined_at is not None and self.connection is not None and not self.connection.over

    def tell_heard(self) -> None:
        """Tell the checks that ask for it when this one's connection was heard last."""
        if not self._live or self.connection is None:
            return
        self._home.tally.reconnection.alive(self.name, self.connection.heard_at)
        if self.user is not None:
            self._home.tally.evictions.heard(self.connection.conn, self.connection.heard_at)

    @property
    def receiving(self) -> bool:
        """Connected, subscribed, and something came on this connection."""
        return self._live and self.connection is not None and self.connection.heard_at > 0

    @property
    def setting_out_since(self) -> float | None:
        """Since when it has been on the way to be in for the first time, in monotonic seconds; None: it is not."""
        return self._dialled_at if self._setting_out and self._dialled_at else None

    @property
    def asking_since(self) -> float | None:
        """Since when it has been waiting to be served for the first time, in monotonic seconds; None: it is not."""
        return self._joined_at if self.is_open and self._pending and not self._served else None

    async def emit(self, event: str, *args: Any, timeout: float) -> list[Any]:  # noqa: ASYNC109
        """Ask a question of our own, which is no part of the result. Socket.IO only. Raises AckTimeout or Lost."""
        if (connection := self.connection) is None or not self.is_open:
            raise Lost("not connected")
        assert isinstance(connection, SocketIOConnection), "raw dialects have no events"
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

        def answered(args: Sequence[Any] | None, error: str | None) -> None:
            if answer.done():
                return
            if args is None:
                answer.set_exception(Lost(error or "not connected"))
            else:
                answer.set_result(list(args))

        number = self._question(answered, timeout, measured=False)
        connection.event(event, args, number)
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError as error:
            self._questions.pop(number, None)  # it may have come at this very moment
            raise AckTimeout(f"{event} was not acknowledged within {format_duration(timeout)}") from error

    # What the connection tells

    def joined(self) -> None:
        """In: ask for everything, unless this one forgets to."""
        assert self.connection is not None
        self._joined += 1
        self._joined_at = time.monotonic()
        self._deadline = None
        if self.ports is not None and (port := self.connection.port) is not None:
            self.ports.opened(port, time.time())
        self._home.tally.times[CONNECT].record(self._joined_at - self._dialled_at)
        self._home.tally.counts.joined(first=self._joined == 1)
        self._tell(Stage.JOINED)
        if self.user is not None:
            self._home.tally.evictions.joined(self.user, self.connection.conn, time.time())
        self._arrive()
        if self._joined == 1:
            self._home.entered(self)
        if self._joined > 1 and not self._home.resubscribe:
            self._live, self._failures = True, 0
            return
        self._unserved = False
        self._number = 0
        self._pending = {self._next(): (subscription, self._joined_at) for subscription in self._subscriptions}
        for id, (subscription, _) in tuple(self._pending.items()):
            self.connection.ask(subscription, id)
        if self._pending:
            self._deadline = time.monotonic() + ACK_TIMEOUT
        elif not self._live:  # there was nothing to ask
            self._subscribed()

    def acknowledged(self, id: int, args: Sequence[Any]) -> None:
        """An answer to a subscription, or to a question."""
        if (question := self._questions.pop(id, None)) is not None:
            if question.measured:
                self._home.tally.times[ACKNOWLEDGE].record(time.monotonic() - question.asked_at)
            if question.subscription is not None:
                self._take_answer(Answer(question.subscription, args[0] if args else None))
            question.answered(args, None)
            return
        if (pending := self._pending.pop(id, None)) is None:
            return
        subscription, asked_at = pending
        self._home.tally.times[ACKNOWLEDGE].record(time.monotonic() - asked_at)
        self._take_answer(Answer(subscription, args[0] if args else None))
        if not self._pending:
            self._subscribed()

    def refused(self, answer: Any) -> None:
        """Not let in: that is final, unless this client insists."""
        word = answer.get("message") if isinstance(answer, dict) else answer
        text = str(word) if word else "no reason given"
        counts = self._home.tally.counts
        counts.refused += 1
        if text == AUTHENTICATION_ERROR:
            counts.auth_refused += 1
        else:
            self._home.tally.evictions.refused(time.time())
        counts.causes.blame(f"{self._home.target.shown} refused the connection: {text}")
        self._go_on(Stage.FAILED, text, final=not self._home.reconnect.always)

    def notified(self, args: Sequence[Any]) -> None:
        """The server says why it is about to close."""
        self._closing = read_closing(args) or self._closing

    def ended(self, reason: str, *, malformed: bool) -> None:
        """The connection is gone, joined or not."""
        assert self.connection is not None
        counts = self._home.tally.counts
        counts.malformed += malformed
        questions, self._questions = self._questions, {}
        for question in questions.values():
            question.answered(None, reason)
        if self._joined_at is None:
            what = f"{self._home.target.shown} ended the connection before it was joined: {reason}"
            self._fail(TargetError(what), count=not malformed)
            return
        counts.open -= 1
        counts.closed += 1
        self._paused = False
        self._former = {**self._former, **self.connection.lanes}
        if self._closing is not None and self._closing.reason == EVICTED:
            counts.evicted += 1
            self._home.tally.evictions.evicted(self.connection.conn, time.time())
        elif self.user is not None:
            self._home.tally.evictions.ended(self.connection.conn, time.time())
        if malformed:
            counts.causes.blame(reason)
        self._home.tally.reconnection.alive(self.name, self.connection.heard_at)
        if time.monotonic() - self._joined_at >= STABLE_AFTER:
            self._waits = delays(self._home.reconnect, self._home.random)
        insists = self._home.reconnect.always
        shown = f"{reason} ({self._closing.reason})" if self._closing else reason
        self._go_on(Stage.CUT, shown, final=self._closing is not None and not self._closing.retry and not insists)

    def broken(self, error: Exception) -> None:
        """Nothing that is measured from now on would be worth anything."""
        self._home.broken(error)

    # What follows

    def _next(self) -> int:
        self._number += 1
        return self._number - 1

    def _question(
        self, answered: OnAnswer, within: float, subscription: Subscription | None = None, *, measured: bool = True
    ) -> int:
        number = self._next()
        self._questions[number] = _Question(answered, time.monotonic(), within, subscription, measured)
        return number

    def _give_up_waiting(self, now: float) -> None:
        """For answers that should have come: feeds that never give any would leave us more and more to remember."""
        for number, question in tuple(self._questions.items()):
            if now - question.asked_at > question.within:
                del self._questions[number]
                self._home.tally.counts.unacknowledged += question.subscription is not None
                question.answered(None, f"not acknowledged within {format_duration(question.within)}")

    def _open_connection(self, answered: OnAnswer) -> Connection | None:
        """The current connection; None, and who waits is told so, where there is none."""
        if self.is_open:
            return self.connection
        answered(None, "not connected")
        return None

    def _make_connection(self, conn: str) -> Connection:
        home = self._home
        target = home.target
        if home.dialect is None or not home.is_raw:
            return SocketIOConnection(
                self,
                conn,
                home.tally,
                namespace=target.namespace,
                auth=self._auth,
                former=self._former,
                slow=self._slow,
            )
        return RawConnection(
            self,
            conn,
            home.tally,
            dialect=home.dialect,
            url=target.url,
            channels=tuple(name for subscription in self._subscriptions for name in subscription.names),
            former=self._former,
            slow=self._slow,
        )

    async def _dial(self, connection: Connection) -> None:
        target = self._home.target
        try:
            outcome: tuple[Any, Any] = await ws_connect(lambda request, response: connection, **self._home.way())
        except Exception as error:
            failure = causes.unreachable(target, error, self._home.speech)
        else:
            if outcome[1] is not None:
                return
            failure = causes.cut_before_answer(target)  # which picows does not call an error
        finally:
            if self.connection is connection:
                self._dialling = None  # holds more than a connection does, once it is done
        if connection.over:
            return
        connection.drop()
        if isinstance(failure, Refused):
            self.refused(failure.message)
        else:
            self._fail(failure, count=True)

    def _overdue(self, connection: Connection) -> None:
        """What was awaited did not come."""
        if self._joined_at is not None:
            self._home.tally.counts.unacknowledged += len(self._pending)
            self._pending.clear()
            self._subscribed()
            return
        if self._dialling is not None:
            self._dialling.cancel()
        connection.drop()
        within = format_duration(OPEN_TIMEOUT)
        self._fail(TargetError(f"{self._home.target.shown} did not let us in within {within}"), count=True)

    def _lose(self, connection: Connection, reason: str) -> None:
        connection.drop()
        self.ended(reason, malformed=False)

    def _take_answer(self, answer: Answer) -> None:
        counts = self._home.tally.counts
        if not answer.refused:
            counts.acks_ok += 1
            return
        counts.acks_refused += 1
        counts.unserved += 1
        counts.auth_denied += answer.code in _ACCESS
        counts.causes.blame(f"{answer.subscription.event} was refused: {answer}")
        self._unserved = True

    def _subscribed(self) -> None:
        """Every subscription is answered, or given up waiting for."""
        self._deadline = None
        self._live = True
        self._failures = 0
        self._tell(Stage.SUBSCRIBED)
        if not self._unserved and not self._served:
            self._served = True
            self._home.tally.counts.subscribed += 1
        self._settle()

    def _fail(self, error: TargetError, *, count: bool) -> None:
        """An attempt came to nothing."""
        self.error = error
        counts = self._home.tally.counts
        counts.failed += count
        counts.causes.blame(error.message)
        self._go_on(Stage.FAILED, error.message, final=False)

    def _go_on(self, stage: Stage, reason: str, *, final: bool) -> None:
        """Try again after a while, or never."""
        reconnect = self._home.reconnect
        self._arrive()
        self._deadline = None
        if not self._live:
            self._failures += 1
        self._live = False
        if final or reconnect.attempts == 0 or self._failures >= reconnect.attempts:
            self._tell(stage, reason=reason)
            self._settle()
            self._home.given_up(self, reason)
            return
        delay = next(self._waits) + (self._closing.after if self._closing else 0.0) + self._told_to_wait(stage)
        self._tell(stage, reason=reason, delay=delay)
        self._retry = asyncio.get_running_loop().call_later(delay, self.connect)

    def _told_to_wait(self, stage: Stage) -> float:
        """Seconds, by the answer to the attempt that just failed."""
        error = self.error if stage is Stage.FAILED else None
        return heeded(error, self._home.reconnect)

    def _arrive(self) -> None:
        """The first attempt came to an end, good or bad."""
        if self._setting_out:
            self._setting_out = False
            self._home.arrived()

    def _settle(self) -> None:
        if not self.settled:
            self.settled = True
            self._home.settled()

    def _tell(self, stage: Stage, *, reason: str | None = None, delay: float | None = None) -> None:
        assert self.connection is not None
        lifecycle = Lifecycle(
            at=time.time(), conn=self.connection.conn, stage=stage, reason=reason, transport=None, delay=delay
        )
        self._home.stage(lifecycle)


def channels_of(subscription: Subscription) -> tuple[str, ...]:
    """The channels that a subscription is about, as far as its names tell."""
    names = subscription.names
    return tuple(map(ticker, names)) if subscription.event.startswith("price:") else names


def _without(subscription: Subscription, gone: set[str]) -> Subscription | None:
    """What is left of it; None: nothing. One that names nothing, such as that of all bots, stays."""
    if not subscription.names:
        return subscription
    names = tuple(name for name in subscription.names if name not in gone)
    return structs.replace(subscription, names=names) if names else None

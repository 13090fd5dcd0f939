"""Connections of a real-time feed for locustfiles of your own.

    # my_locustfile.py: locust -f my_locustfile.py --host http://127.0.0.1:3000
    from locust import between, task
    from wsctl.load.locustfile import FeedUser

    class Trader(FeedUser):
        wait_time = between(1, 5)

        def on_start(self):
            self.connect()
            self.subscribe("BTC/USDT", "ETH/USDT")

        @task
        def look_elsewhere(self):
            self.unsubscribe("ETH/USDT")
            self.subscribe("ETH/USDT")

        @task
        def say(self):
            answer = self.emit("time:sync", {"t0": 0})

A user is one connection. The connections of a Locust process live in one process beside it, which receives, decodes,
checks and times every message; here, a user costs a greenlet. What a task does (connect, subscribe, unsubscribe, emit)
is a request of Locust's, of type FEED, timed as the task sees it, waiting for the other process included. What happens
on the connections is in three rows of type WS, brought up to date once a second and never by an event per message:
`connect` (the handshake alone), `acknowledge` (answers to whatever was asked) and `message` (pushes, by the time since
they were sent, where they say that).

Works alone and with Locust's own workers (`--processes`, `--master`, `--worker`).
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import gevent
from gevent.lock import BoundedSemaphore
from gevent.pool import Group
from locust import User, events
from locust.env import Environment

from wsctl.client.losses import AckTimeout, Lost
from wsctl.client.subscription import ACK_TIMEOUT, Answer, Subscription
from wsctl.client.target import DEFAULT_NAMESPACE, DEFAULT_PATH, Reconnect, Target, normalise_url
from wsctl.errors import TargetError, Unserved, UsageError, WsctlError
from wsctl.load.locust import rows
from wsctl.load.locust.link import Link, ShardClient
from wsctl.load.locust.visit import SUBSCRIBE, UNSUBSCRIBE
from wsctl.swarm import shard_messages
from wsctl.swarm.shard_messages import ShardOptions
from wsctl.wire.dialects import SOCKETIO, spoken

__all__ = ["AckTimeout", "FeedUser", "Lost", "Subscription", "TargetError", "UsageError", "WsctlError"]

REQUEST_TYPE = "FEED"

_links: dict[bytes, Link] = {}
"""of this process, by the options of their shards"""
_opening = BoundedSemaphore()
"""starting a process takes a while, in which the next user comes"""


class FeedUser(User):
    """A Locust user with one connection to a feed. Class attributes say how it is reached; `host` says where.

    What goes wrong is raised, as TargetError for what the target does and as UsageError for what makes no sense, and is
    a failed request. TargetErrors of what is asked are AckTimeout, without an answer in time, and Lost, where the
    connection ended before. As Locust has it, a task that lets one through is over, and its user goes on with the next;
    a user whose on_start does is gone. A connection that is lost is made again, and subscribed as before, on its own;
    what is asked meanwhile raises.
    """

    abstract = True

    dialect: ClassVar[str] = SOCKETIO
    """how the feed is spoken to: `socketio`, the name of a dialect such as `binance`, or the path of a dialect file"""
    path: ClassVar[str] = DEFAULT_PATH
    """where a Socket.IO server listens"""
    namespace: ClassVar[str] = DEFAULT_NAMESPACE
    token: ClassVar[str | None] = None
    """of the handshake auth, where `connect` names none"""
    headers: ClassVar[Mapping[str, str]] = {}
    """of the WebSocket handshake"""
    cacert: ClassVar[str | None] = None
    """a PEM file that replaces the machine's certificate authorities"""
    insecure: ClassVar[bool] = False
    """accept any certificate"""
    connect_rate: ClassVar[float] = 500.0
    """connections begun per second in each Locust process; 0: as fast as the target takes them"""
    reconnect: ClassVar[Reconnect] = Reconnect()
    """how hard to try again; `Reconnect(attempts=0)` never does"""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._client: ShardClient | None = None

    def connect(
        self,
        *,
        token: str | None = None,
        auth: Mapping[str, Any] | None = None,
        subscriptions: Sequence[Subscription] = (),
    ) -> None:
        """Connect, and wait until in.

        `auth` are further keys of the handshake auth. `subscriptions` are asked for at once, here and after each loss;
        `subscribe` adds to them. Raises TargetError when there is no way in, after the attempts of `reconnect`.
        """
        self.leave()
        with self._measured("connect"):
            client = self._client = _link(self.environment, self._options()).client()
            try:
                client.enter(token=token, auth=auth, subscriptions=subscriptions)
                client.wait()
            except WsctlError:
                self.leave()
                raise

    def subscribe(self, *names: str, event: str = SUBSCRIBE) -> Any:
        """Ask for symbols, or with another `event` for what that one names; the server's answer, once it came.

        In a raw dialect the names are channels as the exchange calls them. Raises Unserved for a refusal.
        """
        subscription = Subscription(event, names)
        with self._measured(f"subscribe {event}" if self._has_events else "subscribe"):
            body = self._connected().subscribe(subscription)
            answer = Answer(subscription, body)
            if answer.refused:
                raise Unserved(f"{event} was refused: {answer}")
            return body

    def unsubscribe(self, *names: str, event: str = UNSUBSCRIBE) -> Any:
        """Give up what was asked for by the same names; the server's answer."""
        with self._measured(f"unsubscribe {event}" if self._has_events else "unsubscribe"):
            return self._connected().unsubscribe(Subscription(event, names))

    def emit(self, event: str, *args: Any, timeout: float = ACK_TIMEOUT) -> Any:
        """Send an event and wait for its acknowledgement, `timeout` seconds at most; what it says. Socket.IO only.

        Raises AckTimeout without one: some servers never acknowledge.
        """
        with self._measured(f"emit {event}"):
            if not self._has_events:
                raise UsageError(f"{self.dialect} has no events to emit")
            return self._connected().emit(event, *args, within=timeout)

    def leave(self, *, polite: bool = True) -> None:
        """Disconnect; `polite=False` as a cut line does, without a word. A user that ends leaves by itself."""
        if self._client is not None:
            self._client.leave(polite=polite)
            self._client = None

    def start(self, group: Group) -> gevent.Greenlet:
        """As Locust does; and whatever ends it, its connection does not stay."""
        greenlet: gevent.Greenlet = super().start(group)
        greenlet.link(lambda _: self.leave())
        return greenlet

    @property
    def _has_events(self) -> bool:
        dialect = spoken(self.dialect)
        return dialect is None or dialect.over == "socketio"

    def _connected(self) -> ShardClient:
        if self._client is None:
            raise UsageError("not connected", hint="connect() comes first")
        return self._client

    def _options(self) -> ShardOptions:
        if not self.host:
            raise UsageError("no host; expected --host, or host in the class")
        target = Target(
            url=normalise_url(self.host),
            path=self.path,
            namespace=self.namespace,
            token=self.token,
            headers=tuple(self.headers.items()),
            cacert=self.cacert,
            insecure=self.insecure,
            dialect=self.dialect,
        )
        return ShardOptions(target=target, reconnect=self.reconnect, connect_rate=self.connect_rate)

    @contextmanager
    def _measured(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        except WsctlError as error:
            self._tell(name, began, error)
            raise
        self._tell(name, began, None)

    def _tell(self, name: str, began: float, error: WsctlError | None) -> None:
        self.environment.events.request.fire(
            request_type=REQUEST_TYPE,
            name=name,
            response_time=(time.perf_counter() - began) * 1000,
            response_length=0,
            exception=error,
            context=self.context(),
        )


def _link(environment: Environment, options: ShardOptions) -> Link:
    """The shard for users that reach the same target in the same way."""
    key = shard_messages.encode(options)
    with _opening:
        if key not in _links:
            _links[key] = Link(
                options,
                told=lambda delta: rows.add(environment.stats, delta),
                broken=lambda error: _give_up(environment, error),
            )
        return _links[key]


def _give_up(environment: Environment, error: WsctlError) -> None:
    """Without its connections a test is over."""
    environment.process_exit_code = error.exit_code
    assert environment.runner is not None
    gevent.spawn(environment.runner.quit)  # not by the greenlet that reads: it is waited for


def _flush(**_: Any) -> None:
    """What was counted until now is in the figures, users still there."""
    for link in list(_links.values()):
        link.flush()


def _close(**_: Any) -> None:
    """Before Locust writes its last figures."""
    while _links:
        link = _links.pop(next(iter(_links)))
        link.flush()
        link.close()


events.test_stopping.add_listener(_flush)
events.quitting.add_listener(_close)

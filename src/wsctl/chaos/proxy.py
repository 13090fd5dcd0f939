"""Proxy: stands between clients and their servers, and harms what passes as it is told."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any

from wsctl.chaos.asked import Asked
from wsctl.chaos.connection import Connection
from wsctl.chaos.fault import AnyFault
from wsctl.chaos.faults import FAULTS
from wsctl.chaos.firing import Firing, Listener
from wsctl.chaos.message import DialectReader, Message, Reader
from wsctl.chaos.sessions import Sessions
from wsctl.chaos.side import Side
from wsctl.chaos.upstream import Upstream
from wsctl.clock import Clock
from wsctl.errors import UsageError
from wsctl.server.sockets import BACKLOG, bind, dialable
from wsctl.wire.dialect import Dialect


class Proxy:
    """`async with Proxy(…) as proxy: …` takes clients at `proxy.url` meanwhile.

    `faults` are in force before anybody comes. Raises UsageError for two of one name, and for an address that cannot be
    had. `on_firing` hears of all that faults do, `say` of what people should know, in a line.
    """

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        clock: Clock,
        *,
        seed: int,
        host: str | None,
        port: int,
        dialect: Dialect | None,
        faults: Sequence[Asked],
        on_firing: Listener,
        say: Callable[[str], None],
    ) -> None:
        self.upstreams = upstreams
        self.clock = clock
        self.seed = seed
        self.host = host
        """that it was told to listen on"""
        self.say = say
        self.enabled = True
        self.faults: list[AnyFault] = []
        self.message_faults: list[AnyFault] = []
        """those of them that look at messages"""
        self.sessions = Sessions()
        self.connections: dict[int, Connection] = {}
        """those that are WebSockets, by number"""
        self._everybody: set[Connection] = set()
        """those that speak HTTP as well"""
        self.passed: Counter[str] = Counter()
        """messages that went on, by direction"""
        self.dialect = dialect
        """that raw connections speak; None: Socket.IO"""
        self._initial = faults
        self._has_polls = False
        self._listeners: list[Listener] = [on_firing]
        self._of_strikes: list[Listener] = []
        self._numbers = itertools.count(1)
        self._turns = itertools.count()
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self._sockets = bind(host, port)
        self.url = f"http://{dialable(*self._sockets[0].getsockname()[:2])}"

    async def __aenter__(self) -> "Proxy":
        await self._group.__aenter__()
        loop = asyncio.get_running_loop()
        try:
            self.populate(self._initial)  # before anybody can come
        except Exception:
            for sock in self._sockets:
                sock.close()
            raise
        for sock in self._sockets:
            self._servers.append(await loop.create_server(self._take, sock=sock, backlog=BACKLOG))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.enabled = False  # of those that are being accepted at this moment
        for server in self._servers:
            server.close()
        for fault in tuple(self.faults):
            self.remove(fault)
        for task in self._tasks:
            task.cancel()
        cancelled = (kind, error, traceback) if isinstance(error, asyncio.CancelledError) else (None, None, None)
        try:
            await self._group.__aexit__(*cancelled)
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from several

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside the rest; it is over with the proxy, and if it fails, so does the proxy."""
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def fail(self, error: Exception) -> None:
        """Something went wrong that should not: the proxy ends with it."""

        async def end() -> None:
            raise error

        self.spawn(end())

    def guarded(self, function: Callable[[], None]) -> Callable[[], None]:
        """What the loop calls at a time: it has nobody to tell of what goes wrong."""

        def call() -> None:
            try:
                function()
            except Exception as error:
                self.fail(error)

        return call

    # Faults

    def add(self, wanted: Asked) -> AnyFault:
        """From now on it harms. Raises UsageError for a name that is taken."""
        if any(fault.name == wanted.name for fault in self.faults):
            hint = "give it one with name="
            raise UsageError(f"there is a fault {wanted.name!r} already; expected another name", hint=hint)
        (fault,) = self.made([wanted])
        self._have([*self.faults, fault])
        self._start([fault])
        return fault

    def replace(self, fault: AnyFault, wanted: Asked) -> AnyFault:
        """Another fault in the place of one, whose name it has. Raises UsageError, with nothing changed."""
        (coming,) = self.made([wanted])
        fault.stop()
        self._have([coming if one is fault else one for one in self.faults])
        self._start([coming])
        return coming

    def remove(self, fault: AnyFault) -> None:
        """What it holds goes on."""
        fault.stop()
        self._have([one for one in self.faults if one is not fault])

    def populate(self, wanted: Sequence[Asked]) -> None:
        """These faults and no others. Raises UsageError, with nothing changed."""
        coming = self.made(wanted)
        for fault in tuple(self.faults):
            self.remove(fault)
        self._have(coming)
        self._start(coming)

    def made(self, wanted: Sequence[Asked]) -> list[AnyFault]:
        """Faults that are not in force yet. Raises UsageError for two of one name, and for what cannot be done here."""
        names = Counter(one.name for one in wanted)
        for name, count in names.items():
            if count > 1:
                hint = "give them names with name="
                raise UsageError(f"{count} faults are called {name!r}; expected a name for each", hint=hint)
        return [FAULTS[one.type](one.name, one.spec, self) for one in wanted]

    def enable(self, *, enabled: bool) -> None:
        """Down, it cuts who is there and resets who comes, as an outage does."""
        self.enabled = enabled
        if not enabled:
            for connection in tuple(self._everybody):
                connection.cut(reset=True)

    @property
    def is_shut(self) -> bool:
        """Whether nobody gets through, by whatever door."""
        return not self.enabled or any(fault.shuts for fault in self.faults)

    def hear(self, listener: Listener) -> None:
        """It is told of all that faults do from now on."""
        self._listeners.append(listener)

    def hear_strikes(self, listener: Listener) -> None:
        """It is told of each fault that strikes from now on, and of nothing besides."""
        self._of_strikes.append(listener)

    def tell(
        self,
        fault: AnyFault,
        action: str,
        connection: Connection | None,
        message: Message | None,
        detail: str | None,
        *,
        is_strike: bool = False,
    ) -> None:
        """A fault did something."""
        event = None if message is None else message.event
        firing = Firing(
            at=int(self.clock.monotonic() * 1e9),
            time=self.clock.now(),
            fault=fault.name,
            type=fault.type_name,
            action=action,
            conn=None if connection is None else connection.name,
            client=None if connection is None else connection.client,
            port=None if connection is None else connection.port,
            direction=None if message is None else message.direction,
            event=None if event is None else event.name,
            channel=None if event is None else event.channel,
            epoch=None if event is None else event.epoch,
            seq=None if event is None else event.seq,
            detail=detail,
        )
        for listener in self._listeners:
            listener(firing)
        if is_strike:
            for listener in self._of_strikes:
                listener(firing)

    def _start(self, coming: Sequence[AnyFault]) -> None:
        """Those that have come in. If one fails, none of them stays."""
        try:
            for fault in coming:
                fault.start()
        except Exception:
            for fault in coming:
                self.remove(fault)
            raise

    def _have(self, faults: list[AnyFault]) -> None:
        """New lists: who goes through one of them is not disturbed."""
        self.faults = faults
        self.message_faults = [one for one in faults if one.takes_messages]

    # Connections

    def polled(self) -> None:
        """A poll goes to its upstream: whoever asked for faults should know that they do not strike it."""
        if self.message_faults and not self._has_polls:
            self._has_polls = True
            self.say("messages over long-polling pass unharmed: faults strike those of WebSockets")

    def number(self) -> int:
        """Of the next one that knocks at the door: plain HTTP has none, so that it does not disturb chance."""
        return next(self._numbers)

    def choose_upstream(self) -> Upstream | None:
        """In turn, of those that are up."""
        up = [one for one in self.upstreams if one.is_up]
        return up[next(self._turns) % len(up)] if up else None

    def reader(self, target: str) -> Reader:
        """What understands a connection's messages."""
        return Reader() if self.dialect is None else DialectReader(self.dialect, target)

    def opened(self, connection: Connection) -> None:
        """It has become a WebSocket."""
        self.connections[connection.number] = connection
        for fault in self.faults:
            fault.opened(connection)

    def closed(self, connection: Connection) -> None:
        """It is over, or as good as over: it may be told more than once."""
        self.connections.pop(connection.number, None)
        self._everybody.discard(connection)
        for fault in self.faults:
            fault.left(connection)

    def _take(self) -> Side:
        def begin() -> None:
            if self.enabled:
                self._everybody.add(connection)
                self.spawn(connection.run())
            else:
                connection.cut(reset=True)

        connection = Connection(self, begin)
        return connection.lower

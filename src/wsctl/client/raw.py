"""One connection to a raw WebSocket feed, in a dialect of `wsctl.wire`."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from wsctl.client.asking import Asking
from wsctl.client.clock_offset import ClockOffset
from wsctl.client.connection import OnClose, OnEvent
from wsctl.client.losses import AckTimeout, Lost
from wsctl.client.speech import PING_EVERY, raw_speech
from wsctl.client.subscription import Subscription
from wsctl.client.tap import Frame, Tap
from wsctl.client.target import Target
from wsctl.client.websocket import WebSocketConnection
from wsctl.clock import Clock
from wsctl.model import event
from wsctl.model.event import Event
from wsctl.spec.units import format_duration
from wsctl.wire.dialect import (
    Dialect,
    KeepAlive,
    Notice,
    Objected,
    Received,
    Reply,
    Subscribed,
    Unsubscribed,
    as_event,
)


class RawReader:
    """What a RawConnection tells: Events, in the place of an event's arguments."""

    def read(self, name: str, args: Sequence[Any]) -> Event:
        """The Event itself."""
        found: Event = args[0]
        return found


class RawConnection(WebSocketConnection):
    """A Connection (see `wsctl.client.connection`). What a server says beside the data becomes Events without
    channel: `connection:…`, and `error` for an objection to nothing that was just asked for.
    """

    ping_every: ClassVar[float | None] = PING_EVERY

    def __init__(
        self, target: Target, transport: str, *, dialect: Dialect, on_event: OnEvent, on_close: OnClose, tap: Tap | None
    ) -> None:
        super().__init__(target, transport, on_close=on_close, tap=tap, speech=raw_speech(dialect.name))
        self._dialect = dialect
        self._session = dialect.client(target.url)
        self._on_event = on_event
        self._asked: list[Asking] = []
        self._given: set[str] = set()
        """channels that the URL asks for"""
        self._sent_at = 0.0
        """loop time of the latest frame that we sent"""

    @property
    def port(self) -> int | None:
        """See Connection.port."""
        name = None if self._socket is None else self._socket.get_extra_info("sockname")
        return None if name is None else int(name[1])

    @property
    def _url(self) -> str:
        return self._target.websocket_url

    async def _join(self) -> None:
        """A raw feed has nothing to join: what its URL asks for comes at once."""
        for received in self._session.open():
            if isinstance(received, Subscribed):
                self._given.update(received.channels)
        if self._dialect.keep_alive is not None:
            self._tasks.append(asyncio.create_task(self._keep_alive(self._dialect.keep_alive)))

    async def ask(self, subscription: Subscription, *, timeout: float) -> Any:  # noqa: ASYNC109
        """Ask for channels; see Connection.ask. A dialect that never acknowledges is not waited for."""
        asking = Asking([name for name in subscription.names if name not in self._given])
        frames = self._session.subscribe(asking.names)
        self._asked.append(asking)
        try:
            for frame in frames:
                await self._write(frame)
            if frames and self._dialect.acknowledges:
                await asyncio.wait((asking.done, self._ended), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._asked.remove(asking)
            asking.close()
        if self._ended.done():
            raise Lost(self._ended.result())
        if asking.unheard and frames and self._dialect.acknowledges:
            raise AckTimeout(f"{subscription.event} was not acknowledged within {format_duration(timeout)}")
        return asking.answer

    async def clock_offset(self, clock: Clock) -> ClockOffset | None:
        """No exchange is asked for its clock here; see Connection.clock_offset."""
        return None

    async def _take(self, frame: Frame) -> None:
        for received in self._session.receive(frame):
            if isinstance(received, Event):
                self._on_event(received.name, (received,))
            elif isinstance(received, Reply):
                await self._write(received.frame)
            else:
                self._take_word(received)

    def _take_word(self, received: Received) -> None:
        """What the server said of channels, or of the connection."""
        match received:
            case Subscribed(channels):
                for asking in self._asked:
                    asking.taken(channels)
            case Objected(message, channels):
                for asking in self._asked:
                    asking.refused(message, channels)
                if not self._asked:
                    self._tell(Event(name=event.ERROR, data=message))
            case Unsubscribed(channels):
                self._tell(as_event(Notice("unsubscribed", list(channels))))
            case Notice():
                self._tell(as_event(received))

    def _tell(self, said: Event) -> None:
        self._on_event(said.name, (said,))

    async def _write(self, frame: Frame, shown: Frame | None = None) -> None:
        self._sent_at = asyncio.get_running_loop().time()
        await super()._write(frame, shown)

    async def _keep_alive(self, keep_alive: KeepAlive) -> None:
        """Send something whenever nothing was sent for a while."""
        loop = asyncio.get_running_loop()
        self._sent_at = loop.time()
        while not self._ended.done():
            due = self._sent_at + keep_alive.every
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
                continue
            try:
                await self._write(keep_alive.frame)
            except Lost:
                return  # reading tells why

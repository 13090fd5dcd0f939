"""Recorder: everything that is said on a client's connections to a target, on tape, across reconnects."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from types import TracebackType
from typing import Self

from wsctl.client.feed import Feed
from wsctl.client.subscription import Subscription
from wsctl.client.tap import Frame
from wsctl.client.target import Reconnect, Target
from wsctl.clock import Clock
from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.tape.deck import Deck, DeckOptions, Headers


class ClientTap:
    """A Tap that puts on tape what it sees of one client: connections `c1`, `c1.2`, `c1.3`, …, as they come up."""

    def __init__(self, deck: Deck, client: str = "c1") -> None:
        self._deck = deck
        self._client = client
        self._opened = 0
        self._conn = client

    def opened(self, url: str, headers: Headers) -> None:
        """A connection is up."""
        self._opened += 1
        self._conn = self._client if self._opened == 1 else f"{self._client}.{self._opened}"
        self._deck.open(self._conn, url, headers)

    def received(self, frame: Frame) -> None:
        """A message came."""
        self._deck.receive(self._conn, frame)

    def sent(self, frame: Frame, shown: Frame) -> None:
        """A message goes out. Secrets are the tape's business: some want them kept."""
        self._deck.send(self._conn, frame)

    def closed(self, code: int, reason: str) -> None:
        """The connection is over."""
        self._deck.end(self._conn, code, reason)


class Recorder:
    """`async with Recorder(target, …) as recorder: async for stage in recorder: …`

    Yields what becomes of the connection. Ends when `duration` seconds have passed since the first subscription, or
    the deck is over; raises what Feed raises. Leaving it closes the tape, and raises what broke it. Whatever was on
    tape by then stays. `tell`: as Deck has it.
    """

    def __init__(
        self,
        target: Target,
        subscriptions: Sequence[Subscription],
        options: DeckOptions,
        clock: Clock,
        random: Random,
        *,
        reconnect: Reconnect | None = None,
        duration: float | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.deck = Deck(options, clock, dialect=target.dialect, url=target.url, tell=tell)
        self._feed = Feed(
            target,
            subscriptions,
            reconnect=reconnect,
            clock=clock,
            random=random,
            tap=ClientTap(self.deck),
            observing=False,
        )
        self._duration = duration
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self._feed.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self._feed.close()
        finally:
            await self.deck.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Lifecycle:
        over = asyncio.ensure_future(self.deck.over.wait())
        stage = asyncio.ensure_future(anext(self._feed))
        try:
            await asyncio.wait({over, stage}, return_when=asyncio.FIRST_COMPLETED)
            if not stage.done():
                raise StopAsyncIteration
            item = stage.result()
        finally:
            for task in (over, stage):
                task.cancel()
        assert isinstance(item, Lifecycle), "a feed that is not observed has nothing else to tell"
        if item.stage is Stage.SUBSCRIBED and self._timer is None and self._duration is not None:
            self._timer = asyncio.get_running_loop().call_later(self._duration, self.deck.over.set)
        return item

"""Watch a feed: what it says and what becomes of the connection, until the time or count is up."""

import asyncio
from collections import deque
from random import Random

from wsctl.checks.sequence import is_control
from wsctl.checks.sequencer import Sequencer
from wsctl.client.connection import Connect
from wsctl.client.feed import Feed
from wsctl.client.tap import Tap
from wsctl.clock import Clock
from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.model.observation import Kind, Observation
from wsctl.watch.options import WatchOptions
from wsctl.watch.silence import Silence
from wsctl.wire.dialects import SOCKETIO
from wsctl.wire.payload import EventReader

Item = Observation | Lifecycle


class Watching:
    """`async with Watching(options, …) as watching: async for item in watching: …`

    Ends when the time or the count is up, or when a channel was silent for `max_silence`: then `silent` names it.

    Yields Observations and stages of the connection, and raises what Feed raises, after everything that came before.
    """

    def __init__(
        self,
        options: WatchOptions,
        clock: Clock,
        random: Random,
        *,
        connect: Connect | None = None,
        tap: Tap | None = None,
        client_id: str | None = None,
    ) -> None:
        self.feed = Feed(
            options.target,
            options.subscriptions(),
            reconnect=options.reconnect,
            reader=_reader(options),
            clock=clock,
            random=random,
            connect=connect,
            tap=tap,
            client_id=client_id,
        )
        self._events = frozenset(options.events)
        self._duration = options.duration
        self._deadline: float | None = None
        """monotonic seconds; known once subscribed"""
        self._left = options.count
        self._clock = clock
        self._sequencer = Sequencer() if options.ordered else None
        self._silence = Silence(options.expected(), options.max_silence)
        self.silent: tuple[str, ...] = ()
        """channels that ended the watching by their silence"""
        self._ready: deque[Item] = deque()
        self._end: Exception | None = None

    @property
    def longest_silence(self) -> float | None:
        """Seconds: the longest time without a message on a channel that should speak; None: none was expected yet."""
        return self._silence.longest(self._clock.now())

    async def __aenter__(self) -> "Watching":
        await self.feed.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.feed.close()

    def __aiter__(self) -> "Watching":
        return self

    async def __anext__(self) -> Item:
        if self._left == 0:  # enough, whether or not anything more would come
            raise StopAsyncIteration
        while not self._ready and self._end is None:
            await self._fill()
        if not self._ready:
            raise self._end or StopAsyncIteration
        item = self._ready.popleft()
        if self._left is not None and isinstance(item, Observation):
            self._left -= 1
        return item

    async def _fill(self) -> None:
        """Take one item from the feed; or release what the reorder buffer has held long enough; or note the end."""
        patience = self._patience()
        try:
            if patience is not None and patience <= 0:
                raise TimeoutError
            async with asyncio.timeout(self._bearable(patience)):
                item = await anext(self.feed)  # what has arrived is handed over at once, whatever the time
        except TimeoutError:
            self.silent = self._silence.overdue(self._clock.now())
            if self.silent or (self._deadline is not None and self._clock.monotonic() >= self._deadline):
                self._finish(StopAsyncIteration())
            elif self._sequencer is not None:
                self._ready.extend(self._sequencer.expire(self._clock.now()))
        except Exception as error:  # the feed is over; told once everything before it was handed out
            self._finish(error)
        else:
            self._take(item)

    def _patience(self) -> float | None:
        """Seconds until something is due; None: nothing is."""
        due = []
        if self._deadline is not None:
            due.append(self._deadline - self._clock.monotonic())
        if self._sequencer is not None and (release_at := self._sequencer.deadline()) is not None:
            due.append(release_at - self._clock.now())
        return min(due, default=None)

    def _bearable(self, patience: float | None) -> float | None:
        """The same, or until a silence has lasted too long."""
        overdue_at = self._silence.deadline()
        if overdue_at is None:
            return patience
        silence = max(0.0, overdue_at - self._clock.now())
        return silence if patience is None else min(patience, silence)

    def _take(self, item: Item) -> None:
        if isinstance(item, Lifecycle):
            if item.stage is Stage.SUBSCRIBED:
                self._silence.begin(item.at)
                if self._deadline is None and self._duration is not None:
                    self._deadline = self._clock.monotonic() + self._duration
            self._ready.append(item)
        elif not self._events or item.event in self._events or item.kind in (Kind.HEARTBEAT, Kind.SKIPPED):
            # the last two tell what is missing from what was asked for
            if item.kind in (Kind.UPDATE, Kind.SNAPSHOT) and not is_control(item):
                self._silence.heard(item)
            if self._sequencer is None:
                self._ready.append(item)
            else:
                self._ready.extend(self._sequencer.add(item))

    def _finish(self, end: Exception) -> None:
        self._end = end
        if self._sequencer is not None:
            self._ready.extend(self._sequencer.close())


def _reader(options: WatchOptions) -> EventReader | None:
    """With the paths that were given; None where a dialect knows them."""
    if options.target.dialect != SOCKETIO:
        return None
    return EventReader(seq_path=options.seq_path, time_path=options.time_path, channel_path=options.channel_path)

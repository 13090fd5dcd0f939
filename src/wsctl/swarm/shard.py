"""A shard of a load: clients that come and go as they are told, one by one, and what they meet, counted."""

import asyncio
import itertools
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import psutil

from wsctl.checks.latency import Buckets, Histogram
from wsctl.checks.reconnection import ReconnectionCheck
from wsctl.client import clock_offset
from wsctl.client.clock_offset import ClockOffset
from wsctl.clock import SystemClock
from wsctl.model.lifecycle import Lifecycle
from wsctl.swarm.client import Client, OnAnswer
from wsctl.swarm.clocks import Clocks, is_loopback
from wsctl.swarm.delta import Delta, Since
from wsctl.swarm.generator import Generator
from wsctl.swarm.home import Home
from wsctl.swarm.process import CpuMeter
from wsctl.swarm.shard_messages import (
    ON_THE_WAY,
    Command,
    Counted,
    Emit,
    Enter,
    Flush,
    Heard,
    Leave,
    Report,
    ShardOptions,
    Subscribe,
    Unsubscribe,
)

MOST_SETTING_OUT = 200
"""clients whose first attempt may be under way at once"""
TICK = 0.1
"""seconds between two times that what arrived is counted; a loop that counts it all at once would be late meanwhile"""
TELL_EVERY = 10
"""ticks between two deltas; each client is looked at once in them, so many at a tick"""
ANSWER_WITHIN = 0.02
"""seconds that answers wait for others to go with them"""
COMPARE_AFTER, COMPARE_EVERY = 1.0, 30.0
"""seconds from one comparison of clocks to the next, first and last: each time it is twice as long"""


class Shard(Home):
    """`run` it once; `handle` what comes. Reports go to `report`, which must not wait."""

    def __init__(self, options: ShardOptions, report: Callable[[Report], None]) -> None:
        super().__init__(options.target, options.reconnect, Random(options.seed), hold=0.0)  # noqa: S311
        self.tally.reconnection = _NoFaults()
        self.options = options
        self._report = report
        self._clients: dict[int, Client] = {}
        """by number of the user"""
        self._users: dict[Client, int] = {}
        self._waiting: OrderedDict[int, Client] = OrderedDict()
        """those that have not set out, by number of the user"""
        self._changed = asyncio.Event()
        """somebody waits to set out, or has arrived"""
        self._setting_out = 0
        self._addresses = deque(options.addresses)
        """the next one first"""
        self._asked = 0
        self._set_out = 0
        """of these, those who had their turn"""
        self._left_early, self._left_unserved = 0, 0
        """those who had been on the way to be in, or to be served, for no longer than ON_THE_WAY when they left"""
        self._generator = Generator()
        self._process = psutil.Process()
        self._cpu = CpuMeter()
        self._since, self._channels, self._causes = Since(), Since(), Since()
        self._entered: list[int] = []
        self._failed: list[tuple[int, str]] = []
        self._answers: list[tuple[int, Any, str | None]] = []
        self._answering: asyncio.TimerHandle | None = None
        self._clocks = Clocks(same_host=is_loopback(options.target))
        self._anybody = asyncio.Event()
        """a client has been in"""
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Until cancelled. Raises UsageError for a target that cannot be dialled, and what broke us."""
        self.prepare()
        self._generator.begin()
        work = [self._admit(), self._tick(), *([] if self.is_raw else [self._compare_clocks()])]
        tasks = [asyncio.create_task(one) for one in work]
        try:
            await asyncio.wait([*tasks, self._broken], return_when=asyncio.FIRST_COMPLETED)
            for task in (self._broken, *tasks):
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for client in self._clients.values():
                client.stop()
                client.leave()
            self._generator.close()

    def handle(self, command: Command) -> None:
        """Do what is asked. What concerns a user that is not there, or no longer, is answered so."""
        match command:
            case Enter():
                self._enter(command)
            case Leave(user=user, polite=polite):
                self._leave(user, polite=polite)
            case Flush(number=number):
                self._tell(number)
            case Subscribe() | Unsubscribe() | Emit():
                answered = self._answered(command.call)
                client = self._clients.get(command.user)
                if client is None:
                    answered(None, "no such user")
                else:
                    _ask(client, command, answered)

    def way(self) -> dict[str, Any]:
        """From each source address in turn."""
        if not self._addresses:
            return self.dialling
        self._addresses.rotate(-1)
        return {**self.dialling, "local_addr": (self._addresses[-1], 0)}

    # What clients tell

    def arrived(self) -> None:
        """A first attempt came to its end."""
        self._setting_out -= 1
        self._changed.set()

    def entered(self, client: Client) -> None:
        """A client is in for the first time."""
        self._entered.append(self._users[client])
        self._answer_soon()
        self._anybody.set()

    def given_up(self, client: Client, reason: str) -> None:
        """A client will not be in, or no longer."""
        self._failed.append((self._users[client], reason))
        self._answer_soon()

    def stage(self, lifecycle: Lifecycle) -> None:
        """Nobody asks who is back from a fault: a load knows of none."""

    def broken(self, error: Exception) -> None:
        """`run` raises it."""
        if not self._broken.done():
            self._broken.set_exception(error)

    # Coming and going

    def _enter(self, asked: Enter) -> None:
        client = Client(
            self,
            f"c{asked.user}",
            token=asked.token if asked.token is not None else self.target.token,
            user=None,
            auth=asked.auth,
            subscriptions=asked.subscriptions,
        )
        self._asked += 1
        self._clients[asked.user] = client
        self._users[client] = asked.user
        self._waiting[asked.user] = client
        self._changed.set()

    def _leave(self, user: int, *, polite: bool) -> None:
        client = self._clients.pop(user, None)
        if client is None:
            return
        self._waiting.pop(user, None)
        lately = time.monotonic() - ON_THE_WAY
        self._left_early += (client.setting_out_since or 0.0) > lately
        self._left_unserved += (client.asking_since or 0.0) > lately
        client.stop()
        if polite:
            client.leave()
        else:
            client.drop()
        client.release()
        del self._users[client]

    async def _admit(self) -> None:
        """Let users set out, at the asked rate by one schedule; whoever waits for nobody begins a new one.

        Who left before its turn has none: nobody waits for it.
        """
        rate = self.options.connect_rate
        due = time.monotonic()
        while True:
            while not self._waiting or self._setting_out >= MOST_SETTING_OUT:
                idle = not self._waiting
                self._changed.clear()
                await self._changed.wait()
                if idle:
                    due = max(due, time.monotonic())  # what nobody asked for is not made up for, by a burst
            if rate:
                now = time.monotonic()
                due = max(due, now - 1.0)  # a second's worth at most is made up for
                if due > now:
                    await asyncio.sleep(due - now)
                if not self._waiting:  # whoever did has left meanwhile
                    continue
                due += 1 / rate
            _, client = self._waiting.popitem(last=False)
            self._setting_out += 1
            self._set_out += 1
            client.connect()

    # Whose clock latencies rest on

    async def _compare_clocks(self) -> None:
        """Ours and the feed's, by way of whoever is in at the moment: again and again, for clocks drift and are set."""
        await self._anybody.wait()
        wait = COMPARE_AFTER
        while True:
            client = next((one for one in self._clients.values() if one.is_open), None)
            if client is not None and (measured := await clock_offset.measure(client, SystemClock())) is not None:
                self._take_offset(measured)
            await asyncio.sleep(wait)
            wait = min(2 * wait, COMPARE_EVERY)

    def _take_offset(self, measured: ClockOffset) -> None:
        if not self._clocks.add(measured, time.monotonic()):
            return
        if self.tally.clock_offset is None:
            self.tally.measure_latencies()  # those so far rest on nothing
        else:  # those so far rest on what held until now
            self.tally.fold()
            self.tally.gather()
        self.tally.clock_offset = self._clocks.offset

    # What is told

    async def _tick(self) -> None:
        if self._clocks.basis(time.monotonic()) is not None:
            self.tally.measure_latencies()
        for number in itertools.count(1):
            await asyncio.sleep(TICK)
            now = time.monotonic()
            for client in tuple(itertools.islice(self._clients.values(), number % TELL_EVERY, None, TELL_EVERY)):
                client.look(now)
            self.tally.fold()
            if number % TELL_EVERY == 0:
                self._tell(None)

    def _tell(self, flush: int | None) -> None:
        tally = self.tally
        tally.fold()
        ways = {
            "asked": self._asked,
            "set_out": self._set_out,
            "left_early": self._left_early,
            "left_unserved": self._left_unserved,
        }
        self._report(
            Counted(
                flush=flush,
                delta=Delta(
                    counts=self._since.changes({**ways, **tally.totals()}),
                    channels=self._channels.changes(tally.channels),
                    causes=self._causes.changes(tally.counts.causes),
                    times={**tally.take_times(), **_named("lag", self._generator.take_lag())},
                    levels={
                        "users": len(self._clients),
                        "waiting": len(self._waiting),
                        "open": tally.counts.open,
                        "receiving": sum(client.receiving for client in self._clients.values()),
                        "rss": self._process.memory_info().rss,
                        "cpu": self._cpu.cores(),
                    },
                    clock=self._clocks.basis(time.monotonic()),
                ),
            )
        )

    def _answered(self, call: int) -> OnAnswer:
        def answered(args: Sequence[Any] | None, error: str | None) -> None:
            self._answers.append((call, args[0] if args else None, error))
            self._answer_soon()

        return answered

    def _answer_soon(self) -> None:
        if self._answering is None:
            self._answering = asyncio.get_running_loop().call_later(ANSWER_WITHIN, self._answer)

    def _answer(self) -> None:
        self._answering = None
        entered, failed, answers = self._entered, self._failed, self._answers
        self._entered, self._failed, self._answers = [], [], []
        self._report(Heard(entered=tuple(entered), failed=tuple(failed), answers=tuple(answers)))


class _NoFaults(ReconnectionCheck):
    """Remembers nothing of anybody: clients come and go by the thousands."""

    def stage(self, lifecycle: Lifecycle) -> None:
        """Nothing to be learnt."""

    def heard(self, client: str, channel: str, at: float, fresh: bool) -> None:
        """Nothing to be learnt."""

    def lost(self, client: str, at: float) -> None:
        """Nothing to be learnt."""


def _named(name: str, histogram: Histogram) -> dict[str, Buckets]:
    buckets = histogram.buckets()
    return {} if buckets is None else {name: buckets}


def _ask(client: Client, command: Subscribe | Unsubscribe | Emit, answered: OnAnswer) -> None:
    match command:
        case Subscribe(subscription=subscription, within=within):
            client.subscribe(subscription, answered, within)
        case Unsubscribe(subscription=subscription, within=within):
            client.unsubscribe(subscription, answered, within)
        case Emit(event=event, args=args, within=within):
            client.send(event, args, answered, within)

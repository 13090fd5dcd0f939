"""The crowd: many clients set out, settle, and are measured."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

from wsctl.client import clock_offset
from wsctl.client.clock_offset import ClockOffset
from wsctl.clock import SystemClock
from wsctl.spec.units import format_duration
from wsctl.swarm.client import Client
from wsctl.swarm.generator import Generator, saturation
from wsctl.swarm.home import Home
from wsctl.swarm.messages import Done, Fault, Progress, Report, Settled
from wsctl.swarm.options import SETTLE, SwarmOptions

MOST_SETTING_OUT = 200
"""clients whose first attempt may be under way at once"""
GATHER_EVERY = 4
"""ticks between two times that percentiles of latencies are brought up to date"""
TICK = 0.25
"""seconds between two looks at what came: counts, silent connections, Progress"""


class Crowd(Home):
    """`run` it once. Reports go to `report`, which must not wait."""

    def __init__(self, options: SwarmOptions, report: Callable[[Report], None], random: Random | None = None) -> None:
        super().__init__(options.target, options.reconnect, random, hold=options.recovery_hold)
        self.options = options
        self.resubscribe = options.resubscribe
        self._report = report
        self._clients: list[Client] = []
        self._by_id: dict[str, Client] = {}
        self._generator = Generator()
        self._stopped = asyncio.Event()
        self._changed = asyncio.Event()
        """a client arrived or settled"""
        self._setting_out = 0
        self._unsettled = options.clients
        self._broken: Exception | None = None

    async def run(self) -> Done:
        """Connect everybody, measure for the duration, and take leave. Raises UsageError or Unreachable."""
        self.options.check()
        self.prepare()
        self._clients = [self._make_client(index) for index in range(self.options.clients)]
        self._by_id = {client.id: client for client in self._clients}
        ticking = asyncio.create_task(self._tick())
        try:
            await self._until_stopped(self._settle(), ticking)
            self._begin()
            await self._until_stopped(asyncio.sleep(self.options.duration), ticking)
            return self._end()
        finally:
            for client in self._clients:
                client.stop()
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)

    def stop(self) -> None:
        """Measure no longer."""
        self._stopped.set()

    def fault(self, fault: Fault) -> None:
        """Clients were cut, by the target's account."""
        cut = [self._by_id[id].name for id in fault.clients if id in self._by_id]
        cut += self._at_ports(fault.ports, fault.at)
        self.tally.reconnection.fault(fault.at, fault.back_at, cut, fault.within, silent=fault.silent)

    def _at_ports(self, ports: Sequence[int], at: float) -> list[str]:
        """The clients whose sockets had these ports then; of those that ever had one, the latest."""
        holders: dict[int, tuple[float, str]] = {}
        for client in self._clients if ports else ():
            for port, since in () if client.ports is None else client.ports.at(ports, at):
                holders[port] = max(holders.get(port, (since, client.name)), (since, client.name))
        return [name for _, name in holders.values()]

    # What clients tell

    def arrived(self) -> None:
        """A first attempt came to its end."""
        self._setting_out -= 1
        self._changed.set()

    def settled(self) -> None:
        """A client is subscribed, refused, or has given up, for the first time."""
        self._unsettled -= 1
        self._changed.set()

    def broken(self, error: Exception) -> None:
        """An error of our own: `run` raises it."""
        self._broken = self._broken or error
        self._stopped.set()

    # The way to the measured time

    async def _settle(self) -> None:
        """Until everybody is settled, or had the time."""
        self.tally.counts.began_at = time.monotonic()
        first = self._clients[0]
        self._set_out(first)
        await self._until(lambda: self._setting_out == 0)
        if first.error is not None:  # nobody else will fare better
            raise first.error
        await self._until(lambda: first.settled)
        clocks = asyncio.create_task(self._compare_clocks(first))
        try:
            await self._set_all_out()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLE):
                    await self._until(lambda: self._unsettled == 0)
            self.tally.clock_offset = await clocks
        finally:
            clocks.cancel()

    async def _compare_clocks(self, client: Client) -> ClockOffset | None:
        """Raw feeds cannot be asked what time it is."""
        return None if self.is_raw else await clock_offset.measure(client, SystemClock())

    async def _set_all_out(self) -> None:
        """At the asked rate by one schedule, so that a late start does not delay those after it."""
        rate = self.options.connect_rate
        began = time.monotonic()
        for number, client in enumerate(self._clients[1:], 1):
            if rate:
                early = began + number / rate - time.monotonic()
                if early > 0:
                    await asyncio.sleep(early)
            await self._until(lambda: self._setting_out < MOST_SETTING_OUT)
            self._set_out(client)

    def _make_client(self, index: int) -> Client:
        options = self.options
        form = {} if options.format == "full" else {"format": options.format}
        return Client(
            self,
            f"c{index + 1}",
            token=options.token_of(index),
            user=options.user_of(index),
            auth=form,
            subscriptions=options.subscriptions_of(index),
            slow=index >= options.clients - options.slow,
        )

    def _set_out(self, client: Client) -> None:
        self._setting_out += 1
        client.connect()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def _until_stopped(self, work: Coroutine[Any, Any, None], ticking: asyncio.Task[None]) -> None:
        """Do something, but not longer than until `stop`."""
        task, stop = asyncio.ensure_future(work), asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait({task, stop, ticking}, return_when=asyncio.FIRST_COMPLETED)
            if self._broken is not None:
                raise self._broken
            for ended in (task, ticking):
                if ended.done():
                    ended.result()
        finally:
            task.cancel()
            stop.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)

    # The measured time

    def _begin(self) -> None:
        self.tally.begin()
        self._generator.begin()
        self._report(Settled(at=time.time(), metrics=self._metrics()))
        loop = asyncio.get_running_loop()
        if self.options.warmup:
            loop.call_later(self.options.warmup, self.tally.measure_latencies)
        else:
            self.tally.measure_latencies()
        if self.options.slow:
            for client in self._clients[-self.options.slow :]:
                client.pause()
                loop.call_later(self.options.slow_for, client.resume)

    async def _tick(self) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(TICK)
            if number % GATHER_EVERY == 0:
                self.tally.gather()
            now = time.monotonic()
            for client in self._clients:
                client.look(now)
            self._report(Progress(elapsed=self.tally.elapsed, metrics=self._metrics()))

    def _end(self) -> Done:
        measured = self._metrics()
        load = self._generator.metrics()
        self._generator.close()
        # leaving first, lest what was on its way counts as lost
        for client in self._clients:
            client.leave()
        self.tally.close()
        saturated = saturation(load)
        return Done(
            metrics={**measured, **self.tally.metrics(), **load},
            findings=self.tally.findings(),
            notes=tuple(self._notes(saturated)),
            channels=dict(self.tally.channels),
            samples=tuple(self.tally.samples),
            saturated=saturated is not None,
        )

    def _metrics(self) -> dict[str, float]:
        self.tally.fold()
        for client in self._clients:
            client.tell_heard()
        return {
            "connections.asked": self.options.clients,
            "connections.receiving": sum(client.receiving for client in self._clients),
            **self.tally.metrics(),
            **self._generator.metrics(),
        }

    def _notes(self, saturated: str | None) -> list[str]:
        options = self.options
        notes = [] if saturated is None else [saturated]
        if self._unsettled:
            notes.append(f"{self._unsettled:,} of {options.clients:,} clients had not settled when measuring began")
        if options.warmup:
            notes.append(f"latencies of the first {format_duration(options.warmup)} are left out")
        if options.slow:
            notes.append(f"latencies of {options.slow:,} of the clients, which stopped reading, are left out")
        return [*notes, *self.tally.notes()]

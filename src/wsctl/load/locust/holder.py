"""The shard of this process: opened once it is known what the users do, and what it tells, numbered."""

import os
import time
from collections.abc import Callable

import gevent
import psutil
from gevent.event import Event

from wsctl.errors import WsctlError
from wsctl.load.locust.link import Link
from wsctl.load.locust.merge import Told
from wsctl.load.locust.seats import Seats
from wsctl.load.locust.visit import Visit
from wsctl.load.plan import Work
from wsctl.swarm.delta import Delta
from wsctl.swarm.process import CpuMeter
from wsctl.swarm.shard_messages import ShardOptions


class Holder:
    """What it tells goes to `told`; what makes it useless to `broken`, once."""

    def __init__(self, told: Callable[[Told], None], broken: Callable[[WsctlError], None]) -> None:
        self.number = 0
        """how many times it told"""
        self._told = told
        self._broken = broken
        self._opened = Event()
        self._flushed = False
        self._process = psutil.Process(os.getpid())
        self._cpu = CpuMeter()

    def open(self, work: Work, index: int, workers: int) -> None:
        """Begin: this is worker `index` of so many."""
        self._work, self._index = work, index
        self._seats = Seats(index, workers)
        options = ShardOptions(
            target=work.target,
            reconnect=work.reconnect,
            connect_rate=work.connect_rate / workers,
            addresses=work.addresses,
            seed=None if work.seed is None else work.seed + index,
        )
        self._link = Link(options, self._tell, self._broken)
        self._opened.set()

    def visit(self) -> Visit:
        """A user's, once the shard is there."""
        self._opened.wait()
        return Visit(self._link.client(), self._work, self._seats.take(), gevent.sleep)

    def part(self, visit: Visit) -> None:
        """A user is gone."""
        visit.client.leave(polite=visit.journey.polite)
        self._seats.give_back(visit.place.number)

    def flush(self) -> bool:
        """Have everything told that was counted, and nothing after it; False where that cannot be."""
        whole = self._opened.is_set() and self._link.flush()
        self._flushed = True
        return whole

    def close(self) -> None:
        """End the shard."""
        if self._opened.is_set():
            self._link.close()

    def _tell(self, delta: Delta) -> None:
        if self._flushed:  # users leave
            return
        self.number += 1
        told = Told(
            index=self._index,
            number=self.number,
            at=time.time(),
            delta=delta,
            control_cpu=self._cpu.cores(),
            control_rss=self._process.memory_info().rss,
        )
        self._told(told)

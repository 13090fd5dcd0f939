"""The swarm's own load on the machine: whether what it measures is the target or itself."""

import asyncio
import time
from typing import Final

import psutil

from wsctl.checks.latency import Histogram

TICK: Final = 0.02
"""seconds between two looks at how late a timer fires"""
MOST_CPU: Final = 0.95
"""of a core"""
MOST_LAG: Final = 0.1
"""seconds, at the 99th percentile"""


class Generator:
    """CPU, memory and the loop's lateness, from `begin` on."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = psutil.Process()
        self._lag = Histogram()
        self._rss = 0
        self._cpu_at_begin = time.process_time()
        self._began = time.monotonic()
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Forget what was before."""
        self._lag = Histogram()
        self._cpu_at_begin = time.process_time()
        self._began = time.monotonic()
        if self._timer is None:
            self._wait()

    def close(self) -> None:
        """Look no longer."""
        if self._timer is not None:
            self._timer.cancel()

    def metrics(self) -> dict[str, float]:
        """`generator.*` as of now."""
        self._rss = max(self._rss, self._process.memory_info().rss)
        measured: dict[str, float] = {"generator.rss": self._rss}
        elapsed = time.monotonic() - self._began
        if elapsed > TICK:  # less says nothing
            measured["generator.cpu"] = (time.process_time() - self._cpu_at_begin) / elapsed
        lag = self._lag.percentile(99)
        if lag is not None:
            measured["generator.lag.p99"] = lag
        return measured

    def take_lag(self) -> Histogram:
        """How late timers fired since the last time."""
        taken, self._lag = self._lag, Histogram()
        return taken

    def _wait(self) -> None:
        self._due = time.monotonic() + TICK
        self._timer = self._loop.call_later(TICK, self._tick)

    def _tick(self) -> None:
        # the loop's timers know milliseconds, so that one may fire a little early
        self._lag.record(max(0.0, time.monotonic() - self._due))
        self._wait()


def saturation(metrics: dict[str, float]) -> str | None:
    """Why latencies are rather those of the generator than of the target, if they are."""
    cpu, lag = metrics.get("generator.cpu", 0.0), metrics.get("generator.lag.p99", 0.0)
    if cpu > MOST_CPU:
        return f"the clients' own process used {cpu:.2f} cores; above {MOST_CPU:g} it is what is measured"
    if lag > MOST_LAG:
        return f"the clients' own process was {lag * 1000:.0f} ms late at times (p99); expected below 100 ms"
    return None

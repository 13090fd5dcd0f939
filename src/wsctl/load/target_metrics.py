"""What the target says of itself: its Prometheus page, read once a second while a load lasts."""

import asyncio
import math
import time
from types import TracebackType
from typing import Self

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from wsctl.errors import TargetError

INTERVAL = 1.0
"""seconds between two looks"""
TIMEOUT = 5.0
"""seconds for an answer"""
LARGEST = 4 * 1024 * 1024
"""bytes of a page"""
_CPU, _RSS = "process_cpu_seconds_total", "process_resident_memory_bytes"
"""as every official client library of Prometheus calls them"""


class Page:
    """The figures of one look: counters and gauges by name, their labels added up."""

    def __init__(self, text: str, at: float) -> None:
        """`at` in monotonic seconds. Raises ValueError for what is not Prometheus' text form."""
        self.at = at
        self.counters: dict[str, float] = {}
        self.gauges: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            kept = {"counter": self.counters, "gauge": self.gauges}.get(family.type)
            if kept is None:
                continue
            for sample in family.samples:
                if not sample.name.endswith("_created") and math.isfinite(sample.value):
                    kept[sample.name] = kept.get(sample.name, 0.0) + sample.value

    def since(self, before: "Page | None") -> dict[str, float]:
        """`cpu` in cores, `rss` in bytes; of other counters the growth per second, of other gauges the value."""
        figures = {name: value for name, value in self.gauges.items() if not name.startswith(("process_", "python_"))}
        if _RSS in self.gauges:
            figures["rss"] = self.gauges[_RSS]
        if before is None or self.at <= before.at:
            return figures
        for name, value in self.counters.items():
            growth = (value - before.counters.get(name, value)) / (self.at - before.at)
            if growth < 0:  # it began anew
                continue
            if name == _CPU:
                figures["cpu"] = growth
            elif not name.startswith(("process_", "python_")):
                figures[name] = growth
        return figures


class TargetMetrics:
    """`async with TargetMetrics(url) as metrics: metrics.take()`; entering raises TargetError for what is no page."""

    def __init__(self, url: str) -> None:
        self.missed = 0
        """looks in vain, after the first one"""
        self._url = url
        self._session: aiohttp.ClientSession | None = None
        self._page: Page | None = None
        self._figures: dict[str, float] = {}
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT))
        try:
            self._page = await self._look(self._session)
        except BaseException:
            await self._session.close()
            raise
        self._reading = asyncio.create_task(self._read(self._session))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._session is not None
        assert self._reading is not None
        self._reading.cancel()
        await asyncio.wait({self._reading})
        await self._session.close()

    def take(self) -> dict[str, float]:
        """The latest figures; empty where nothing new came since the last time: a target may be too busy to tell."""
        figures, self._figures = self._figures, {}
        return figures

    async def _read(self, session: aiohttp.ClientSession) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                page = await self._look(session)
            except TargetError:
                self.missed += 1
                continue
            self._figures, self._page = page.since(self._page), page

    async def _look(self, session: aiohttp.ClientSession) -> Page:
        try:
            async with session.get(self._url) as response:
                body = await response.content.read(LARGEST)
                if response.status != 200:
                    raise TargetError(f"{self._url} answers {response.status}; expected Prometheus metrics")
            return Page(body.decode(), time.monotonic())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            cause = (str(error) or f"no answer within {TIMEOUT:g} s").lower()
            raise TargetError(f"{self._url} cannot be read: {cause}") from error
        except ValueError as error:
            raise TargetError(f"{self._url} answers, but not with Prometheus metrics: {error}") from error

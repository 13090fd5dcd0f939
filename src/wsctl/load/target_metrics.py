"""What the target says of itself: its Prometheus page, read once a second while a load lasts."""

import asyncio
import math
import time
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

from wsctl.client.pages import Page
from wsctl.errors import TargetError

INTERVAL = 1.0
"""seconds between two looks"""
_CPU, _RSS = "process_cpu_seconds_total", "process_resident_memory_bytes"
"""as every official client library of Prometheus calls them"""


class Look:
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

    def since(self, before: "Look | None") -> dict[str, float]:
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
        self._url = url
        self._stack = AsyncExitStack()
        self._latest: Look | None = None
        self._figures: dict[str, float] = {}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            page = await stack.enter_async_context(Page(self._url))
            self._latest = await self._look(page)
            self._reading = asyncio.create_task(self._read(page))
            stack.push_async_callback(_ended, self._reading)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def take(self) -> dict[str, float]:
        """The latest figures; empty where nothing new came since the last time: a target may be too busy to tell.

        Raises whatever ended the reading, if anything has.
        """
        if self._reading.done():
            self._reading.result()
        figures, self._figures = self._figures, {}
        return figures

    async def _read(self, page: Page) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            with suppress(TargetError):  # the series has a hole there, and the load itself tells why
                look = await self._look(page)
                self._figures, self._latest = look.since(self._latest), look

    async def _look(self, page: Page) -> Look:
        text = await page.read()
        try:
            return Look(text, time.monotonic())
        except ValueError as error:
            raise TargetError(f"{page.shown} answers, but not with Prometheus metrics: {error}") from error


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})

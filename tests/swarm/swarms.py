"""Running swarms for tests: as child processes, against whatever listens."""

import asyncio
from collections.abc import Callable
from typing import Any

from wsctl.client.subscription import Subscription
from wsctl.client.target import Reconnect, Target
from wsctl.swarm.messages import Done
from wsctl.swarm.options import SwarmOptions
from wsctl.swarm.remote import RemoteSwarm

SYMBOLS = ("BTC/USDT", "ETH/USDT")
WAIT = 20.0
"""seconds until what must come true is given up"""
QUICK = Reconnect(attempts=100, delay=0.05, delay_max=0.2)


def prices(*symbols: str) -> tuple[Subscription, ...]:
    """A subscription to symbols' prices."""
    return (Subscription("price:subscribe", symbols or SYMBOLS),)


def options(url: str, **given: Any) -> SwarmOptions:
    """A small swarm that sets out at once, for as long as a test needs it."""
    target = {"direct": True, **given.pop("target", {})}
    standard = {"clients": 3, "subscriptions": prices(), "connect_rate": 0.0, "duration": 60.0, "reconnect": QUICK}
    return SwarmOptions(target=Target(url=url, **target), **{**standard, **given})


class Watched:
    """A swarm that a test reads as it goes."""

    def __init__(self, swarm: RemoteSwarm) -> None:
        self.swarm = swarm
        self.latest: dict[str, float] = {}
        """metrics"""
        self.reports: list[str] = []
        """kinds, in their order"""
        self.done: Done | None = None

    async def until(self, condition: Callable[[dict[str, float]], Any]) -> dict[str, float]:
        """Read on until the metrics fulfil something."""
        try:
            async with asyncio.timeout(WAIT):
                async for report in self.swarm:
                    self.reports.append(type(report).__name__)
                    assert not isinstance(report, Done), f"done before that: {report.metrics}"
                    self.latest = dict(report.metrics)
                    if condition(self.latest):
                        return self.latest
        except TimeoutError:
            raise AssertionError(f"it never came to that: {self.latest}") from None
        raise AssertionError("the reports ended")

    async def measuring(self) -> None:
        """Read on until every client has settled."""
        if "Settled" not in self.reports:
            await self.until(lambda metrics: "Settled" in self.reports)

    async def silence(self) -> None:
        """Read on until nothing came between two reports."""
        before = -1.0

        def still(metrics: dict[str, float]) -> bool:
            nonlocal before
            same, before = metrics["messages.received"] == before, metrics["messages.received"]
            return same

        await self.until(still)

    async def end(self) -> Done:
        """Read what comes last."""
        async for report in self.swarm:
            self.reports.append(type(report).__name__)
            if isinstance(report, Done):
                return report
            assert not self.reports.count("Settled") > 1
        raise AssertionError("the reports ended")

    async def stop(self) -> Done:
        """Stop measuring; what came out."""
        await self.swarm.stop()
        async with asyncio.timeout(10):
            return await self.end()

"""A server that attacks clients, run beside a test, and small rows for it to play."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from wsctl.clock import SystemClock
from wsctl.fuzz.ending import ALIVE, CUT, ENDED, closed
from wsctl.fuzz.events import Event, Listening
from wsctl.fuzz.options import ServeFuzzOptions
from wsctl.fuzz.probe import Probe
from wsctl.fuzz.result import FuzzResult
from wsctl.fuzz.serving.server import FuzzServer
from wsctl.fuzz.steps import Answer, Case, Frame, Say, data

SECONDS = 30.0
"""until a run is given up"""


def row(id: str, *cases: Case, **more: Any) -> Probe:
    """A probe that attacks clients."""
    given = {"group": "payload", "needs": "socketio", "safe": (ALIVE, *ENDED), "title": id, "source": "", "symptom": ""}
    return Probe(id=id, cases=cases, attacks="client", **{**given, **more})


BIT = row("BIT", Case(steps=(Frame(data=data("x"), rsv=4),)), needs="websocket", safe=(closed(1002), CUT))
NINE = row("NINE", Case(steps=(Say(data=data("9")),)), needs="engineio")
NO_PRICE = row("NO-PRICE", Case(steps=(Say(data=data('42["price:update",{"symbol":"BTC/USDT"}]')),)), deadline=0.5)
NO_ACCEPT = row("NO-ACCEPT", Case(steps=(Answer(without=("sec-websocket-accept",)),)), needs="websocket", safe=ENDED)


class Attack:
    """A server that plays rows. `told` is what it tells."""

    def __init__(self, **options: Any) -> None:
        self.told: list[Event] = []
        self._listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.server = FuzzServer(ServeFuzzOptions(**{"seed": 1, "wait": SECONDS, **options}), SystemClock(), self._hear)
        self._run = asyncio.create_task(self.server.run())

    async def url(self) -> str:
        """Where clients find it."""
        return await self._listening

    async def result(self) -> FuzzResult:
        """What came of it."""
        return await self._run

    def _hear(self, event: Event) -> None:
        self.told.append(event)
        if isinstance(event, Listening):
            self._listening.set_result(event.url)


def attacked(test: Coroutine[Any, Any, FuzzResult]) -> FuzzResult:
    """Run a test's coroutine; no task may be left."""

    async def bounded() -> FuzzResult:
        async with asyncio.timeout(SECONDS):
            result = await test
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"
        return result

    return asyncio.run(bounded())


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A client in a process of its own, for as long as the block lasts."""
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


def verdicts(result: FuzzResult) -> dict[str, str]:
    """By the probe's id."""
    return {one.id: one.verdict.value for one in result.probes}

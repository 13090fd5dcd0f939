"""An event loop whose time is the test's: what sleeps wakes up on the moment, and no moment is waited for."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

NOON = 1_800_000_000.0
"""unix seconds at which loops begin"""
PATIENCE, TURN = 20, 1e-5
"""turns of the loop in which nothing is waited for until each takes some seconds: whoever spins sees time pass"""


class _Selector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self._spun = 0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "nothing will ever happen"
        self._spun = 0 if timeout else self._spun + 1
        self.time += timeout or (TURN if self._spun > PATIENCE else 0.0)
        return super().select(0)


class LoopClock:
    """The loop's time, as a clock; the wall says NOON when it begins."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> float:
        return NOON + self.monotonic()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end in a loop of its own."""

    class Loop(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return selector.time

    selector = _Selector()
    with asyncio.Runner(loop_factory=lambda: Loop(selector)) as runner:
        return runner.run(work)

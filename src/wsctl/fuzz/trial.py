"""Trial: a case played under the eyes of the oracle, within what was allowed."""

import asyncio
from collections.abc import Callable

from msgspec import Struct

from wsctl.fuzz.ending import Ending
from wsctl.fuzz.oracle import Oracle
from wsctl.fuzz.player import Player
from wsctl.fuzz.steps import Case, size

DEADLINE = 2.0
"""seconds for a generated case to end, or its connection to answer"""
LATE = "a connection beside was cut before the case began: what came before it did that, and late"
_WORST = ("unreachable", "silent", "alive", "answered", "cut", "closed")
"""kinds of endings of cases side by side, the worst first"""


class Trial(Struct, frozen=True):
    """What came of it."""

    ending: Ending
    harms: tuple[str, ...] = ()
    """what the oracle objects to"""
    late: bool = False
    """it was not played: the harm was done before it began, by the one before"""

    is_doubtful: bool = False
    """the canary was closed in order, and that is all: it may have been its time"""

    @property
    def objections(self) -> tuple[str, ...]:
        """What is wrong with a case that declares no safe endings: harm, or a connection that fell silent."""
        silent = self.ending.kind == "silent" and self.ending.unfit is None
        return self.harms or ((str(self.ending),) if silent else ())


class Trials:
    """Plays cases, one after another, against a target that an oracle watches."""

    def __init__(self, oracle: Oracle, *, max_bytes: int, rate: float, wait: float) -> None:
        self._oracle = oracle
        self._max_bytes = max_bytes
        self._rate = rate
        self._wait = wait
        self._next = 0.0
        self.played = 0
        self.doubted = 0
        """times that the canary was closed in order, and not again when the case was played again"""
        self.gone = False
        """the target died, and did not come back"""

    async def play(self, case: Case, deadline: float, *, may_stay: bool = True, patience: float = 0.0) -> Trial:
        """Play a case, and look for harm after so many seconds of `patience`.

        Where the target died of it, it has come back in the end, or is `gone`.
        """
        trial = await self._play_once(case, deadline, may_stay=may_stay, patience=patience)
        if trial.is_doubtful:
            again = await self._play_once(case, deadline, may_stay=may_stay, patience=patience)
            self.doubted += not again.harms
            return again
        return trial

    async def admit(self, case: Case) -> str | None:
        """Wait for its turn; why it may not be played; None: it may."""
        if self.gone:
            return "the target is gone"
        if size(case) > self._max_bytes:
            return f"it sends {size(case):,} bytes; --max-bytes allows {self._max_bytes:,}"
        await self._pace()
        return None

    async def _play_once(self, case: Case, deadline: float, *, may_stay: bool, patience: float) -> Trial:
        if (refusal := await self.admit(case)) is not None:
            return Trial(unfit(refusal))
        if self._oracle.late:
            doubtful = self._oracle.closed_in_order
            await self._came_back()
            return Trial(unfit("the target was harmed before"), (LATE,), late=True, is_doubtful=doubtful)
        if (objection := await self._oracle.before()) is not None and not await self._came_back():
            return Trial(unfit(objection))
        self.played += 1
        endings = await play_at_once(self._oracle.player, case, deadline, may_stay=may_stay)
        await asyncio.sleep(patience)
        harms = await self._oracle.after(endings)
        doubtful = self._oracle.is_doubtful(harms)
        if harms:
            await self._came_back()
        return Trial(worst(endings), harms, is_doubtful=doubtful)

    async def _came_back(self) -> bool:
        self.gone = not await self._oracle.returned(self._wait)
        return not self.gone and await self._oracle.before() is None

    async def _pace(self) -> None:
        if self._rate:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(max(0.0, self._next - loop.time()))
            self._next = max(self._next, loop.time()) + 1 / self._rate


async def play_at_once(
    player: Callable[[], Player], case: Case, deadline: float, *, may_stay: bool
) -> tuple[Ending, ...]:
    """A case's endings: one for each of it that is played at the same time."""
    players = [player() for _ in range(case.at_once)]
    return tuple(await asyncio.gather(*(one.play(case, deadline, may_stay=may_stay) for one in players)))


def worst(endings: tuple[Ending, ...]) -> Ending:
    """That one of several which is the least harmless."""
    return min(endings, key=lambda one: (one.unfit is not None, _WORST.index(one.kind)))


def unfit(reason: str) -> Ending:
    """Of a case that could not be played."""
    return Ending(kind="silent", unfit=reason)

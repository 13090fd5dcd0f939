"""Rounds: the catalogue's cases, one client each, and whether it survived."""

import asyncio
from collections.abc import Callable, Sequence

from wsctl.fuzz.campaign import result_of, worst_of
from wsctl.fuzz.ending import Ending
from wsctl.fuzz.probe import Probe, Verdict
from wsctl.fuzz.process_watch import ProcessWatch
from wsctl.fuzz.result import ProbeResult
from wsctl.fuzz.serving.lobby import Lobby
from wsctl.fuzz.steps import Answer, Case
from wsctl.fuzz.trial import Trial, unfit

TRIES = 3
"""clients that a case is tried with: somebody may look in and leave"""
GOOD_BYE = (1000, 1001)
"""close codes of a client that leaves because it wants to, as after a server's DISCONNECT"""
LOOK_EVERY = 0.05
"""seconds between two looks whether a process is there"""


class Rounds:
    """A client survived that comes back, on a new connection; whether it is the same one nobody can say.

    Where they did come back before, or a client's process is gone, it did not survive. One that never comes back may be
    made so: it is judged by how it ended, and there is nobody to go on with. `tell` hears of each result.
    """

    def __init__(
        self,
        lobby: Lobby,
        watch: ProcessWatch | None,
        tell: Callable[[ProbeResult], None],
        *,
        wait: float,
        fail_fast: bool,
    ) -> None:
        self._lobby = lobby
        self._watch = watch
        self._tell = tell
        self._wait = wait
        self._fail_fast = fail_fast
        self._comes_back = False
        """whether a client ever did"""
        self._before = 0
        """clients that had come when the case began"""
        self.results: list[ProbeResult] = []
        self.played = 0
        self.deserted: str | None = None
        """why there is nobody to go on with"""

    async def run(self, probes: Sequence[Probe]) -> None:
        """Play them all; with `fail_fast` until one fails.

        Answers to the opening handshake come last: clients that were never let in, and those that see one on their way
        back, may well give up.
        """
        for probe in sorted(probes, key=_answers):
            result = worst_of([result_of(probe, case, await self._trial(case, probe)) for case in probe.cases])
            self.results.append(result)
            self._tell(result)
            if self._fail_fast and result.verdict is Verdict.FAILED:
                return

    async def _trial(self, case: Case, probe: Probe) -> Trial:
        """A case that was tried on somebody who left before its hostile part is tried on the next."""
        for _ in range(TRIES):
            ending = unfit(self.deserted) if self.deserted else await self._play(case, probe)
            if ending.unfit is None:
                self.played += 1
                return Trial(ending, await self._harms(probe, ending))
            if self.deserted:
                break
        return Trial(ending)

    async def _play(self, case: Case, probe: Probe) -> Ending:
        guest = await self._lobby.next(self._wait, unanswered=_begins_with_answer(case))
        if guest is None:
            self.deserted = f"no client connected within {self._wait:g} s"
            return unfit(self.deserted)
        if self._watch is not None:
            self._watch.look()
        self._before = self._lobby.arrivals
        self._lobby.release()
        try:
            return await guest.play(case, probe)
        finally:
            self._lobby.hold()
            await guest.dismiss()

    async def _harms(self, probe: Probe, ending: Ending) -> tuple[str, ...]:
        """What was done to the client; nothing: none that can be seen."""
        back = await self._came_back()
        if self._watch is not None:
            harms = await self._watch.objections()
            if self._watch.gone:
                self._watch = None
                return tuple(harms)
        else:
            harms = []
        if not back:
            self.deserted = f"no client came back after {probe.id} within {self._wait:g} s"
            if self._comes_back and not (ending.kind == "closed" and ending.code in GOOD_BYE):
                harms.append(f"it did not come back within {self._wait:g} s")
        self._comes_back |= back
        return tuple(harms)

    async def _came_back(self) -> bool:
        """Whether somebody comes, before the time is up and before the client's process is gone."""
        arriving = asyncio.create_task(self._lobby.arrived(self._before, self._wait))
        try:
            while not arriving.done() and not (self._watch is not None and self._watch.gone):
                await asyncio.wait({arriving}, timeout=LOOK_EVERY)
            return arriving.done() and arriving.result()
        finally:
            arriving.cancel()
            await asyncio.gather(arriving, return_exceptions=True)


def _begins_with_answer(case: Case) -> bool:
    return isinstance(case.steps[0], Answer)


def _answers(probe: Probe) -> bool:
    return any(map(_begins_with_answer, probe.cases))

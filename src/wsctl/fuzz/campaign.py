"""Campaign: the catalogue's probes, one after another, and what to make of each."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import structs

from wsctl.fuzz import sketch
from wsctl.fuzz.ending import Ending
from wsctl.fuzz.oracle import Oracle
from wsctl.fuzz.probe import Probe, Verdict, judge
from wsctl.fuzz.result import ProbeResult
from wsctl.fuzz.steps import Case
from wsctl.fuzz.trial import Trial, Trials, play_at_once, unfit, worst

PATIENCE = 0.5
"""seconds until harm is looked for, once some came late"""
SUSPECTS = 3
"""cases that may have done what is seen later"""
PATIENT = 15.0
"""seconds: probes with longer deadlines only wait, and do so beside the others"""
_ORDER = list(Verdict)


class Campaign:
    """Probes against one target. `tell` hears of each result."""

    def __init__(self, trials: Trials, oracle: Oracle, tell: Callable[[ProbeResult], None], *, fail_fast: bool) -> None:
        self._trials = trials
        self._oracle = oracle
        self._tell = tell
        self._fail_fast = fail_fast
        self.results: list[ProbeResult] = []
        self._recent: deque[tuple[Probe, Case]] = deque(maxlen=SUSPECTS)
        """that were played last"""

    async def run(self, probes: Sequence[Probe]) -> None:
        """Play them all; with `fail_fast` until one fails."""
        patient = [probe for probe in probes if is_patient(probe)]
        waiting = {probe.id: asyncio.create_task(self._sit_out(probe)) for probe in patient}
        try:
            if waiting:
                await self._let_begin()
            for probe in probes:
                if probe.id not in waiting and self._take(await self._play(probe)):
                    return
            await self._take_patient([await task for task in waiting.values()])
        finally:
            for task in waiting.values():
                task.cancel()
            await asyncio.gather(*waiting.values(), return_exceptions=True)

    async def _let_begin(self) -> None:
        """Until the connections of those who wait stand: what they hold is no growth that another probe made.

        Connections are accepted in turn: one is let in while they dial, and one behind them.
        """
        for _ in range(2):
            await self._oracle.returned(0)

    def _take(self, result: ProbeResult) -> bool:
        """Whether that was enough."""
        self.results.append(result)
        self._tell(result)
        return self._fail_fast and result.verdict is Verdict.FAILED

    async def _play(self, probe: Probe) -> ProbeResult:
        results: list[ProbeResult] = []
        for case in probe.cases:
            trial = await self._trials.play(case, probe.deadline, may_stay=may_stay(probe))
            if trial.harms and not self._trials.gone:
                trial = await self._attribute(probe, case, trial, results)
            self._recent.append((probe, case))
            results.append(result_of(probe, case, trial))
        return worst_of(results)

    async def _attribute(self, probe: Probe, case: Case, trial: Trial, results: list[ProbeResult]) -> Trial:
        """Harm may show later than the case that did it was judged: play this one again, and then those before it."""
        again = trial if trial.late else await self._again(probe, case)
        if again.harms and not again.late:
            return again
        for suspect, its_case in reversed(self._recent):
            blamed = await self._again(suspect, its_case)
            if blamed.harms and not blamed.late:
                if suspect is probe:
                    results.append(result_of(suspect, its_case, blamed))
                else:
                    self._blame(suspect, result_of(suspect, its_case, blamed))
                return await self._again(probe, case)
        if trial.late:
            return await self._again(probe, case)
        return structs.replace(trial, harms=(*trial.harms, "not again when it was played again"))

    async def _again(self, probe: Probe, case: Case) -> Trial:
        return await self._trials.play(case, probe.deadline, may_stay=may_stay(probe), patience=PATIENCE)

    def _blame(self, suspect: Probe, result: ProbeResult) -> None:
        """Put a failure in the place of what was made of a probe before."""
        self.results = [result if one.id == suspect.id else one for one in self.results]
        self._tell(result)

    async def _take_patient(self, results: Sequence[ProbeResult]) -> None:
        """Those that waited, and a last look: harm that is seen now was done by one of them, or by who came last."""
        await asyncio.sleep(PATIENCE)
        harms = () if self._trials.gone else await self._oracle.after(())
        if harms and not results and self._recent:
            suspect, case = self._recent[-1]
            last = Trial(unfit("it was judged before"), (*harms, "seen after all was played"))
            self._blame(suspect, result_of(suspect, case, last))
        if harms and len(results) > 1:
            harms = (*harms, f"done by one of {', '.join(one.id for one in results)}: play them one by one")
        for result in results:
            self._take(structs.replace(result, verdict=Verdict.FAILED, harms=harms) if harms else result)

    async def _sit_out(self, probe: Probe) -> ProbeResult:
        """As `_play`, without looking for harm: others may be doing that meanwhile."""
        endings = await asyncio.gather(*(self._wait_out(probe, case) for case in probe.cases))
        return worst_of(
            [result_of(probe, case, Trial(ending)) for case, ending in zip(probe.cases, endings, strict=True)]
        )

    async def _wait_out(self, probe: Probe, case: Case) -> Ending:
        if (refusal := await self._trials.admit(case)) is not None:
            return unfit(refusal)
        self._trials.played += 1
        endings = await play_at_once(self._oracle.player, case, probe.deadline, may_stay=may_stay(probe))
        return unfit("the target died meanwhile") if self._trials.gone else worst(endings)


def worst_of(results: Sequence[ProbeResult]) -> ProbeResult:
    """That of several cases which is the probe's."""
    return max(results, key=lambda one: _ORDER.index(one.verdict))


def is_patient(probe: Probe) -> bool:
    """Whether it mostly waits."""
    return probe.deadline < 0 or probe.deadline > PATIENT


def may_stay(probe: Probe) -> bool:
    """Whether a connection that stays open is a safe ending of it."""
    return any(one.kind == "alive" for one in probe.safe)


def result_of(probe: Probe, case: Case, trial: Trial) -> ProbeResult:
    """What a trial says about a probe."""
    verdict = Verdict.FAILED if trial.harms else judge(trial.ending, probe.safe, probe.harmful, probe.tolerated)
    return ProbeResult(
        id=probe.id,
        title=probe.title,
        group=probe.group,
        source=probe.source,
        verdict=verdict,
        ending=str(trial.ending),
        expected=" or ".join(map(str, probe.safe)),
        case=case.name,
        harms=trial.harms,
        reason=trial.ending.unfit,
        seconds=trial.ending.after,
        sent=sketch.hexadecimal(case, client=probe.attacks == "server"),
    )

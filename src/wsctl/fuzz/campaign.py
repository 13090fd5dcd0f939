"""Campaign: the catalogue's probes, one after another, and what to make of each."""

import asyncio
from collections.abc import Callable, Sequence

from msgspec import structs

from wsctl.fuzz import sketch
from wsctl.fuzz.ending import Ending
from wsctl.fuzz.oracle import Oracle
from wsctl.fuzz.probe import Probe, Verdict, judge
from wsctl.fuzz.result import ProbeResult
from wsctl.fuzz.steps import Case
from wsctl.fuzz.trial import Trial, Trials, play_at_once, unfit, worst

PATIENCE = 1.0
"""seconds until harm is looked for, once some came late"""
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
        self._before: tuple[Probe, Case] | None = None
        """that was played last"""

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
            if trial.late:
                await self._ask_the_one_before(probe, results)
                trial = await self._trials.play(case, probe.deadline, may_stay=may_stay(probe))
            self._before = (probe, case)
            results.append(result_of(probe, case, trial))
        return worst_of(results)

    async def _ask_the_one_before(self, probe: Probe, results: list[ProbeResult]) -> None:
        """Harm was done after a case had been judged: play it again, with more patience, and judge it anew."""
        if self._before is None:
            return
        suspect, case = self._before
        trial = await self._trials.play(case, suspect.deadline, may_stay=may_stay(suspect), patience=PATIENCE)
        if not trial.harms or trial.late:
            return
        result = result_of(suspect, case, trial)
        if suspect is probe:
            results.append(result)
            return
        self.results = [result if one.id == suspect.id else one for one in self.results]
        self._tell(result)

    async def _take_patient(self, results: Sequence[ProbeResult]) -> None:
        """Those that waited: harm that is seen now was done by one of them."""
        harms = () if not results or self._trials.gone else await self._oracle.after(())
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

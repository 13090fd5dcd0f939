"""Search: draws cases until one harms, and makes that one as small as it goes. Hypothesis works in a thread of its own.

What it draws is played in the loop, for which its thread waits. Whatever ends it early is a BaseException: those it
lets pass. It shrinks what stands in steps well, and now and then leaves steps that do nothing: these are tried one by
one in the end.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.errors import Flaky
from hypothesis.internal.conjecture import providers
from hypothesis.stateful import run_state_machine_as_test
from msgspec import Struct, structs

from wsctl.fuzz.generate.machine import Conversation
from wsctl.fuzz.oracle import SERVER_ERROR
from wsctl.fuzz.steps import Case
from wsctl.fuzz.trial import Trial

STEPS = 6
"""rules that a case follows"""
ROUNDS = 5
"""searches that may end with a harm that does not come again, before there is no more searching"""
SURE = 2
"""times that a case harms until one believes it: a server that has to be started anew is worth not asking again"""

PATIENCE = 0.3
"""seconds after each case, once harm was seen to come late"""

Play = Callable[[Case, float], Coroutine[Any, Any, Trial]]
"""a case, and how long to wait before looking for harm"""


class Stopped(BaseException):
    """Nothing more is to be played."""


class Harmed(Exception):
    """A case harmed others. Hypothesis tells kinds of harm apart by the class, and shrinks each by itself."""


class Failed(Harmed):
    """The server admitted that it failed, and that was all."""


class Mute(Harmed):
    """Its own connection neither ended nor answered."""


class Found(Struct):
    """A case that harmed."""

    case: Case
    trial: Trial
    shrunk_from: int
    """steps of the first one that harmed so"""
    again: bool = True
    """whether it has harmed each time that it was played"""


class Search:
    """Plays so many generated cases, and those of shrinking. What came of it can be seen at any time."""

    def __init__(self, machine: type[Conversation], play: Play, cases: int, chance: int) -> None:
        """`chance` is the seed. To be made in the loop, which calls `play`."""
        self._machine = machine
        self._play = play
        self._cases = cases
        self._seed = chance
        self._loop = asyncio.get_running_loop()
        self._turn: asyncio.Task[Any] | None = None
        """that is playing"""
        self._stopped = False
        self._error: Exception | None = None
        """of ours, which must not look like a harm"""
        self._known: dict[Case, tuple[Trial, int]] = {}
        """what came of cases since something harmed, the last time, and how often they were played"""
        self._latest: Case | None = None
        """that was played"""
        self._patience = 0.0
        self._shrinking = False
        self.found: dict[type[Harmed], Found] = {}
        """the latest of each kind: in the end the smallest, as Hypothesis plays that once more"""
        self.played = 0
        self.conclusive = 0
        """cases that proved something"""

    async def run(self) -> None:
        """Search until something harms that does so each time; cancel it to end early."""
        for number in range(ROUNDS):
            await self._in_thread(self._search, self._seed + number)
            if self._stopped or self.played >= self._cases or any(one.again for one in self.found.values()):
                break
        await self._in_thread(self._leave_out)

    async def _in_thread(self, work: Callable[..., None], *arguments: int) -> None:
        thread = asyncio.create_task(asyncio.to_thread(work, *arguments))
        try:
            await asyncio.shield(thread)
        except asyncio.CancelledError:
            self.stop()
            await asyncio.wait({thread})  # it ends with the turn that is cancelled now
            raise
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Play no more."""
        self._stopped = True
        if self._turn is not None:
            self._turn.cancel()

    # In the thread

    def _search(self, chance: int) -> None:
        self._shrinking = False

        class Machine(self._machine):  # type: ignore[name-defined, misc]
            play = staticmethod(self._judge)

        try:
            with by_seed_alone():
                run_state_machine_as_test(seed(chance)(Machine), settings=_settings(self._cases))
        except (Harmed, Flaky, Stopped):
            pass  # what there is to know stands in `found`
        except BaseExceptionGroup as several:
            if several.split(Harmed)[1] is not None:
                raise

    def _leave_out(self) -> None:
        """Steps that a case harms without."""
        with suppress(Stopped):
            for kind, found in tuple(self.found.items()):
                if found.again:
                    for place in reversed(range(len(found.case.steps))):
                        steps = self.found[kind].case.steps
                        with suppress(Harmed):
                            self._judge(structs.replace(found.case, steps=steps[:place] + steps[place + 1 :]))

    def _judge(self, case: Case) -> None:
        """Play a case; raises Harmed if it does harm."""
        if self.played >= self._cases and not self._shrinking:
            raise Stopped
        trial = self._result(case)
        if trial.late and self._latest is not None and not self._patience:
            self._doubt(self._latest, trial)
            trial = self._result(case)
        self._latest = case
        kind = kind_of(trial)
        for found in self.found.values():
            if found.case == case and kind is None:
                found.again = False
        if kind is not None:
            before = self.found.get(kind)
            first = len(case.steps) if before is None else before.shrunk_from
            again = before is None or before.case != case or before.again
            self.found[kind] = Found(case, trial, first, again)
            self._shrinking = True
            raise kind

    def _doubt(self, case: Case, trial: Trial) -> None:
        """A case seems to have harmed after it was judged: judge it again, later; if it harms then, all from now on."""
        self._patience = PATIENCE
        self._known.clear()
        for found in self.found.values():
            found.again |= found.case == case  # where it did no harm, one looked too early
        self._judge(case)
        self._patience = 0.0
        self.found.setdefault(Harmed, Found(case, trial, len(case.steps), again=False))

    def _result(self, case: Case) -> Trial:
        """Of playing it; where shrinking has done so already, it is known."""
        trial, times = self._known.get(case, (None, 0))
        if trial is None or (trial.objections and times < SURE):
            trial = self._played(case)
            if (self.found or trial.objections) and not trial.late:
                self._known[case] = trial, times + 1
        return trial

    def _played(self, case: Case) -> Trial:
        try:
            trial = asyncio.run_coroutine_threadsafe(self._take_turn(case), self._loop).result()
        except CancelledError:
            raise Stopped from None
        except Exception as error:
            self._error = error
            raise Stopped from None
        self.played += 1
        self.conclusive += trial.ending.unfit is None
        return trial

    # In the loop

    async def _take_turn(self, case: Case) -> Trial:
        if self._stopped:
            raise asyncio.CancelledError
        self._turn = asyncio.current_task()
        try:
            return await self._play(case, self._patience)
        finally:
            self._turn = None


class _NoConstants:
    """Instead of those that Hypothesis finds in sources."""

    def set_for_type(self, kind: str) -> tuple[()]:
        """None of any type."""
        return ()


@contextmanager
def by_seed_alone() -> Iterator[None]:
    """What is drawn depends on the seed, and not on the sources that happen to be imported.

    Hypothesis mixes numbers and texts of "local" modules into wide ranges (such as how many rules it switches off),
    and keeps what it finds there in a folder beside the working directory. There is no setting for either.
    """
    drawn = "_local_constants"
    before = vars(providers.HypothesisProvider).get(drawn)
    setattr(providers.HypothesisProvider, drawn, _NoConstants())
    providers.CONSTANTS_CACHE.cache.clear()
    try:
        yield
    finally:
        providers.CONSTANTS_CACHE.cache.clear()
        setattr(providers.HypothesisProvider, drawn, before)


def kind_of(trial: Trial) -> type[Harmed] | None:
    """What kind of harm was done; None: none."""
    if trial.harms:
        return Failed if all(harm.startswith(SERVER_ERROR) for harm in trial.harms) else Harmed
    return Mute if trial.objections else None


def _settings(cases: int) -> settings:
    """Nothing is printed, nothing is kept, and how long things take is the target's affair.

    Some of what is drawn has no steps and is not played, so that there is twice as much; who judges counts.
    """
    return settings(
        max_examples=2 * cases,
        stateful_step_count=STEPS,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=tuple(HealthCheck),
        verbosity=Verbosity.quiet,
        deadline=None,
        database=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
    )

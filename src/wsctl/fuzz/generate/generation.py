"""Generation: a target's generated cases, from what is drawn to what came of it."""

import asyncio

from wsctl.errors import UsageError
from wsctl.fuzz.events import Listener, Played
from wsctl.fuzz.generate.machines import machine_for
from wsctl.fuzz.generate.search import Found, Search
from wsctl.fuzz.options import FuzzOptions
from wsctl.fuzz.repro import Repro, write
from wsctl.fuzz.result import Failure, Generated
from wsctl.fuzz.steps import Case
from wsctl.fuzz.trial import DEADLINE, Trial, Trials

TOLD_EVERY = 0.25
"""seconds between two words about how far it is"""


class Generation:
    """Searches for harm with generated cases; `result` says what came of it, however early it ended."""

    def __init__(self, options: FuzzOptions, tell: Listener) -> None:
        """Raises UsageError for tapes that cannot be read."""
        self._options = options
        self._tell = tell
        self._told_at = 0.0
        self._trials: Trials | None = None
        self._search = Search(machine_for(options), self._play, options.cases, options.seed)
        self.failures: tuple[Failure, ...] = ()
        self.notes: list[str] = []
        """what went wrong and is no reason to lose what was found"""

    async def run(self, trials: Trials) -> None:
        """Play; whatever ends it, what was found is written down and told."""
        self._trials = trials
        try:
            await self._search.run()
        finally:
            self.failures = tuple(self._failure(found) for found in self._search.found.values())
            for failure in self.failures:
                self._tell(failure)
            self._tell(Played(cases=self._search.played, failures=len(self.failures)))

    @property
    def result(self) -> Generated:
        """What came of it."""
        search = self._search
        return Generated(
            cases=search.played, conclusive=search.conclusive, failures=self.failures, reason=self._reason()
        )

    async def _play(self, case: Case, patience: float) -> Trial:
        assert self._trials is not None, "it runs"
        trial = await self._trials.play(case, DEADLINE, patience=patience)
        if self._trials.gone:
            self._search.stop()
        now = asyncio.get_running_loop().time()
        if now - self._told_at > TOLD_EVERY:
            self._told_at = now
            self._tell(Played(cases=self._search.played, failures=len(self._search.found)))
        return trial

    def _reason(self) -> str | None:
        if self._trials is not None and self._trials.gone:
            return "the target did not come back"
        if self._search.played < self._options.cases and self.failures:
            return "stopped at a failure"
        return None

    def _failure(self, found: Found) -> Failure:
        harms = found.trial.objections
        return Failure(
            harms=harms,
            case=found.case,
            ending=str(found.trial.ending),
            shrunk_from=found.shrunk_from,
            again=found.again,
            repro=self._written(Repro.of(self._options, harms, found.case)),
        )

    def _written(self, repro: Repro) -> str | None:
        try:
            return str(write(repro, self._options.place))
        except UsageError as error:
            self.notes.append(error.message)
            return None

"""Fuzzing as it happens where there is no terminal: a line now and then, for the logs of CI."""

from collections.abc import Callable

from wsctl.clock import Clock
from wsctl.fuzz.events import Event, Planned
from wsctl.fuzz.probe import Verdict
from wsctl.fuzz.progress import Progress
from wsctl.fuzz.result import Failure, ProbeResult
from wsctl.report.fuzz_words import tally
from wsctl.report.words import counted, printable

EVERY = 5.0
"""seconds between two lines, unless something fails"""


class FuzzLines:
    """Says `  12.0 s  31 of 47 probes: 30 passed, 1 failed`, and of each failure when it is found."""

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        self._clock = clock
        self._say = say
        self._began = self._told = clock.monotonic()
        self._progress = Progress()
        self._waits = False
        """for probes that take as long as the target's timeouts; told once"""

    def listen(self, event: Event) -> None:
        """Say what happened, if it is worth a line."""
        self._progress.listen(event)
        match event:
            case Planned():
                self._tell(_plan(event))
            case ProbeResult(verdict=Verdict.FAILED):
                self._tell(f"failed: {event.id} {event.title}: {'; '.join((event.ending, *event.harms))}")
            case Failure(harms=harms):
                self._tell(f"failed: a generated case: {'; '.join(harms)}")
            case ProbeResult() if self._progress.waits_for and not self._waits:
                self._waits = True
                self._tell(f"{self._how_far()}; waits for {', '.join(self._progress.waits_for)}")
            case _ if self._clock.monotonic() - self._told >= EVERY:
                self._tell(self._how_far())

    def _how_far(self) -> str:
        progress, planned = self._progress, self._progress.planned
        assert planned is not None, "the plan is told first"
        probes = f"{progress.probes} of {counted(planned.probes, 'probe')}: {tally(progress.counts)}"
        cases = f"{progress.cases:,} of {counted(planned.cases, 'generated case')}"
        if not progress.cases:
            return probes
        return f"{probes}; {cases}" if planned.probes else cases

    def _tell(self, line: str) -> None:
        self._told = self._clock.monotonic()
        self._say(f"{self._told - self._began:6.1f} s  {printable(line)}")


def _plan(planned: Planned) -> str:
    parts = [(planned.probes, "probe"), (planned.cases, "generated case")]
    what = " and ".join(counted(number, noun) for number, noun in parts if number)
    return f"{what or 'nothing'} for {planned.target}, seed {planned.seed}"

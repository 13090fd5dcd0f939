"""How far a run is: what its events said so far, for whoever shows it."""

from collections import Counter

from wsctl.fuzz.events import Event, Listening, Planned, Played
from wsctl.fuzz.probe import Verdict
from wsctl.fuzz.result import Failure, ProbeResult


class Progress:
    """Taken from events."""

    def __init__(self) -> None:
        self.planned: Planned | None = None
        self.listening = False
        """for clients to come"""
        self._verdicts: dict[str, Verdict] = {}
        """by a probe's id: harm that is seen late changes what was made of one"""
        self.cases = 0
        self.failed: list[ProbeResult] = []
        self.failures: list[Failure] = []

    def listen(self, event: Event) -> None:
        """Take note of what happened."""
        match event:
            case Planned():
                self.planned = event
            case Listening():
                self.listening = True
            case ProbeResult():
                self._verdicts[event.id] = event.verdict
                if event.verdict is Verdict.FAILED:
                    self.failed.append(event)
            case Played(cases=cases):
                self.cases = cases
            case Failure():
                self.failures.append(event)

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The ids of the probes that are left, once they only wait."""
        patient = () if self.planned is None else self.planned.patient
        left = 0 if self.planned is None else self.planned.probes - self.probes
        return patient[-left:] if 0 < left <= len(patient) else ()

    @property
    def counts(self) -> Counter[str]:
        """Probes by verdict."""
        return Counter(self._verdicts.values())

    @property
    def probes(self) -> int:
        """That have been judged."""
        return len(self._verdicts)

    @property
    def metrics(self) -> dict[str, float]:
        """Of what there is by now."""
        return {
            "fuzz.probes": self.probes,
            "fuzz.failed": len(self.failed),
            "fuzz.cases": self.cases,
            "fuzz.failures": len(self.failures),
        }

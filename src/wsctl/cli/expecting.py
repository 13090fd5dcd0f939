"""--expect and --max-silence: what is said of them at the end, and whether they held."""

from itertools import islice

from wsctl.cli.console import say
from wsctl.clock import Clock
from wsctl.errors import Refused, TargetError, Unserved, UsageError
from wsctl.model.expectation import Expectation
from wsctl.model.finding import Verdict
from wsctl.model.lifecycle import Lifecycle
from wsctl.model.metrics import Metrics
from wsctl.model.observation import Observation
from wsctl.report.judged import observed, outcome
from wsctl.report.words import printable
from wsctl.spec.units import format_duration
from wsctl.watch.judging import OF_TIMES, Judging
from wsctl.watch.measures import MEASURED, Measures
from wsctl.watch.watching import Watching
from wsctl.wire.dialect import Dialect

LEFT = (TargetError, Unserved)
"""what a watch ends with when there is nothing to watch, or no longer"""
FINDINGS_SAID = 3
"""beneath each expectation that was missed"""
_FATAL = ("connections.refused", "auth.refused")
"""what ends a watch, so that it is never judged"""


def check_watched(expected: tuple[Expectation, ...]) -> None:
    """Raise UsageError for what one client cannot measure."""
    for expectation in expected:
        family, _, _ = expectation.metric.partition(".")
        if expectation.metric not in MEASURED or expectation.metric in _FATAL or family == "reconnect":
            raise UsageError(
                f"{expectation.metric} is not measured by one client that watches", hint="wsctl run measures it"
            )


def tape_can_tell(expected: tuple[Expectation, ...]) -> None:
    """Raises UsageError for what is measured of a live feed only."""
    for expectation in expected:
        metric = expectation.metric
        if not metric.startswith("ordering.") and metric not in OF_TIMES and metric != "messages.received":
            told = "ordering.*, messages.received, staleness.max and clock.skew.max are"
            raise UsageError(f"{metric} is not measured on a recording", hint=told)


def fared(expected: tuple[Expectation, ...], metrics: Metrics, judging: Judging) -> bool:
    """Say how each expectation fared, and what speaks against those that were missed; whether everything held."""
    held = True
    for expectation in expected:
        judged = expectation.judge(metrics)
        if judged.verdict is Verdict.PASS:
            say(f"pass: {judged.metric} {judged.bound}: {observed(judged)}")
            continue
        held = False
        say(f"fail: {judged.metric} {outcome(judged)}")
        for finding in islice(judging.evidence(judged.metric), FINDINGS_SAID):
            say(f"  {finding.kind}: {printable(finding.message)}")
    return held


class Expecting:
    """Feed it what a Watching yields; nothing is measured where nothing is expected."""

    def __init__(self, expected: tuple[Expectation, ...], clock: Clock, dialect: Dialect | None) -> None:
        self._expected = expected
        self._measures = Measures(clock, dialect) if expected else None

    def add(self, item: Observation | Lifecycle) -> None:
        """Take what happened."""
        if self._measures is not None:
            self._measures.add(item)

    def give_up(self, watching: Watching, error: TargetError | Unserved) -> None:
        """Say how each expectation fared until the error, which is for others to tell."""
        if self._measures is not None:
            if isinstance(error, Refused | Unserved):
                self._measures.refused(error)
            self.conclude(watching, None)

    def conclude(self, watching: Watching, max_silence: float | None) -> bool:
        """Say how each expectation fared, and which silence ended it all; answers whether everything held."""
        held = not watching.silent
        if watching.silent:
            assert max_silence is not None
            limit = format_duration(max_silence)
            say(f"fail: nothing came on {printable(', '.join(watching.silent))} for {limit} (--max-silence)")
        if self._measures is None:
            return held
        self._measures.longest_silence = watching.longest_silence
        self._measures.close()
        return fared(self._expected, self._measures.metrics(), self._measures.judging) and held

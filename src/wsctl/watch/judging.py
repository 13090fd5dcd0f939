"""What ordering-check judges a stream by: the order of its messages, in the way its feed speaks, and their times."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final

from wsctl.checks.channel_report import DUPLICATE, GAP, REGRESSION, REORDER
from wsctl.checks.inversion import INVERSION
from wsctl.checks.ordering import OrderingCheck
from wsctl.checks.skew import SKEW
from wsctl.checks.staleness import STALE
from wsctl.checks.times import TimesCheck
from wsctl.model.finding import Finding
from wsctl.model.observation import Observation
from wsctl.wire.dialect import Dialect

OF_TIMES: Final = {"ordering.time_inversions": INVERSION, "staleness.max": STALE, "clock.skew.max": SKEW}
"""the metrics of a stream's times, and what is found where they are bad"""
_OF_ORDER: Final = {
    "ordering.gaps": GAP,
    "ordering.missing": GAP,
    "ordering.duplicates": DUPLICATE,
    "ordering.reorders": REORDER,
    "ordering.regressions": REGRESSION,
}


def ordering_check(dialect: Dialect | None) -> OrderingCheck:
    """By the schemes and links of a dialect; of the platform, None, by its counters."""
    return OrderingCheck() if dialect is None else OrderingCheck(dialect.scheme, dialect.link)


class Judging:
    """The checks of one stream. Its times are left out where nobody asks: they take as long as all the rest."""

    def __init__(self, dialect: Dialect | None, *, times: bool) -> None:
        self.ordering = ordering_check(dialect)
        self.times = TimesCheck() if times else None
        self.add: Callable[[Observation], list[Finding]] = self._add if times else self.ordering.add
        """take in one Observation; the findings it brought to light, mostly none"""

    def metrics(self) -> dict[str, float]:
        """`messages.received`, `ordering.*`, and those of the times."""
        received = sum(report.messages for report in self.ordering.channels.values())
        times = {} if self.times is None else self.times.metrics()
        return {"messages.received": received, **self.ordering.metrics(), **times}

    def evidence(self, metric: str) -> Iterator[Finding]:
        """The findings that a metric comes from, as far as they were kept."""
        kind = _OF_ORDER.get(metric) or OF_TIMES.get(metric)
        of_order = chain.from_iterable(report.findings for report in self.ordering.channels.values())
        of_times = () if self.times is None else self.times.findings
        return (finding for finding in chain(of_order, of_times) if finding.kind == kind)

    def _add(self, observation: Observation) -> list[Finding]:
        assert self.times is not None
        return self.ordering.add(observation) + self.times.add(observation)

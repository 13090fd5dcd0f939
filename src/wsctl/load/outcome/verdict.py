"""What a load's figures amount to, at its end and while it lasts."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import structs

from wsctl.errors import UsageError
from wsctl.load.outcome.figures import Figures
from wsctl.load.outcome.result import Row
from wsctl.model.expectation import Expectation, Judged
from wsctl.model.finding import Verdict
from wsctl.model.metrics import METRICS, Metrics
from wsctl.model.run import overall

ABOUT_ITSELF = ("latency.", "fanout.spread", "connect.time.", "acks.time.")
"""metrics that say nothing once the generator could not keep up"""
OF_A_COURSE = (
    *ABOUT_ITSELF,
    "messages.rate",
    "connections.rate",
    "connections.receiving",
    "generator.cpu",
    "target.cpu",
)
"""metrics that mean nothing where numbers of users are tried"""
TOTALS = ("messages.received", "messages.bytes", "ordering.", "errors", "acks.ok", "acks.refused", "auth.")
"""metrics of which nobody knows what they are where something that was counted was not told"""
UNFLUSHED = "some of what was counted is missing: not every process told all of it"
_NEVER = ("reconnect.", "limit.", "silence.", "staleness.", "clock.", "tape.", "replay.", "connections.polling")
_NEVER_EITHER = ("ordering.time_inversions", "fuzz.", "canary.")
MEASURED = frozenset(name for name in METRICS if not name.startswith((*_NEVER, *_NEVER_EITHER)))
"""what a load can measure"""
_TRIED = ("latency.", "fanout.", "acks.", "connect.time.", "ordering.", "messages.", "generator.cpu", "generator.lag.")
TRIED = frozenset(name for name in MEASURED if name.startswith(_TRIED)) | {"errors", "connections.receiving"}
"""what can be measured of each number of users by itself"""
_THIS_SECOND: Mapping[str, str] = {"latency.p50": "p50", "latency.p95": "p95", "latency.p99": "p99"}
"""metrics that a row has by itself"""
_GROWING = ("errors", "ordering.", "auth.", "acks.refused", "connections.refused", "connections.closed")
"""metrics that only ever grow: an upper bound that is missed stays missed"""
_UPPER = ("<", "<=")
_NOTHING_CAME = "nothing came, and nothing was expected"


def check_measured(expected: Iterable[Expectation], *, server: bool, target: bool, limit: bool = False) -> None:
    """Raise UsageError for what no load measures.

    `server`: wsctl starts it; `target`: it tells its own figures; `limit`: numbers of users are tried.
    """
    for one in expected:
        if limit and one.metric.startswith(OF_A_COURSE):
            raise UsageError(f"{one.metric} is of one number of users, and --find-limit tries many")
        if not limit and one.metric == "connections.limit":
            raise UsageError("connections.limit is what --find-limit finds")
        if one.metric not in MEASURED:
            raise UsageError(f"{one.metric} is not measured by a load", hint="docs/load.md lists what is")
        if one.metric.startswith("server.") and not server:
            raise UsageError(
                f"{one.metric} is measured of servers that wsctl starts",
                hint="a profile with serve starts one; --target-metrics URL measures target.cpu and target.rss",
            )
        if one.metric.startswith("target.") and not target:
            raise UsageError(f"{one.metric} is what the target tells itself; expected --target-metrics URL as well")


def check_tried(limit: Expectation) -> None:
    """Raise UsageError for what cannot be measured of each number of users by itself."""
    if limit.metric not in TRIED:
        raise UsageError(
            f"{limit.metric} is not measured of each number of users", hint=f"measured are {', '.join(sorted(TRIED))}"
        )


def judge(
    expected: Iterable[Expectation], metrics: Metrics, saturated: str | None, *, flushed: bool = True
) -> tuple[Judged, ...]:
    """Each by itself. A generator that could not keep up makes those about time invalid.

    Without all that was counted (not `flushed`) totals are unverifiable, but for what is too many already.
    """
    return tuple(_judged(one, metrics, saturated, flushed) for one in expected)


def _judged(expected: Expectation, metrics: Metrics, saturated: str | None, flushed: bool) -> Judged:
    judged = expected.judge(metrics)
    if judged.observed is None:
        return judged
    if saturated is not None and expected.metric.startswith(ABOUT_ITSELF):
        return structs.replace(judged, verdict=Verdict.INVALID, reason=saturated)
    above = expected.operator in _UPPER or (expected.operator == "==" and judged.observed > expected.value)
    too_many = judged.verdict is Verdict.FAIL and above
    if not flushed and expected.metric.startswith(TOTALS) and not too_many:
        return structs.replace(judged, verdict=Verdict.UNVERIFIABLE, reason=UNFLUSHED)
    return judged


def conclude(figures: Figures, metrics: Metrics, judged: Sequence[Judged]) -> tuple[Verdict, str | None]:
    """The verdict of a load that ran to its end, and why, where no expectation says it."""
    verdicts = [one.verdict for one in judged]
    reason = loss = unexpected_loss(figures, {one.metric for one in judged})
    if loss is not None:
        verdicts.append(Verdict.FAIL)
    if figures.saturated is not None:
        verdicts.append(Verdict.INVALID)
    if not verdicts:
        came = bool(metrics.get("messages.received"))
        verdicts.append(Verdict.PASS if came else Verdict.UNVERIFIABLE)
        reason = None if came else _NOTHING_CAME
    verdict = overall(verdicts)
    if verdict is Verdict.INVALID:
        reason = figures.saturated
    elif verdict is Verdict.UNVERIFIABLE and reason is None:
        reason = UNFLUSHED
    return verdict, reason


def unexpected_loss(figures: Figures, expected: Collection[str]) -> str | None:
    """Users that were not there, in words, if nothing is expected of the metric that such a loss shows in; else None.

    Whoever set out in the last second may be on the way.
    """
    for loss, shown_by in _losses(figures):
        if loss is not None and shown_by.isdisjoint(expected):
            return f"{loss}, which nothing expects"
    return None


def _losses(figures: Figures) -> Iterator[tuple[str | None, set[str]]]:
    """Each kind of loss, None where there is none, and the metrics that it shows in.

    Who never had its turn, and who left while it was on the way, is none: that pace is our own.
    """
    counts, under_way = figures.sums.counts, figures.under_way
    tried, opened = counts["set_out"] - counts["left_early"], counts["opened"]
    yield _missing(tried, opened, "connections never came up", under_way), {"connections.opened"}
    lost = figures.lost_users
    yield f"{lost:,} users were lost with their worker" if lost else None, {"generator.lost"}
    stayed = opened - counts["left_unserved"]
    subscribed = counts.get("subscribed", stayed)
    unserved = _missing(stayed, subscribed, "connections did not get what they asked for", under_way)
    yield unserved, {"connections.subscribed"}
    there, wanted = figures.open_at_peak
    # those that never came up have been told
    ended = {
        f"connections.{name}" for name in ("evicted", "closed") if counts[name]
    }  # a count of nothing shows nothing
    gone = _missing(min(wanted, opened), there, "connections were gone when most were asked for")
    yield gone, {"connections.receiving", *ended}


def _missing(of: int, there: int, what: str, under_way: int = 0) -> str | None:
    return f"{of - there:,} of {of:,} {what}" if of - there > under_way else None


class Breach:
    """Watches expectations while the load lasts: is one missed for longer than the grace?

    Percentiles of latency are those of each second; what only grows counts as it stands. Others are for the end: that
    fewer are connected than expected says nothing while they still set out.
    """

    def __init__(self, expected: Iterable[Expectation], grace: float) -> None:
        self._expected = [one for one in expected if _shows_early(one)]
        self._grace = grace
        self._missed: dict[Expectation, float] = {}
        """since when, in seconds of the course"""

    def look(self, row: Row, metrics: Metrics) -> str | None:
        """What was missed for too long, in words."""
        for one in self._expected:
            value = getattr(row, _THIS_SECOND[one.metric]) if one.metric in _THIS_SECOND else metrics.get(one.metric)
            if value is None or one.judge({one.metric: value}).verdict is Verdict.PASS:
                self._missed.pop(one, None)
                continue
            since = self._missed.setdefault(one, row.elapsed)
            if row.elapsed - since >= self._grace:
                return f"{one.metric} {one.bound} was missed for {row.elapsed - since:.0f} s: ended early"
        return None


def _shows_early(one: Expectation) -> bool:
    """Whether a miss now will not be mended by what comes later."""
    if one.metric in _THIS_SECOND:
        return one.operator in _UPPER
    growing = one.metric.startswith(_GROWING)
    return growing and (one.operator in _UPPER or (one.operator == "==" and one.value == 0))

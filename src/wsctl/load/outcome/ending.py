"""What a load's figures and the way it ended amount to: its result."""

import math
from collections.abc import Sequence

from msgspec import Struct

from wsctl.errors import WsctlError
from wsctl.load.options import LoadOptions
from wsctl.load.outcome.clock import clock_of
from wsctl.load.outcome.figures import Figures
from wsctl.load.outcome.limit import LimitFinder
from wsctl.load.outcome.notes import notes_of
from wsctl.load.outcome.result import LimitResult, LoadResult
from wsctl.load.outcome.verdict import OF_A_COURSE, conclude, judge
from wsctl.model.expectation import Judged
from wsctl.model.finding import Verdict
from wsctl.model.metrics import Metrics


class Ending(Struct, frozen=True, kw_only=True):
    """How it ended."""

    failure: WsctlError | None
    """what ended it, if that is no verdict"""
    interrupted: bool
    breach: str | None
    """what was missed for so long that it ended early"""
    flushed: bool
    """everything that was counted was told"""
    missing: tuple[int, ...]
    """workers that did not answer"""


def result_of(
    options: LoadOptions,
    figures: Figures,
    limit: LimitFinder | None,
    ending: Ending,
    *,
    extra: Metrics,
    connect_rate: float,
    asked_at: float,
) -> LoadResult:
    """`extra` are metrics that somebody else measured; `connect_rate` what users were let set out at.

    `asked_at` in unix seconds: when the load was asked for.
    """
    workers = figures.workers()
    found = None if limit is None else limit.result()
    metrics = _metrics({**figures.metrics(), **extra}, found)
    saturated = figures.saturated if limit is None else None
    judged = judge(options.expected, metrics, saturated, flushed=ending.flushed)
    verdict, reason = _verdict(figures, limit, ending, metrics, judged)
    notes = list(notes_of(figures, connect_rate=connect_rate, flushed=ending.flushed, missing=ending.missing))
    if saturated is not None and verdict is not Verdict.INVALID:
        notes.append(saturated)
    return LoadResult(
        name=options.name,
        verdict=verdict,
        reason=None if verdict is Verdict.PASS else reason,
        duration=0.0 if figures.latest is None else figures.latest.elapsed,
        started_at=asked_at if figures.began_at is None else figures.began_at,
        target=options.target.shown,
        interrupted=ending.interrupted,
        seed=options.spec.seed,
        clock=clock_of(workers),
        metrics={name: value if math.isfinite(value) else None for name, value in sorted(metrics.items())},
        expectations=judged,
        notes=tuple(notes),
        causes=dict(figures.sums.causes.most_common()),
        channels=dict(sorted(figures.sums.channels.items())),
        limit=found,
        stages=figures.stages(),
        workers=workers,
        series=tuple(figures.series.rows),
    )


def _metrics(metrics: Metrics, limit: LimitResult | None) -> Metrics:
    """Those of the whole; where a limit was looked for, what was too much is in some of them, too."""
    if limit is None:
        return metrics
    kept = {name: value for name, value in metrics.items() if not name.startswith(OF_A_COURSE)}
    return kept if limit.users is None else {**kept, "connections.limit": limit.users}


def _verdict(
    figures: Figures, limit: LimitFinder | None, ending: Ending, metrics: Metrics, judged: Sequence[Judged]
) -> tuple[Verdict, str | None]:
    """And why, where no expectation says it."""
    if ending.failure is not None:
        return Verdict.ERROR, ending.failure.message
    if ending.interrupted:
        return Verdict.ERROR, "interrupted"
    if limit is not None:
        return limit.verdict([one.verdict for one in judged])
    if ending.breach is not None:
        return Verdict.FAIL, ending.breach
    return conclude(figures, metrics, judged)

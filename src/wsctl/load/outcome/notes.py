"""What a reader of a load's figures should know, in words."""

from collections.abc import Iterator
from typing import Final

from wsctl.load.outcome.figures import Figures
from wsctl.load.outcome.verdict import UNFLUSHED

CAUSES_TOLD: Final = 3
"""causes of failures that are told, the most frequent ones"""


def notes_of(figures: Figures, *, connect_rate: float, flushed: bool, missing: tuple[int, ...]) -> Iterator[str]:
    """The causes of failures, what is left out of the figures, and who is missing at the end."""
    counts = figures.sums.counts
    for cause, count in figures.sums.causes.most_common(CAUSES_TOLD):
        yield f"{count:,} × {cause}"
    if unacknowledged := counts["unacknowledged"]:
        yield f"{unacknowledged:,} subscriptions were not acknowledged; taken for served all the same"
    if incomparable := counts["incomparable"]:
        yield f"{incomparable:,} latencies are left out: the clocks cannot be compared"
    if without_turn := figures.without_turn:
        held_up = f"connect_rate {connect_rate:g}, or attempts under way before them"
        yield f"{without_turn:,} users never had their turn to connect: {held_up}"
    for worker in figures.workers():
        if worker.lost:
            yield f"worker {worker.index} was lost; users that it had: {worker.users:,}"
    if figures.warmup and figures.rows:
        yield f"latencies and rates of the first {figures.warmup:g} s are left out, while users set out"
    if figures.rows and not flushed:
        yield f"{UNFLUSHED}; totals are at least what is told"
    if missing:
        yield f"workers that did not answer at the end: {', '.join(map(str, missing))}"

"""The rows of a load, however long it lasts: a row a second at first, and rows of more and more seconds later on."""

import itertools
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Final

from msgspec import structs

from wsctl.load.outcome.result import Row

MOST_ROWS: Final = 3600
"""and one more for each stage at most: an hour is told second by second"""
SHORTEST: Final = 0.5
"""seconds that make a row: what processes tell at once at the end took longer to come"""


class Series:
    """Fed with a row a second; `rows` are bounded.

    Whenever there are MOST_ROWS, neighbours become one, so that all rows but those at the end of a stage last equally
    long: an hour is told by the second, ten hours in rows of sixteen seconds at most.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._seconds = 1
        """that a row is made of"""
        self._taken = 0
        """of these, in the last row"""

    def add(self, row: Row) -> None:
        """Take in what follows the last one."""
        rows = self.rows
        part = self._taken < self._seconds or row.seconds < SHORTEST
        if rows and part and rows[-1].stage == row.stage:
            rows[-1] = merged(rows[-1], row)
            self._taken += 1
            return
        if len(rows) >= MOST_ROWS:
            rows[:] = _in_pairs(rows)
            self._seconds *= 2
        rows.append(row)
        self._taken = 1


def merged(one: Row, other: Row) -> Row:
    """Two neighbours as one.

    Counts are added up. Percentiles are the larger ones: those of both together are never above them, and a bad second
    stays to be seen.
    """
    return structs.replace(
        other,
        seconds=round(one.seconds + other.seconds, 3),
        opened=one.opened + other.opened,
        messages=one.messages + other.messages,
        bytes=one.bytes + other.bytes,
        closed=one.closed + other.closed,
        errors=one.errors + other.errors,
        p50=_larger(one.p50, other.p50),
        p95=_larger(one.p95, other.p95),
        p99=_larger(one.p99, other.p99),
        cpu=_larger(one.cpu, other.cpu),
        lag=_larger(one.lag, other.lag),
        target={name: _mean(name, one, other) for name in {**one.target, **other.target}},
    )


def _in_pairs(rows: Sequence[Row]) -> Iterator[Row]:
    """Of each stage by itself."""
    for _, rows_of in itertools.groupby(rows, key=lambda row: row.stage):
        stage = list(rows_of)
        for at in range(0, len(stage), 2):
            yield reduce(merged, stage[at : at + 2])


def _larger(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)


def _mean(name: str, one: Row, other: Row) -> float:
    """Over the time in which the target told it."""
    told = [row for row in (one, other) if name in row.target]
    lasted = sum(row.seconds for row in told)
    return sum(row.target[name] * row.seconds for row in told) / lasted if lasted else told[-1].target[name]

"""The rows of a load that lasts for hours."""

import pytest
from msgspec import structs

from wsctl.load.outcome import series
from wsctl.load.outcome.result import Row
from wsctl.load.outcome.series import Series, merged

SECOND = Row(
    elapsed=1.0,
    seconds=1.0,
    stage=0,
    users=10,
    open=10,
    receiving=10,
    opened=1,
    messages=100,
    bytes=1000,
    closed=2,
    errors=3,
    p50=0.001,
    p95=0.005,
    p99=None,
    cpu=0.2,
    lag=0.002,
)


def fed(seconds: int, *, stage_lasts: int = 10_000) -> Series:
    """A load of so many seconds alike."""
    made = Series()
    for at in range(1, seconds + 1):
        made.add(structs.replace(SECOND, elapsed=float(at), stage=(at - 1) // stage_lasts))
    return made


def test_an_hour_is_told_second_by_second() -> None:
    assert [row.elapsed for row in fed(series.MOST_ROWS).rows] == list(range(1, series.MOST_ROWS + 1))


@pytest.mark.parametrize("seconds", [101, 199, 200, 201, 399, 401, 5_000, 36_000])
def test_longer_ones_are_bounded_and_nothing_counted_is_lost(seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MOST_ROWS", 100)
    rows = fed(seconds, stage_lasts=100_000).rows
    assert 50 <= len(rows) <= 100
    assert (rows[0].elapsed - rows[0].seconds, rows[-1].elapsed) == (0.0, seconds)
    assert sum(row.seconds for row in rows) == seconds
    assert sum(row.messages for row in rows) == 100 * seconds
    assert len({row.seconds for row in rows[:-1]}) == 1


def test_no_row_is_of_two_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "MOST_ROWS", 100)
    rows = fed(1_000, stage_lasts=333).rows
    assert len(rows) <= 104
    assert [sum(row.seconds for row in rows if row.stage == stage) for stage in range(4)] == [333, 333, 333, 1]


def test_what_came_at_once_at_the_end_is_no_row() -> None:
    made = fed(5)
    made.add(structs.replace(SECOND, elapsed=5.1, seconds=0.1))
    assert [(row.elapsed, row.seconds, row.messages) for row in made.rows[-2:]] == [(4.0, 1.0, 100), (5.1, 1.1, 200)]


def test_of_two_rows_counts_are_added_levels_are_those_at_the_end_and_the_worst_stays() -> None:
    bad = structs.replace(SECOND, p95=0.8, p99=0.9, cpu=0.9, lag=None, open=4, target={"cpu": 0.1, "rss": 5.0})
    good = structs.replace(SECOND, elapsed=4.0, seconds=3.0, target={"cpu": 0.5})
    row = merged(bad, good)
    assert (row.elapsed, row.seconds, row.open) == (4.0, 4.0, 10)
    assert (row.opened, row.messages, row.bytes, row.closed, row.errors) == (2, 200, 2000, 4, 6)
    assert (row.p50, row.p95, row.p99, row.cpu, row.lag) == (0.001, 0.8, 0.9, 0.9, 0.002)
    assert row.target == {"cpu": pytest.approx(0.4), "rss": 5.0}
    assert row.per_second(row.messages) == 50

"""Ranges: Binance's diffs of a book, spot (`U`, `u`) and futures (`pu`, `u`)."""

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checks.schemes.streams import CHANNEL, T0, counts, disturb, found_by_looking, judge, known_link, message
from wsctl.checks.ordering import OrderingCheck
from wsctl.model.finding import Verdict
from wsctl.model.observation import Observation


def diff(first: int, last: int, **facts: Any) -> Observation:
    return message(last, {"e": "depthUpdate", "U": first, "u": last, "b": [], "a": []}, **facts)


def future(previous: int, last: int, **facts: Any) -> Observation:
    """Ids on futures are shared with other symbols: `U` lies somewhere after `pu`."""
    return message(last, {"e": "depthUpdate", "U": previous + 5, "u": last, "pu": previous}, **facts)


def diffs(*spans: tuple[int, int], **facts: Any) -> list[Observation]:
    return [diff(first, last, **facts) for first, last in spans]


WHOLE = ((157, 160), (161, 161), (162, 170), (171, 172))

PLANTED = {
    "one lost": (diffs((157, 160), (162, 170)), {"gaps": 1, "missing": 1}, ("gap", 161, 161)),
    "a wide one lost": (diffs((157, 161), (171, 172)), {"gaps": 1, "missing": 9}, ("gap", 162, 170)),
    "last one again": (diffs(*WHOLE[:3], (162, 170), (171, 172)), {"duplicates": 1}, ("duplicate", 162, 170)),
    "older one again": (diffs(*WHOLE, (161, 161)), {"duplicates": 1}, ("duplicate", 161, 161)),
    "swapped": (diffs((157, 160), (162, 170), (161, 161), (171, 172)), {"reorders": 1}, ("reorder", 161, 161)),
    "before the first": (diffs((157, 160), (150, 156), (161, 161)), {"regressions": 1}, ("regression", 150, 156)),
    "later than the window": (
        [*diffs((157, 160), (162, 170)), *diffs((161, 161), (171, 172), at=2.0)],
        {"gaps": 1, "missing": 1, "regressions": 1},
        ("gap", 161, 161),
    ),
    "restart": (diffs(*WHOLE, (1, 5), (6, 9), (10, 20)), {"regressions": 1}, ("regression", 1, 5)),
    "half of a hole": (
        diffs((157, 160), (171, 172), (162, 170), (173, 173)),
        {"gaps": 1, "missing": 1, "reorders": 1},
        ("reorder", 162, 170),
    ),
    "lost on futures": (
        [future(100, 160), future(190, 260), future(260, 300)],
        {"gaps": 1, "missing": 30},
        ("gap", 161, 190),
    ),
    "again on futures": ([future(100, 160), future(160, 190), future(160, 190)], {"duplicates": 1}, None),
    "swapped on futures": (
        [future(100, 160), future(190, 260), future(160, 190), future(260, 300)],
        {"reorders": 1},
        ("reorder", 161, 190),
    ),
    "restart, then lost behind a reconnection": (
        [*diffs((160, 170), (1, 5), (6, 9)), *diffs((10, 12), (200, 201), conn="c1.2")],
        {"regressions": 1, "gaps": 1, "missing": 187},
        ("regression", 1, 5),
    ),
    "lost before a reconnection": (
        [*diffs((157, 160), (162, 170)), *diffs((181, 190), (191, 195), conn="c1.2")],
        {"gaps": 1, "missing": 1, "skipped": 10},
        ("gap", 161, 161),
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_finds_what_was_planted_and_nothing_else(case: str) -> None:
    stream, expected, place = PLANTED[case]
    report = judge(stream, "range")
    assert counts(report) == expected
    assert report.verdict is Verdict.FAIL
    if place is not None:
        finding = report.findings[0]
        assert (finding.kind, finding.first, finding.last) == place


LEGAL: dict[str, tuple[list[Observation], dict[str, int]]] = {
    "whole": (diffs(*WHOLE), {}),
    "whole on futures": ([future(100, 160), future(160, 190), future(190, 191)], {}),
    "straddles the last": (diffs((157, 160), (158, 165), (166, 170)), {}),
    "straddles the last on futures": ([future(100, 160), future(150, 190), future(190, 260)], {}),
    "a straddle fills a hole": (diffs((157, 160), (165, 170), (161, 175)), {}),
    "reconnected in time": ([*diffs(*WHOLE[:2]), *diffs(*WHOLE[2:], conn="c1.2")], {}),
    "reconnected to what came already": ([*diffs(*WHOLE), *diffs(*WHOLE, conn="c1.2")], {}),
    "reconnected to a straddle": ([*diffs(*WHOLE), *diffs((170, 175), (176, 176), conn="c1.2")], {}),
    "reconnected behind a state out of REST": (
        [*diffs(*WHOLE), *diffs((201, 205), (206, 206), conn="c1.2")],
        {"skipped": 28},
    ),
}


@pytest.mark.parametrize("case", LEGAL)
def test_stays_silent_at_what_is_legal(case: str) -> None:
    stream, expected = LEGAL[case]
    report = judge(stream, "range")
    assert counts(report) == expected
    assert report.findings == []
    assert report.verdict is Verdict.PASS
    assert (report.verified_percent, report.clean_percent) == (100.0, 100.0)


def test_says_what_came_in_update_ids() -> None:
    report = judge(diffs((157, 160), (165, 170), (162, 163), (162, 163), (150, 151)), "range")
    assert [finding.message for finding in report.findings] == [
        f"update-ids 162 to 163 came after 170 on {CHANNEL}; expected after 161",
        f"update-ids 162 to 163 came again on {CHANNEL}; expected 171",
        f"update-ids 150 to 151 after 170 on {CHANNEL}; expected 171",
        f"update-id 161 never came on {CHANNEL}; expected between 160 and 162",
        f"update-id 164 never came on {CHANNEL}; expected between 163 and 165",
    ]


def test_a_gap_counts_update_ids_and_stands_for_one_message_at_least() -> None:
    report = judge(diffs((1, 10), (111, 120), (121, 130), (131, 140)), "range")
    assert (report.missing, report.missing_unit) == (100, "update-ids")
    assert report.as_json()["missing_unit"] == "update-ids"
    assert report.clean_percent == 80.0
    assert report.verified_percent == 100.0


@pytest.mark.parametrize(
    "data",
    [{"u": 5}, {"U": 4}, {"U": "4"}, {"U": True}, {"U": 9}, {"pu": 5, "U": 3}, [], [1], None, "x", {"data": None}],
)
def test_a_message_without_its_ids_proves_nothing(data: Any) -> None:
    seq = None if data == {"U": 4} else 5
    report = judge([message(seq, data)], "range")
    assert (report.messages, report.unnumbered, report.verdict) == (1, 1, Verdict.UNVERIFIABLE)


def test_a_dialect_may_say_where_the_ids_are() -> None:
    class Link:
        previous = None

        def __init__(self, first: int) -> None:
            self.first = first

    check = OrderingCheck(lambda channel: "range", lambda channel, data: Link(data["from"]))
    for first, last in ((1, 5), (6, 9), (11, 12)):
        check.add(message(last, {"from": first}))
    check.close()
    assert counts(check.channels[CHANNEL]) == {"gaps": 1, "missing": 1}


def test_a_hole_is_a_gap_after_the_window() -> None:
    check = OrderingCheck(lambda channel: "range", known_link)
    stream = [diff(1, 2), diff(5, 6, at=0.5), diff(7, 7, at=1.5), diff(8, 8, at=1.6)]
    made = [check.add(observation) for observation in stream]
    assert [len(found) for found in made] == [0, 0, 0, 1]
    assert (made[3][0].first, made[3][0].last, made[3][0].at) == (3, 4, T0 + 0.5)


def test_no_hole_outlives_its_connection() -> None:
    check = OrderingCheck(lambda channel: "range", known_link)
    stream = [diff(1, 2), diff(5, 6, at=0.5), diff(2, 4, conn="c1.2", at=0.6)]
    made = [check.add(observation) for observation in stream]
    assert [[(one.kind, one.conn, one.first, one.last) for one in found] for found in made] == [
        [],
        [],
        [("gap", "c1", 3, 4)],
    ]
    assert check.close() == []


lengths = st.lists(st.integers(1, 9), min_size=2, max_size=60)


@given(lengths, st.booleans(), st.randoms(use_true_random=False))
def test_whatever_is_lost_repeated_and_moved_is_found(
    given_lengths: list[int], futures: bool, chance: random.Random
) -> None:
    ends = [1000]
    for length in given_lengths:
        ends.append(ends[-1] + length)
    spans = [(before + 1, last) for before, last in pairwise(ends)]
    arrived = disturb(spans, chance)
    stream = [future(first - 1, last) if futures else diff(first, last) for first, last in arrived]
    report = judge(stream, "range")
    assert counts(report) == found_by_looking(arrived)


_number = st.integers(0, 30) | st.integers(0, 300)
_anything = st.builds(
    lambda first, length, previous, conn, at, seq: message(
        first + length if seq else None,
        {"U": first, "u": first + length, **({} if previous is None else {"pu": previous})},
        conn=conn,
        at=at,
    ),
    _number,
    st.integers(0, 9),
    st.none() | _number,
    st.sampled_from(["c1", "c1.2", "c2"]),
    st.floats(-5, 5),
    st.booleans(),
)


@pytest.mark.parametrize("scheme", ["range", "counter", "monotonic", "none"])
@given(st.lists(_anything, max_size=150))
def test_whatever_comes_is_counted_soundly_and_in_bounded_memory(scheme: str, stream: list[Observation]) -> None:
    check = OrderingCheck(lambda channel: scheme, known_link)
    for observation in stream:
        check.add(observation)
        assert all(len(getattr(lane, "holes", ())) <= 65 and len(lane.recent) <= 64 for lane in check._lanes.values())
    check.close()
    for report in check.channels.values():
        assert report.messages == len(stream)
        assert report.missing >= report.gaps
        assert len(report.findings) + report.findings_left_out == report.objections
        assert report.clean_percent is None or 0 <= report.clean_percent <= 100
        assert report.skipped >= 0

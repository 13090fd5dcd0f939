"""Chains: OKX's books, where a message names the one before it."""

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checks.schemes.streams import CHANNEL, counts, disturb, found_by_looking, judge, known_link, message
from wsctl.checks.ordering import OrderingCheck
from wsctl.model.finding import Verdict
from wsctl.model.observation import Observation


def link(previous: int, seq: int, ts: int = 0, **facts: Any) -> Observation:
    """As OKX wraps it; `ts` makes two messages differ."""
    entry = {"asks": [], "bids": [], "ts": str(ts), "prevSeqId": previous, "seqId": seq}
    return message(seq, {"arg": {"channel": "books"}, "data": [entry]}, **facts)


def links(*pairs: tuple[int, int], **facts: Any) -> list[Observation]:
    return [link(previous, seq, **facts) for previous, seq in pairs]


LEGAL: dict[str, tuple[list[Observation], dict[str, int]]] = {
    "the exchange's own example": (links((-1, 10), (10, 15), (15, 15), (15, 3), (3, 5)), {"resets": 1}),
    "joined in the middle": (links((10, 15), (15, 40), (40, 41)), {}),
    "nothing changed, again and again": (links((-1, 10), (10, 10), (10, 10), (10, 15)), {}),
    "a new chain": (links((-1, 10), (10, 15), (-1, 90), (90, 95)), {"resets": 1}),
    "a new chain, nothing changed": ([*links((-1, 10), (10, 15)), link(-1, 15, ts=1), link(15, 20)], {}),
    "a new chain after a reconnection": (
        [*links((-1, 10), (10, 15)), *links((-1, 90), (90, 95), conn="c1.2")],
        {"resets": 1},
    ),
    "the same snapshot after a reconnection": (
        [*links((-1, 10), (10, 15)), *links((-1, 10), (10, 15), conn="c1.2")],
        {"resets": 1},
    ),
    "reconnected and lost nothing": ([*links((-1, 10), (10, 15)), *links((15, 18), (18, 20), conn="c1.2")], {}),
    "reconnected into the middle": (
        [*links((-1, 10), (10, 15)), *links((80, 90), (90, 95), conn="c1.2")],
        {"resets": 1},
    ),
    "reset to a number that was": (links((-1, 10), (10, 15), (15, 10), (10, 15), (15, 20)), {"resets": 1}),
}


@pytest.mark.parametrize("case", LEGAL)
def test_stays_silent_at_what_is_legal(case: str) -> None:
    stream, expected = LEGAL[case]
    report = judge(stream, "chain")
    assert counts(report) == expected
    assert report.findings == []
    assert report.verdict is Verdict.PASS
    assert (report.verified_percent, report.clean_percent) == (100.0, 100.0)


PLANTED = {
    "one lost": (links((-1, 10), (15, 40), (40, 41)), {"gaps": 1, "missing": 1}, ("gap", 11, 15)),
    "several lost": (links((-1, 10), (90, 95), (95, 99)), {"gaps": 1, "missing": 1}, ("gap", 11, 90)),
    "last one again": (links((-1, 10), (10, 15), (10, 15), (15, 20)), {"duplicates": 1}, ("duplicate", 11, 15)),
    "older one again": (links((-1, 10), (10, 15), (15, 20), (10, 15)), {"duplicates": 1}, ("duplicate", 11, 15)),
    "first one again, later": (links((-1, 10), (10, 15), (-1, 10), (15, 20)), {"duplicates": 1}, ("duplicate", 10, 10)),
    "again, changed": (
        [*links((-1, 10), (10, 15)), link(10, 15, ts=1), link(15, 20)],
        {"duplicates": 1},
        ("duplicate", 11, 15),
    ),
    "swapped": (links((-1, 10), (15, 20), (10, 15), (20, 25)), {"reorders": 1}, ("reorder", 11, 15)),
    "one of two lost, the other late": (
        links((-1, 10), (20, 25), (15, 20), (25, 30)),
        {"gaps": 1, "missing": 1, "reorders": 1},
        ("reorder", 16, 20),
    ),
    "older than the first": (links((10, 15), (5, 10), (15, 20)), {"regressions": 1}, ("regression", 6, 10)),
    "the reset was lost": (links((-1, 10), (10, 15), (3, 5), (5, 8), (8, 9)), {"regressions": 1}, ("regression", 4, 5)),
    "the reset was lost, nothing changed": (
        links((-1, 10), (10, 15), (3, 5), (5, 5), (5, 8)),
        {"regressions": 1},
        ("regression", 4, 5),
    ),
    "the reset was lost, and it rose past": (
        links((-1, 10), (10, 15), (3, 20), (20, 25)),
        {"gaps": 1, "missing": 1},
        ("gap", 4, 20),
    ),
    "lost before a reset": (
        links((-1, 10), (15, 3), (3, 5)),
        {"gaps": 1, "missing": 1, "resets": 1},
        ("gap", 11, 15),
    ),
    "lost before nothing changed": (links((-1, 10), (15, 15), (15, 20)), {"gaps": 1, "missing": 1}, ("gap", 11, 15)),
    "lost before a new chain": (
        links((-1, 10), (15, 20), (-1, 90), (90, 91)),
        {"gaps": 1, "missing": 1, "resets": 1},
        ("gap", 11, 15),
    ),
    "a burst later than the window": (
        [*links((-1, 10), (10, 15), (30, 35)), *links((15, 20), (20, 30), (35, 40), at=5.0)],
        {"gaps": 1, "missing": 1, "regressions": 1},
        ("gap", 16, 30),
    ),
    "nothing changed, late": (
        links((-1, 10), (10, 15), (15, 20), (15, 15), (20, 25)),
        {"regressions": 1},
        ("regression", 15, 15),
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_finds_what_was_planted_and_nothing_else(case: str) -> None:
    stream, expected, place = PLANTED[case]
    report = judge(stream, "chain")
    assert counts(report) == expected
    finding = report.findings[0]
    assert (finding.kind, finding.first, finding.last) == place
    assert report.verdict is Verdict.FAIL


def test_says_what_came_and_what_was_expected() -> None:
    stream = links((-1, 10), (20, 25), (15, 20), (15, 20), (3, 5), (7, 30))
    assert [finding.message for finding in judge(stream, "chain").findings] == [
        f"id 20 came after 25 on {CHANNEL}; expected after 15",
        f"id 20 came again on {CHANNEL}; expected one after 25",
        f"id 5 after 25 on {CHANNEL}; expected one after 25",
        f"what comes after 10 never came on {CHANNEL}; the next one known comes after 15",
        f"id 30 comes after 7 on {CHANNEL}; expected one after 25",
    ]


def test_how_much_is_missing_is_unknown_and_at_least_one_for_each_gap() -> None:
    report = judge(links((-1, 10), (90, 95), (95, 99), (99, 100)), "chain")
    assert (report.missing, report.missing_unit, report.clean_percent) == (1, "unknown", 80.0)


@pytest.mark.parametrize("data", [{"seqId": 5}, {"data": []}, {"data": [{"prevSeqId": "4"}]}, None])
def test_a_message_without_its_link_proves_nothing(data: Any) -> None:
    report = judge([message(5, data)], "chain")
    assert (report.unnumbered, report.verdict) == (1, Verdict.UNVERIFIABLE)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=60), st.randoms(use_true_random=False))
def test_whatever_is_lost_repeated_and_moved_is_found(jumps: list[int], chance: random.Random) -> None:
    ids = [1000]
    for jump in jumps:
        ids.append(ids[-1] + jump)
    arrived = disturb([(before + 1, id) for before, id in pairwise(ids)], chance)
    report = judge([link(first - 1, last) for first, last in arrived], "chain")
    expected = found_by_looking(arrived)
    if "gaps" in expected:
        expected["missing"] = expected["gaps"]
    assert counts(report) == expected


steps = st.lists(st.sampled_from(["on", "on", "on", "same", "reset", "anew"]), max_size=80)


def chained(walk: list[str], chance: random.Random) -> list[Observation]:
    """A legal chain, with every odd case in it; no two messages are the same."""
    stream, last = [link(-1, 1000)], 1000
    for number, step in enumerate(walk, 1):
        previous = last
        if step == "on":
            last += chance.randint(1, 50)
        elif step == "reset":
            last = chance.randint(1, last)
        elif step == "anew":
            previous, last = -1, chance.randint(1, 10_000)
        stream.append(link(previous, last, ts=number))
    return stream


@given(steps, st.randoms(use_true_random=False))
def test_no_legal_chain_is_objected_to(walk: list[str], chance: random.Random) -> None:
    report = judge(chained(walk, chance), "chain")
    assert report.findings == []
    assert report.verdict is Verdict.PASS


@given(steps, st.randoms(use_true_random=False), st.data())
def test_a_message_lost_from_any_chain_is_found_wherever_it_shows(
    walk: list[str], chance: random.Random, data: st.DataObject
) -> None:
    stream = chained([*walk, "on"], chance)
    lost = data.draw(st.integers(1, len(stream) - 1))
    left = stream[:lost] + stream[lost + 1 :]
    follows = left[lost].data["data"][0]["prevSeqId"] if lost < len(left) else None
    hidden = follows in (None, -1, stream[lost - 1].seq)
    """at the tail, before a new chain, and where the id is the same without it, a chain is blind"""
    assert (judge(left, "chain").objections == 0) == hidden


_anything = st.builds(
    lambda previous, seq, ts, conn, at: link(previous, seq, ts, conn=conn, at=at),
    st.integers(-1, 20),
    st.integers(0, 20),
    st.integers(0, 1),
    st.sampled_from(["c1", "c1.2", "c2"]),
    st.floats(-5, 5),
)


@given(st.lists(_anything, max_size=150))
def test_whatever_comes_is_counted_soundly_and_in_bounded_memory(stream: list[Observation]) -> None:
    check = OrderingCheck(lambda channel: "chain", known_link)
    for observation in stream:
        check.add(observation)
        for lane in check._lanes.values():
            assert len(lane.recent) <= 64
            assert len(lane.holes) <= 65
            assert all(hole.first <= hole.last <= lane.last for hole in lane.holes)
    check.close()
    for report in check.channels.values():
        assert report.messages == len(stream)
        assert report.missing == report.gaps
        assert len(report.findings) + report.findings_left_out == report.objections
        assert report.clean_percent is None or 0 <= report.clean_percent <= 100
        assert all(finding.first <= finding.last for finding in report.findings)

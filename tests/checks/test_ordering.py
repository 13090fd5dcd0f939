"""The ordering check is proved by planting each anomaly and finding exactly it, and by every legal repeat."""

import random
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsctl.checks.channel_report import FINDINGS_KEPT, ChannelReport
from wsctl.checks.ordering import OrderingCheck
from wsctl.checks.sequence import WINDOW_MESSAGES
from wsctl.model.finding import Verdict
from wsctl.model.observation import Observation, decode, encode

T0 = 1_763_870_000.0
BTC = "symbol:BTC/USDT:ticker"
COUNTERS = ("gaps", "missing", "duplicates", "reorders", "regressions", "resets", "skipped")


def observe(name: str, seq: int | None, data: dict[str, Any], **facts: Any) -> Observation:
    told = {"at": 0.0, "conn": "c1", "channel": BTC, "epoch": "e1", **facts}
    return Observation(
        received_at=T0 + told["at"],
        conn=told["conn"],
        channel=told["channel"],
        event=name,
        epoch=told["epoch"],
        seq=seq,
        sent_at=None,
        latency_ms=None,
        data=data,
    )


def update(seq: int | None, price: float = 1.0, **facts: Any) -> Observation:
    return observe("price:update", seq, {"symbol": "BTC/USDT", "price": price, "seq": seq}, **facts)


def updates(*seqs: int, **facts: Any) -> list[Observation]:
    return [update(seq, **facts) for seq in seqs]


def run(first: int, last: int, **facts: Any) -> list[Observation]:
    return updates(*range(first, last + 1), **facts)


def snapshot(seq: int | None, **facts: Any) -> Observation:
    data = {"symbol": "BTC/USDT", "price": 1.0, "seq": seq, "snapshot": True, "timestamp": 7}
    return observe("price:update", seq, data, **facts)


def heartbeat(next_seq: Any, **facts: Any) -> Observation:
    return observe("channel:heartbeat", None, {"channel": BTC, "nextSeq": next_seq}, **facts)


def skipped(first: Any, last: Any, **facts: Any) -> Observation:
    data = {"channel": BTC, "from": first, "to": last, "reason": "slow"}
    return observe("channel:skipped", None, data, **facts)


def judge(stream: Iterable[Observation]) -> OrderingCheck:
    """Judge a stream live and from its JSON lines, see that both agree, and answer the live one."""
    live, offline = OrderingCheck(), OrderingCheck()
    found = []
    for observation in stream:
        found += live.add(observation)
        offline.add(decode(encode(observation)))
    found += live.close()
    offline.close()
    assert offline.as_json() == live.as_json()
    assert len(found) == sum(report.objections for report in live.channels.values())
    return live


def counts(report: ChannelReport) -> dict[str, int]:
    """The counters that are not zero."""
    return {name: getattr(report, name) for name in COUNTERS if getattr(report, name)}


def found_in(stream: Iterable[Observation]) -> dict[str, int]:
    check = judge(stream)
    assert list(check.channels) == [BTC]
    return counts(check.channels[BTC])


PLANTED = {
    "one lost": ([*run(1, 39), *run(41, 80)], {"gaps": 1, "missing": 1}),
    "three lost in a row": ([*run(1, 39), *run(43, 80)], {"gaps": 1, "missing": 3}),
    "two holes": ([*run(1, 9), *run(11, 19), *run(21, 30)], {"gaps": 2, "missing": 2}),
    "400 million lost": ([*run(1, 3), *run(400_000_004, 400_000_100)], {"gaps": 1, "missing": 400_000_000}),
    "lost just before the end": (updates(1, 2, 4), {"gaps": 1, "missing": 1}),
    "middle of a hole filled": (updates(1, 5, 3, 6), {"gaps": 2, "missing": 2, "reorders": 1}),
    "swapped neighbours": (updates(1, 2, 4, 3, 5), {"reorders": 1}),
    "backwards": (updates(1, 5, 4, 3, 2, 6), {"reorders": 3}),
    "overtaken by 64": ([update(1), *run(3, 66), update(2), *run(67, 70)], {"reorders": 1}),
    "overtaken by 65": (
        [update(1), *run(3, 67), update(2, price=2.0), *run(68, 70)],
        {"gaps": 1, "missing": 1, "regressions": 1},
    ),
    "late by a second": (
        [update(1), update(3, at=0.5), update(2, at=1.5), update(4, at=1.6)],
        {"reorders": 1},
    ),
    "late by more than a second": (
        [update(1), update(3, at=0.5), update(2, at=1.51), update(4, at=1.6)],
        {"gaps": 1, "missing": 1, "regressions": 1},
    ),
    "burst later than the window": (
        [*run(1, 9), *run(31, 45), *run(10, 30, at=5.0), *run(46, 150, at=5.1)],
        {"gaps": 1, "missing": 21, "regressions": 1},
    ),
    "last one again": (updates(1, 2, 2, 3), {"duplicates": 1}),
    "older one again": (updates(1, 2, 3, 4, 2, 5), {"duplicates": 1}),
    "the whole stream twice": ([*run(1, 60), *run(1, 60)], {"duplicates": 60}),
    "a reordered one again": (updates(1, 3, 2, 2, 4), {"reorders": 1, "duplicates": 1}),
    "last one again, changed": ([*run(1, 3), update(3, price=2.0), update(4)], {"duplicates": 1}),
    "older one again, changed": ([*run(1, 5), update(3, price=2.0), update(6)], {"regressions": 1}),
    "older one no longer remembered": ([*run(1, 99), update(3), update(100)], {"regressions": 1}),
    "before the baseline": (updates(40, 39, 41), {"regressions": 1}),
    "restart": ([*run(1, 99), *run(1, 200, price=2.0)], {"regressions": 1}),
    "restart soon after the start": ([*run(1, 3), *run(1, 9, price=2.0)], {"regressions": 1}),
    "two restarts": ([*run(1, 99), *run(1, 99, price=2.0), *run(1, 9, price=3.0)], {"regressions": 2}),
    "restart with a repeat": ([*run(1, 99), *updates(1, 1, 2, 3)], {"regressions": 1, "duplicates": 1}),
    "restart, then a loss": ([*run(1, 99), *updates(1, 2, 4)], {"regressions": 1, "gaps": 1, "missing": 1}),
    "restart while a hole is open": (
        [*run(40, 49), *run(51, 59), *run(1, 9)],
        {"regressions": 1, "gaps": 1, "missing": 1},
    ),
    "restart shown by a snapshot": ([*run(1, 99), snapshot(1), *run(2, 9)], {"regressions": 1}),
    "restart confirmed by a heartbeat": ([*run(1, 99), update(1), heartbeat(2), *run(2, 9)], {"regressions": 1}),
    "one lost at a reset": (
        [*run(1, 9), update(11), *run(1, 9, epoch="e2")],
        {"gaps": 1, "missing": 1, "resets": 1},
    ),
    "one lost at a reconnection with snapshot": (
        [*run(1, 9), update(11), snapshot(15, conn="c1.2"), *run(16, 20, conn="c1.2")],
        {"gaps": 1, "missing": 1, "skipped": 4},
    ),
    "lost while disconnected": (
        [*run(1, 9), *run(13, 20, conn="c1.2")],
        {"gaps": 1, "missing": 3},
    ),
    "lost while disconnected, without epoch": (
        [*run(1, 9, epoch=None), *run(13, 20, conn="c1.2", epoch=None)],
        {"gaps": 1, "missing": 3},
    ),
    "fallen after a reconnection": (
        [*run(1, 99), update(3, conn="c1.2"), update(100, conn="c1.2")],
        {"regressions": 1},
    ),
    "last one again after a reconnection, with epoch": (
        [*run(1, 9), *run(9, 12, conn="c1.2")],
        {"duplicates": 1},
    ),
    "snapshot ahead on the same connection": ([*run(1, 9), snapshot(11), update(12)], {"gaps": 1, "missing": 2}),
    "snapshot behind": ([*run(1, 9), snapshot(5), update(10)], {"regressions": 1}),
    "update that repeats a snapshot": ([snapshot(5), *run(5, 9)], {"duplicates": 1}),
    "lost at the tail": ([*run(1, 9), heartbeat(12)], {"gaps": 1, "missing": 2}),
    "lost between heartbeats": ([heartbeat(5), heartbeat(6, at=5.0)], {"gaps": 1, "missing": 1}),
    "lost after the first heartbeat": ([heartbeat(5), *run(6, 9)], {"gaps": 1, "missing": 1}),
    "announced again, lower": ([*run(1, 45), heartbeat(40), update(46)], {"regressions": 1}),
    "before the first heartbeat": ([heartbeat(40), update(39), update(40)], {"regressions": 1}),
    "lost before a declared skip": (
        [*run(1, 9), skipped(11, 15), *run(16, 20)],
        {"gaps": 1, "missing": 1, "skipped": 5},
    ),
    "declared left out, and came": (
        [*run(1, 9), skipped(10, 12), update(11), *run(13, 20)],
        {"skipped": 3, "regressions": 1},
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_finds_what_was_planted_and_nothing_else(case: str) -> None:
    stream, expected = PLANTED[case]
    assert found_in(stream) == expected
    assert judge(stream).verdict is Verdict.FAIL


LEGAL: dict[str, tuple[list[Observation], dict[str, int]]] = {
    "in sequence": (run(1, 200), {}),
    "joined in the middle": (run(1000, 1100), {}),
    "numbered from zero": (run(0, 9), {}),
    "snapshot first": ([snapshot(40), *run(41, 45)], {}),
    "snapshot again": ([snapshot(40), *run(41, 45), snapshot(45), snapshot(45), update(46)], {}),
    "snapshot after a reconnection": ([*run(1, 9), snapshot(9, conn="c1.2"), update(10, conn="c1.2")], {}),
    "newer snapshot after a reconnection": (
        [*run(1, 9), snapshot(15, conn="c1.2"), *run(16, 20, conn="c1.2")],
        {"skipped": 6},
    ),
    "reconnected and lost nothing": ([*run(1, 9), *run(10, 20, conn="c1.2")], {}),
    "server restarted": ([*run(1, 9), snapshot(1, epoch="e2"), *run(2, 9, epoch="e2")], {"resets": 1}),
    "server restarted without snapshot": ([*run(1, 9), *run(1, 9, epoch="e2")], {"resets": 1}),
    "server restarted behind a reconnection": (
        [*run(1, 9), *run(1, 9, epoch="e2", conn="c1.2")],
        {"resets": 1},
    ),
    "server restarted, told by a heartbeat": (
        [*run(1, 9), heartbeat(1, epoch="e2"), *run(1, 9, epoch="e2")],
        {"resets": 1},
    ),
    "two restarts": ([*run(1, 9), *run(1, 9, epoch="e2"), *run(1, 9, epoch="e3")], {"resets": 2}),
    "epoch told late": ([*run(1, 9, epoch=None), *run(10, 19)], {}),
    "epoch told sometimes": ([*run(1, 9), *run(10, 15, epoch=None), *run(16, 19)], {}),
    "foreign state after a reconnection": (
        [*run(1, 9, epoch=None), *run(9, 12, epoch=None, conn="c1.2")],
        {},
    ),
    "foreign connection numbers afresh": (
        [*run(1, 9, epoch=None), *run(1, 12, epoch=None, conn="c1.2")],
        {"resets": 1},
    ),
    "foreign connection numbers afresh, told by a heartbeat": (
        [*run(1, 9, epoch=None), heartbeat(1, epoch=None, conn="c1.2"), *run(1, 5, epoch=None, conn="c1.2")],
        {"resets": 1},
    ),
    "foreign connection numbers afresh, told by a snapshot": (
        [*run(1, 9, epoch=None), snapshot(1, epoch=None, conn="c1.2"), *run(2, 5, epoch=None, conn="c1.2")],
        {"resets": 1},
    ),
    "heartbeat in silence": ([*run(1, 9), heartbeat(10, at=5.0), heartbeat(10, at=10.0), update(10, at=12.0)], {}),
    "heartbeat first": ([heartbeat(10), *run(10, 15)], {}),
    "heartbeat before any message": ([heartbeat(1), *run(1, 9)], {}),
    "heartbeat overtook what it announces": ([*run(1, 9), heartbeat(12), *run(10, 15)], {}),
    "heartbeat that says nothing": ([*run(1, 9), heartbeat("x"), heartbeat(None), heartbeat(True), update(10)], {}),
    "declared skip": ([*run(1, 9), skipped(10, 14), *run(15, 20)], {"skipped": 5}),
    "declared skip afterwards": ([*run(1, 9), *run(15, 17), skipped(10, 14), *run(18, 20)], {"skipped": 5}),
    "declared skip, twice": ([*run(1, 9), skipped(10, 11), skipped(12, 14), *run(15, 20)], {"skipped": 5}),
    "declared skip first": ([skipped(10, 14), *run(15, 20)], {"skipped": 5}),
    "declared skip in a new epoch": (
        [*run(1, 9), skipped(1, 2, epoch="e2"), *run(3, 9, epoch="e2")],
        {"skipped": 2, "resets": 1},
    ),
    "declared skip that says nothing": ([*run(1, 9), skipped("a", 3), skipped(12, 10), update(10)], {}),
    "compact snapshot": (
        [*run(1, 9), observe("price:update", 9, {"s": "BTC/USDT", "p": 1, "q": 9, "e": "e1", "n": 1}), update(10)],
        {},
    ),
}


@pytest.mark.parametrize("case", LEGAL)
def test_stays_silent_at_legal_repeats(case: str) -> None:
    stream, expected = LEGAL[case]
    check = judge(stream)
    assert counts(check.channels[BTC]) == expected
    assert check.channels[BTC].findings == []
    assert check.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("stream", "texts"),
    [
        ([*run(38, 39), update(41)], ["seq 40 never came on {}; expected between 39 and 41"]),
        ([*run(38, 39), update(43)], ["seqs 40 to 42 never came on {}; expected between 39 and 43"]),
        ([update(39), *run(41, 43), update(40)], ["seq 40 came after 43 on {}; expected after 39"]),
        ([*run(38, 40), update(40)], ["seq 40 came again on {}; expected 41"]),
        ([*run(38, 45), update(40)], ["seq 40 came again on {}; expected 46"]),
        ([*run(38, 40), update(40, 2.0)], ["seq 40 came again with a different payload on {}; expected 41"]),
        ([*run(38, 45), update(1)], ["seq 1 after 45 on {}; expected 46"]),
        ([*run(38, 45), snapshot(40)], ["seq 40 after 45 on {}; expected 46"]),
        ([*run(38, 45), heartbeat(40)], ["heartbeat announced next 40 after 45 on {}; expected 46"]),
        ([heartbeat(40), update(39)], ["seq 39 after 39 was announced on {}; expected 40"]),
    ],
)
def test_says_what_came_and_what_was_expected(stream: list[Observation], texts: list[str]) -> None:
    findings = judge(stream).channels[BTC].findings
    assert [finding.message for finding in findings] == [text.format(BTC) for text in texts]


def test_finding_names_the_place_in_the_stream() -> None:
    check = OrderingCheck()
    stream = [update(1), update(5, at=0.25), update(6, at=2.0)]
    made = [check.add(observation) for observation in stream]
    assert [len(found) for found in made] == [0, 0, 1]
    (gap,) = made[2]
    assert (gap.kind, gap.conn, gap.channel, gap.first, gap.last) == ("gap", "c1", BTC, 2, 4)
    assert gap.at == T0 + 0.25, "a gap is shown by the message that jumped"
    assert check.close() == []


def test_closing_twice_adds_nothing() -> None:
    check = OrderingCheck()
    for observation in updates(1, 3):
        assert check.add(observation) == []
    assert [finding.kind for finding in check.close()] == ["gap"]
    assert check.close() == []
    assert counts(check.channels[BTC]) == {"gaps": 1, "missing": 1}


def test_json_has_the_shape_that_scripts_rely_on() -> None:
    check = judge([update(1), update(3), update(3)])
    assert check.as_json() == {
        "verdict": "fail",
        "channels": {
            BTC: {
                "verdict": "fail",
                "scheme": "counter",
                "messages": 3,
                "gaps": 1,
                "missing": 1,
                "missing_unit": "messages",
                "duplicates": 1,
                "reorders": 0,
                "regressions": 0,
                "resets": 0,
                "skipped": 0,
                "verified_percent": 100.0,
                "clean_percent": 50.0,
                "findings": [
                    {
                        "kind": "duplicate",
                        "conn": "c1",
                        "channel": BTC,
                        "first": 3,
                        "last": 3,
                        "at": T0,
                        "message": f"seq 3 came again on {BTC}; expected 4",
                    },
                    {
                        "kind": "gap",
                        "conn": "c1",
                        "channel": BTC,
                        "first": 2,
                        "last": 2,
                        "at": T0,
                        "message": f"seq 2 never came on {BTC}; expected between 1 and 3",
                    },
                ],
            }
        },
        "malformed": 0,
    }


def test_metrics_sum_the_channels() -> None:
    check = judge([*updates(1, 3), *updates(1, 2, 4, channel="other"), skipped(5, 9, channel="other")])
    assert check.metrics() == {
        "ordering.gaps": 2,
        "ordering.missing": 2,
        "ordering.duplicates": 0,
        "ordering.reorders": 0,
        "ordering.regressions": 0,
        "ordering.resets": 0,
        "ordering.skipped": 5,
    }


def test_channels_and_clients_are_apart_and_a_channel_sums_its_clients() -> None:
    stream = [*run(1, 5), *run(11, 15, conn="c2"), *run(7, 9, channel="price:public"), *run(6, 9)]
    check = judge(stream)
    assert check.verdict is Verdict.PASS
    assert {name: report.messages for name, report in check.channels.items()} == {BTC: 14, "price:public": 3}

    lossy = judge([*updates(1, 3), *updates(1, 3, conn="c2"), *updates(1, 3, conn="c12")])
    assert counts(lossy.channels[BTC]) == {"gaps": 3, "missing": 3}
    assert {finding.conn for finding in lossy.channels[BTC].findings} == {"c1", "c2", "c12"}


def test_a_feed_without_channels_is_judged_by_event() -> None:
    check = judge([*run(1, 5, channel=None), *run(6, 9, channel=None)])
    assert list(check.channels) == ["price:update"]
    assert check.verdict is Verdict.PASS


def test_what_could_not_be_read_may_have_been_a_message() -> None:
    """Then nothing proves that all came; what is known to be wrong is wrong all the same."""
    check, lossy = judge(updates(1, 2, 3)), judge(updates(1, 3))
    check.malformed = lossy.malformed = 1
    assert (check.verdict, check.channels[BTC].verdict) == (Verdict.UNVERIFIABLE, Verdict.PASS)
    assert (check.as_json()["verdict"], check.as_json()["malformed"]) == ("unverifiable", 1)
    assert lossy.verdict is Verdict.FAIL


def test_nothing_at_all_is_unverifiable() -> None:
    check = judge([])
    assert check.as_json() == {"verdict": "unverifiable", "channels": {}, "malformed": 0}
    assert check.metrics() == {}, "a metric that was not measured is absent, never zero"


def test_a_stream_without_any_sequence_is_unverifiable() -> None:
    check = judge([update(None), update(None)])
    report = check.channels[BTC]
    assert check.verdict is report.verdict is Verdict.UNVERIFIABLE
    assert (report.messages, report.verified_percent, report.clean_percent) == (2, 0.0, None)
    assert check.metrics() == {}


def test_a_stream_numbered_in_part_is_unverifiable_in_part() -> None:
    check = judge([update(1), update(None), update(2), update(3)])
    report = check.channels[BTC]
    assert check.verdict is Verdict.UNVERIFIABLE
    assert (report.verified_percent, report.clean_percent) == (75.0, 100.0)


def test_one_unverifiable_channel_makes_the_stream_so_and_one_failing_channel_fails_it() -> None:
    assert judge([*run(1, 9), update(None, channel="other")]).verdict is Verdict.UNVERIFIABLE
    assert judge([*updates(1, 3), update(None, channel="other")]).verdict is Verdict.FAIL


def test_a_silent_channel_does_not_weigh_in() -> None:
    quiet = heartbeat(1, channel="announcement")
    check = judge([*run(1, 9), quiet])
    assert check.verdict is Verdict.PASS
    assert check.channels["announcement"].verdict is Verdict.UNVERIFIABLE
    assert judge([quiet]).verdict is Verdict.UNVERIFIABLE
    assert judge([quiet, heartbeat(4, channel="announcement")]).verdict is Verdict.FAIL


def test_control_events_make_no_channels() -> None:
    stream = [
        observe("connection:closing", None, {"reason": "shutdown"}, channel=None),
        observe("connection:welcome", None, {}, channel=None),
        observe("error", None, {"message": "Access denied", "code": "access_denied"}, channel=None),
        observe("bot:subscribed", None, {}, channel=None),
        heartbeat(4, channel=None),
        skipped(4, 5, channel=None),
        heartbeat("x"),
        skipped(5, 4),
    ]
    assert judge(stream).channels == {}


@pytest.mark.parametrize(
    ("stream", "percent"),
    [
        (run(1, 4), 100.0),
        (updates(1, 2, 3, 5), 80.0),
        (updates(1, 2, 3, 3), 75.0),
        (updates(1, 3, 2, 4), 75.0),
        ([*run(1, 4), heartbeat(2)], 100.0),
        ([heartbeat(1), heartbeat(3)], 0.0),
        ([heartbeat(1)], None),
    ],
)
def test_clean_percent_is_the_share_that_came_once_and_in_place(
    stream: list[Observation], percent: float | None
) -> None:
    assert judge(stream).channels[BTC].clean_percent == percent


def test_keeps_the_first_findings_and_counts_all() -> None:
    check = judge(updates(1, *[2] * (FINDINGS_KEPT + 50)))
    report = check.channels[BTC]
    assert report.duplicates == FINDINGS_KEPT + 49
    assert len(report.findings) == FINDINGS_KEPT
    assert check.findings_left_out == report.findings_left_out == 49


def test_the_window_can_be_set() -> None:
    check = OrderingCheck(window_messages=2, window_seconds=60.0)
    assert [len(check.add(observation)) for observation in updates(1, 3, 4, 5, 6)] == [0, 0, 0, 0, 1]

    check = OrderingCheck(window_seconds=60.0)
    assert [len(check.add(update(seq, at=at))) for seq, at in ((1, 0), (3, 0), (4, 60), (5, 61))] == [0, 0, 0, 1]


def test_reconnecting_for_ever_keeps_one_state_per_client_and_channel() -> None:
    check = OrderingCheck()
    for times in range(1, 500):
        check.add(update(times, conn=f"c1.{times}"))
    assert len(check._lanes) == len(check._current) == 1
    assert check.verdict is Verdict.PASS


@given(st.integers(2, 300), st.integers(0, 30), st.randoms(use_true_random=False))
def test_shuffled_within_the_window_gives_reorders_only(count: int, reach: int, chance: random.Random) -> None:
    seqs = [1, *sorted(range(2, count + 1), key=lambda seq: seq + chance.uniform(0, reach))]
    overtaken = sum(seq < max(seqs[:index], default=0) for index, seq in enumerate(seqs))
    expected = {"reorders": overtaken} if overtaken else {}
    assert found_in(updates(*seqs)) == expected


@given(st.sets(st.integers(2, 200)), st.booleans())
def test_every_dropped_message_is_missing_exactly_once(dropped: set[int], ends_at_once: bool) -> None:
    last = 201 if ends_at_once else 201 + WINDOW_MESSAGES
    seqs = [seq for seq in range(1, last + 1) if seq not in dropped]
    holes = sum(after - before > 1 for before, after in pairwise(seqs))
    report = judge(updates(*seqs)).channels[BTC]
    assert (report.gaps, report.missing) == (holes, len(dropped))
    assert report.objections == holes


@given(st.sets(st.integers(2, 200)), st.sets(st.integers(2, 200)))
def test_drops_and_repeats_are_told_apart(dropped: set[int], repeated: set[int]) -> None:
    seqs = [seq for seq in range(1, 202) if seq not in dropped for _ in range(1 + (seq in repeated))]
    report = judge(updates(*seqs)).channels[BTC]
    assert (report.missing, report.duplicates) == (len(dropped), len(repeated - dropped))
    assert report.objections == report.gaps + report.duplicates


_seq = st.integers(0, 12) | st.integers(0, 400) | st.integers(-(2**40), 2**40)
_facts = st.fixed_dictionaries(
    {
        "conn": st.sampled_from(["c1", "c1.2", "c1.3", "c2"]),
        "epoch": st.sampled_from([None, "e1", "e2"]),
        "at": st.floats(-5, 5),
    }
)
_anything = st.one_of(
    st.builds(lambda seq, price, facts: update(seq, price, **facts), _seq, st.sampled_from([1.0, 2.0]), _facts),
    st.builds(lambda seq, facts: snapshot(seq, **facts), _seq | st.none(), _facts),
    st.builds(lambda seq, facts: heartbeat(seq, **facts), _seq, _facts),
    st.builds(lambda first, last, facts: skipped(first, last, **facts), _seq, _seq, _facts),
    st.builds(lambda facts: update(None, **facts), _facts),
)


@given(st.lists(_anything, max_size=300))
def test_whatever_comes_is_counted_soundly_and_in_bounded_memory(stream: list[Observation]) -> None:
    check = OrderingCheck()
    for observation in stream:
        check.add(observation)
        for lane in check._lanes.values():
            assert len(lane.holes) <= WINDOW_MESSAGES + 1
            assert len(lane.recent) <= WINDOW_MESSAGES
            assert [hole.first for hole in lane.holes] == sorted(hole.first for hole in lane.holes)
            assert all(hole.first <= hole.last <= lane.last for hole in lane.holes)
    assert len(check._current) == len(check._lanes) <= 2
    for report in judge(stream).channels.values():
        assert report.missing >= report.gaps
        assert min(getattr(report, name) for name in COUNTERS) >= 0
        assert len(report.findings) + report.findings_left_out == report.objections
        assert report.clean_percent is None or 0 <= report.clean_percent <= 100


@given(st.lists(st.sampled_from([1, 1, 1, 1, 1, 2, 3, 70, 0, -1, -2, -70]) | _anything, max_size=300))
def test_the_common_path_only_saves_time(steps: list[int | Observation]) -> None:
    swift, thorough = OrderingCheck(), OrderingCheck()
    seq = 100
    for step in steps:
        seq += step if isinstance(step, int) else 0
        observation = update(seq) if isinstance(step, int) else step
        assert swift.add(observation) == thorough._judge(observation)
    assert swift.close() == thorough.close()
    assert swift.as_json() == thorough.as_json()


@given(st.lists(st.integers(1, 2**62), min_size=100, max_size=300, unique=True).map(sorted))
def test_jumps_of_any_size_cost_no_memory(seqs: list[int]) -> None:
    check = OrderingCheck()
    for seq in seqs:
        check.add(update(seq))
        assert all(len(lane.holes) <= WINDOW_MESSAGES + 1 for lane in check._lanes.values())
    check.close()
    assert check.channels[BTC].missing == seqs[-1] - seqs[0] + 1 - len(seqs)

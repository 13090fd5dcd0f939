"""The schemes side by side: each channel by its own, and what none of them may claim."""

from typing import get_args

import pytest

from tests.checks.schemes.streams import known_link, message
from wsctl.checks.lane import Lane
from wsctl.checks.ordering import OrderingCheck
from wsctl.checks.schemes import SCHEMES
from wsctl.model.finding import Verdict
from wsctl.model.observation import Observation
from wsctl.wire.dialect import Scheme

FIXED = {
    "messages",
    "gaps",
    "missing",
    "duplicates",
    "reorders",
    "regressions",
    "resets",
    "skipped",
    "verified_percent",
    "clean_percent",
    "findings",
}


def seen(channel: str, seq: int | None, **data: object) -> Observation:
    return Observation(0.0, "c1", channel, "update", None, seq, None, None, {"n0": seq, **data})


STREAMS = {
    "counter": [seen("counter", seq) for seq in (1, 2, 3)],
    "range": [seen("range", last, U=first, u=last) for first, last in ((1, 5), (6, 9))],
    "chain": [seen("chain", id, prevSeqId=before) for before, id in ((-1, 5), (5, 9))],
    "monotonic": [seen("monotonic", seq) for seq in (1, 20, 30)],
    "none": [seen("none", seq) for seq in (3, None, 1, 1)],
}


def judge(*channels: str) -> OrderingCheck:
    check = OrderingCheck(lambda channel: channel, known_link)
    for channel in channels:
        for observation in STREAMS[channel]:
            assert check.add(observation) == []
    assert check.close() == []
    return check


def test_dialects_name_the_schemes_that_there_are() -> None:
    assert set(SCHEMES) == set(get_args(Scheme)) == set(STREAMS)
    assert all(scheme == lane.scheme for scheme, lane in SCHEMES.items())


def test_each_channel_is_judged_by_its_own_scheme_and_says_what_it_proves() -> None:
    told = judge(*STREAMS).as_json()["channels"]
    assert {
        name: (one["scheme"], one["missing_unit"], one["verified_percent"], one["clean_percent"], one["verdict"])
        for name, one in told.items()
    } == {
        "counter": ("counter", "messages", 100.0, 100.0, "pass"),
        "range": ("range", "update-ids", 100.0, 100.0, "pass"),
        "chain": ("chain", "unknown", 100.0, 100.0, "pass"),
        "monotonic": ("monotonic", "unknown", 0.0, 100.0, "unverifiable"),
        "none": ("none", "unknown", 0.0, None, "unverifiable"),
    }
    for one in told.values():
        assert set(one) == FIXED | {"verdict", "scheme", "missing_unit"}
        assert all(type(one[name]) is int for name in FIXED - {"verified_percent", "clean_percent", "findings"})


def test_all_are_counters_unless_somebody_knows_better() -> None:
    check = OrderingCheck()
    for observation in STREAMS["monotonic"]:
        check.add(observation)
    check.close()
    assert check.channels["monotonic"].scheme == "counter"
    assert check.channels["monotonic"].gaps == 2


@pytest.mark.parametrize(
    ("channels", "verdict"),
    [
        (("counter", "range", "chain"), Verdict.PASS),
        (("counter", "monotonic"), Verdict.UNVERIFIABLE),
        (("range", "none"), Verdict.UNVERIFIABLE),
        (("none",), Verdict.UNVERIFIABLE),
    ],
)
def test_verdict(channels: tuple[str, ...], verdict: Verdict) -> None:
    assert judge(*channels).verdict is verdict


def test_a_failing_channel_fails_the_stream_whatever_cannot_be_verified() -> None:
    check = judge(*STREAMS)
    check.add(seen("monotonic", 7))
    assert check.verdict is Verdict.FAIL


def test_what_nothing_could_show_is_no_metric() -> None:
    assert judge("none").metrics() == {}
    order_only = {"ordering.duplicates", "ordering.reorders", "ordering.regressions", "ordering.resets"}
    assert set(judge("monotonic").metrics()) == order_only | {"ordering.skipped"}
    both = judge("monotonic", "counter", "none").metrics()
    assert set(both) == order_only | {"ordering.skipped", "ordering.gaps", "ordering.missing"}
    assert set(both.values()) == {0}


@pytest.mark.parametrize("scheme", sorted(set(SCHEMES) - {"counter"}))
def test_only_a_counter_takes_the_common_path(scheme: str) -> None:
    """Whose fields the swarm moves by itself; see Connection.on_ws_frame."""
    check = OrderingCheck(lambda channel: scheme, known_link)
    for seq in range(1, 5):
        check.add(seen(scheme, seq, U=seq, prevSeqId=seq - 1))
        lane = check.lane("c1", scheme)
        assert isinstance(lane, Lane)
        assert not lane.calm


def test_heartbeats_and_declared_skips_concern_counters_only() -> None:
    for scheme in SCHEMES:
        check = OrderingCheck(lambda channel, scheme=scheme: scheme, known_link)
        check.add(message(1, {"U": 1, "u": 1, "prevSeqId": -1}))
        channel = message(1, {}).channel
        check.add(Observation(0.0, "c1", channel, "channel:heartbeat", None, None, None, None, {"nextSeq": 5}))
        check.add(Observation(0.0, "c1", channel, "channel:skipped", None, None, None, None, {"from": 5, "to": 9}))
        check.close()
        assert (check.verdict is Verdict.FAIL) == (scheme == "counter")
        assert bool(check.channels[channel or ""].skipped) == (scheme == "counter")

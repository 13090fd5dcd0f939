"""What figures amount to."""

import pytest
from msgspec import structs
from tests.load.seconds import process, second, seconds

from wsctl.errors import UsageError
from wsctl.load.messages import Second, WorkerLost
from wsctl.load.outcome.figures import Figures
from wsctl.load.outcome.verdict import Breach, check_measured, conclude, judge
from wsctl.load.profile import StageSpec
from wsctl.model.expectation import parse_expectation
from wsctl.model.finding import Verdict


def figures(*told: Second) -> Figures:
    made = Figures([StageSpec(hold=60.0)], warmup=0.0, raw=False)
    for one in told:
        made.add(one)
    return made


def concluded(seen: Figures, *expected: str) -> tuple[Verdict, str | None]:
    metrics = seen.metrics()
    return conclude(seen, metrics, judge(map(parse_expectation, expected), metrics, seen.saturated))


GOOD = second(1.0, asked=10, opened=10, received=100, latencies={0.01: 100})


def test_a_load_that_expects_nothing_passes_when_something_came() -> None:
    assert concluded(figures(GOOD)) == (Verdict.PASS, None)


def test_nothing_came_and_nothing_was_expected() -> None:
    seen = figures(second(1.0, asked=10, opened=10, received=0))
    assert concluded(seen) == (Verdict.UNVERIFIABLE, "nothing came, and nothing was expected")


def test_a_missed_expectation_fails() -> None:
    assert concluded(figures(GOOD), "latency.p95 < 5 ms") == (Verdict.FAIL, None)
    assert concluded(figures(GOOD), "latency.p95 < 50 ms") == (Verdict.PASS, None)


def test_what_was_not_measured_fails() -> None:
    assert concluded(figures(GOOD), "fanout.reach >= 99 %")[0] is Verdict.FAIL


def test_latencies_of_a_saturated_generator_are_invalid_also_where_nothing_is_expected_of_them() -> None:
    busy = figures(second(1.0, asked=10, opened=10, received=9, latencies={0.01: 9}, processes=(process(cpu=1.2),)))
    (late, there) = judge(
        [parse_expectation("latency.p95 < 1 s"), parse_expectation("connections.opened == 10")],
        busy.metrics(),
        busy.saturated,
    )
    assert (late.verdict, there.verdict) == (Verdict.INVALID, Verdict.PASS)
    verdict, reason = concluded(busy)
    assert verdict is Verdict.INVALID
    assert reason is not None
    assert "1.20 cores" in reason


NEVER = (second(1.0, users=10, asked=10, opened=6, subscribed=6, open=6), second(3.0, users=10, open=6, received=9))
UNSERVED = (second(1.0, asked=10, opened=10, subscribed=5), second(3.0, received=9, unserved=5))
EVICTED = (
    second(1.0, asked=10, opened=10, subscribed=10, received=9),
    second(3.0, open=1, closed=9, evicted=9),
    second(3.1, open=10, stage=None),
)


@pytest.mark.parametrize(
    ("told", "reason", "waived_by"),
    [
        (NEVER, "4 of 10 connections never came up, which nothing expects", "connections.opened == 6"),
        (
            UNSERVED,
            "5 of 10 connections did not get what they asked for, which nothing expects",
            "connections.subscribed > 4",
        ),
        (
            EVICTED,
            "9 of 10 connections were gone when most were asked for, which nothing expects",
            "connections.evicted == 9",
        ),
        (
            EVICTED,
            "9 of 10 connections were gone when most were asked for, which nothing expects",
            "connections.receiving == 1",
        ),
    ],
)
def test_who_was_not_there_fails_unless_that_very_thing_is_expected(
    told: tuple[Second, ...], reason: str, waived_by: str
) -> None:
    seen = figures(*told)
    others = ("connections.peak >= 1", "messages.received > 0", "connections.asked == 10")
    for expected in ((), others):
        assert concluded(seen, *expected) == (Verdict.FAIL, reason)
    assert concluded(seen, waived_by) == (Verdict.PASS, None)


def test_a_count_of_nothing_expects_no_loss() -> None:
    seen = figures(second(1.0, asked=10, opened=10, closed=0, evicted=0), second(3.0, open=1, received=9, closed=9))
    assert concluded(seen, "connections.evicted == 0")[0] is Verdict.FAIL


def test_who_set_out_just_now_or_is_away_for_a_while_is_not_lost() -> None:
    on_the_way = figures(second(1.0, asked=5, opened=5), second(2.0, asked=5, opened=3, open=8, received=9))
    assert concluded(on_the_way) == (Verdict.PASS, None)
    away = figures(second(1.0, asked=6, opened=6), structs.replace(second(3.0, users=6, received=9), users=10))
    assert concluded(away) == (Verdict.PASS, None)


def test_users_lost_with_a_worker_fail() -> None:
    seen = figures(GOOD)
    seen.lost(WorkerLost(index=1, users=5))
    lost = (Verdict.FAIL, "5 users were lost with their worker, which nothing expects")
    assert concluded(seen) == lost
    assert concluded(seen, "connections.opened == 10", "latency.p95 < 1 s") == lost
    assert concluded(seen, "generator.lost <= 5") == (Verdict.PASS, None)


def test_totals_are_unverifiable_where_not_everything_was_told() -> None:
    metrics = {"messages.received": 90, "errors": 2, "acks.ok": 5, "latency.p95": 0.01, "connections.opened": 10}
    verdicts = {
        "messages.received >= 100": Verdict.UNVERIFIABLE,
        "messages.received >= 80": Verdict.UNVERIFIABLE,
        "errors < 3": Verdict.UNVERIFIABLE,
        "errors == 0": Verdict.FAIL,
        "errors < 2": Verdict.FAIL,
        "acks.ok == 5": Verdict.UNVERIFIABLE,
        "ordering.gaps == 0": Verdict.FAIL,  # not measured at all
        "latency.p95 < 50 ms": Verdict.PASS,
        "connections.opened == 10": Verdict.PASS,
    }
    judged = judge(map(parse_expectation, verdicts), metrics, None, flushed=False)
    assert [one.verdict for one in judged] == list(verdicts.values())
    assert "not every process told all" in (judged[0].reason or "")


@pytest.mark.parametrize(
    ("metric", "server", "target", "message"),
    [
        ("reconnect.success_rate >= 90 %", True, True, "reconnect.success_rate is not measured by a load"),
        ("server.cpu < 90 %", False, True, "server.cpu is measured of servers that wsctl starts"),
        ("target.cpu < 90 %", True, False, "target.cpu is what the target tells itself"),
    ],
)
def test_what_cannot_be_measured_is_told_before(metric: str, server: bool, target: bool, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_measured([parse_expectation(metric)], server=server, target=target)
    check_measured([parse_expectation("latency.p95 < 1 s")], server=False, target=False)


def breaches(expected: str, *told: Second, grace: float = 2.0) -> str | None:
    seen, breach = figures(), Breach([parse_expectation(expected)], grace)
    for one in told:
        seen.add(one)
        if (found := breach.look(seen.rows[-1], seen.metrics())) is not None:
            return found
    return None


SLOW = {0.2: 100}
QUICK = {0.01: 100}


def test_a_breach_is_a_miss_for_longer_than_the_grace() -> None:
    assert breaches("latency.p95 < 50 ms", *seconds(2, latencies=SLOW)) is None
    assert breaches("latency.p95 < 50 ms", *seconds(3, latencies=SLOW)) == (
        "latency.p95 < 50 ms was missed for 2 s: ended early"
    )


def test_a_miss_that_is_mended_begins_anew() -> None:
    told = [second(float(at), latencies=QUICK if at % 3 == 0 else SLOW) for at in range(1, 12)]
    assert breaches("latency.p95 < 50 ms", *told) is None


def test_what_only_grows_is_a_breach_and_what_may_still_come_is_none() -> None:
    assert breaches("errors == 0", *seconds(4, failed=1)) is not None
    assert breaches("connections.receiving == 100", *seconds(9)) is None
    assert breaches("messages.received >= 1_000", *seconds(9, received=1)) is None


def test_the_pace_of_our_own_is_no_loss() -> None:
    """A spike that lasts for two seconds at 50 a second: most users leave before their turn, one on the way."""
    begins = second(1.0, users=20, asked=20, opened=20, subscribed=20, received=20)
    spike = second(2.0, users=320, waiting=250, asked=300, set_out=50, opened=50, subscribed=50)
    more = second(3.0, users=320, waiting=200, set_out=50, opened=48, subscribed=47, left_early=1, left_unserved=1)
    over = second(9.0, users=20, received=20, opened=1, subscribed=1)
    seen = figures(begins, spike, more, over)
    assert concluded(seen) == (Verdict.PASS, None)
    assert seen.without_turn == 200


def test_who_was_let_wait_by_the_target_is_a_loss() -> None:
    seen = figures(second(1.0, users=320, waiting=270, asked=320, set_out=50, opened=20, open=20, received=9))
    seen.add(second(5.0, users=20, left_early=3))
    assert concluded(seen) == (Verdict.FAIL, "27 of 47 connections never came up, which nothing expects")

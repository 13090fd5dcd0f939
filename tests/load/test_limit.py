"""The largest number of connections that keeps a bound, found among targets whose limit is known."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.load.seconds import process, second

from wsctl.errors import UsageError
from wsctl.load.messages import Second
from wsctl.load.outcome.limit import LimitFinder
from wsctl.load.outcome.result import LimitResult
from wsctl.load.profile import JourneySpec, LoadSpec
from wsctl.model.expectation import parse_expectation
from wsctl.model.finding import Verdict

Target = Callable[[float, int], Second]
"""a second of it at a moment, with so many users"""


def find(
    target: Target,
    *,
    most: int = 10_000,
    hold: float = 2.0,
    bound: str = "latency.p95 < 50 ms",
    every: float = 1.0,
    **spec: Any,
) -> tuple[LimitResult, Verdict, str | None]:
    finder = LimitFinder(parse_expectation(bound), LoadSpec(users=most, duration=hold, **spec))
    at = 0.0
    while finder.users is not None:
        at += every
        assert at < 10_000, "it never ends"
        finder.add(target(at, finder.users))
    return finder.result(), *finder.verdict([])


def slow_beyond(limit: int) -> Target:
    """Lets everybody in, and is late with more than so many."""
    return lambda at, users: second(at, users=users, received=users, latencies={0.2 if users > limit else 0.01: 100})


@pytest.mark.parametrize("limit", [100, 777, 1_000, 3_210, 9_000])
def test_it_is_found_to_within_a_twentieth(limit: int) -> None:
    result, verdict, _ = find(slow_beyond(limit))
    assert result.users is not None
    assert result.beyond is not None
    assert result.users <= limit < result.beyond.users
    assert result.beyond.users - result.users <= max(1, result.beyond.users * 0.05)
    assert verdict is Verdict.PASS
    assert result.beyond.reason is not None
    assert result.beyond.reason.startswith("latency.p95 was 200")


def test_a_target_that_holds_all_has_no_beyond() -> None:
    result, verdict, _ = find(slow_beyond(10**9), most=5_000)
    assert (result.users, result.beyond, verdict) == (5_000, None, Verdict.PASS)


def test_not_even_the_smallest() -> None:
    result, verdict, reason = find(slow_beyond(0))
    assert (result.users, verdict) == (None, Verdict.FAIL)
    assert reason is not None
    assert reason.startswith("not even 1: latency.p95 was")


def test_connections_that_do_not_come_up_are_the_limit() -> None:
    def full(at: float, users: int) -> Second:
        causes = {"Too many connections": users - 300} if users > 300 else {}
        return second(at, users=users, open=min(users, 300), received=9, latencies={0.01: 9}, causes=causes)

    result, _, _ = find(full)
    assert result.users == 300
    assert result.beyond is not None
    assert result.beyond.reason is not None
    assert result.beyond.reason.endswith("came up: Too many connections")


def test_a_busy_moment_is_no_limit() -> None:
    tries: dict[int, int] = {}

    def hiccup(at: float, users: int) -> Second:
        tries[users] = tries.get(users, 0) + 1
        return second(at, users=users, received=9, latencies={0.2 if users == 400 and tries[users] < 6 else 0.01: 9})

    result, _, _ = find(hiccup, most=1_000)
    assert result.users == 1_000


@pytest.mark.parametrize(
    ("busy", "every", "limited"),
    [
        ({"cpu": 1.3}, 3, True),  # 0.56 cores on average
        ({"control_cpu": 1.3}, 3, True),  # Locust's own process
        ({"cpu": 9.0}, 10, False),  # 1.07 cores on average
    ],
)
def test_our_own_limit_is_a_share_of_busy_seconds_as_in_any_verdict(
    busy: dict[str, Any], every: int, limited: bool
) -> None:
    def spiky(at: float, users: int) -> Second:
        processes = (process(cpu=0.2) if int(at) % every else process(**busy),)
        return second(at, users=users, received=9, latencies={0.01: 9}, processes=processes)

    result, verdict, reason = find(spiky, most=200, hold=30.0)
    assert (result.users is None) is limited
    assert (verdict, reason is None) == ((Verdict.INVALID, False) if limited else (Verdict.PASS, True))


def test_where_our_own_processes_are_the_limit_nothing_is_known_of_the_target() -> None:
    def ours(at: float, users: int) -> Second:
        busy = (process(cpu=1.0 if users > 500 else 0.2),)
        return second(at, users=users, received=9, latencies={0.01: 9}, processes=busy)

    result, verdict, reason = find(ours)
    assert verdict is Verdict.INVALID
    assert result.users is not None
    assert result.users <= 500
    assert reason is not None
    assert reason.startswith("the clients' own process")


def test_who_is_too_busy_to_dial_finds_no_limit_of_the_target() -> None:
    def ours(at: float, users: int) -> Second:
        busy = (process(cpu=1.0 if users > 300 else 0.2),)
        return second(at, users=users, open=min(users, 300), received=9, latencies={0.01: 9}, processes=busy)

    result, verdict, reason = find(ours, most=400)
    assert (result.users, verdict) == (300, Verdict.INVALID)
    assert reason is not None
    assert reason.startswith("the clients' own process")


def test_busy_while_they_come_is_no_reason_to_doubt_what_is_measured_once_they_are_there() -> None:
    def setting_out(at: float, users: int) -> Second:
        there = min(users, int(at) * 20)
        busy = (process(cpu=1.0 if there < users else 0.2),)
        return second(at, users=users, open=there, received=9, latencies={0.01: 9}, processes=busy)

    result, verdict, _ = find(setting_out, most=200)
    assert (result.users, verdict) == (200, Verdict.PASS)


def test_who_sets_out_seldom_is_waited_for() -> None:
    result, verdict, _ = find(
        lambda at, users: second(at, users=users, open=min(users, int(at / 4)), received=9, latencies={0.01: 9}),
        most=5,
        connect_rate=0.25,
    )
    assert (result.users, verdict) == (5, Verdict.PASS)


def test_a_rate_is_of_the_time_that_went_by() -> None:
    """A process that is late tells of more than a second."""
    late = find(lambda at, users: second(at, users=users, received=150), bound="messages.rate <= 100", every=1.5)[0]
    assert late.users == 10_000


def test_how_late_is_a_percentile_of_all_and_not_a_mean_of_seconds() -> None:
    """Of a hundred moments each second, two are late in one second of ten: 0.2 %."""

    def seldom(at: float, users: int) -> Second:
        late = {0.002: 98, 0.090: 2} if int(at) % 10 == 0 else {0.002: 100}
        return second(at, users=users, processes=(process(late=late),))

    assert find(seldom, bound="generator.lag.p99 < 3 ms", most=100, hold=20.0)[0].users == 100


@pytest.mark.parametrize(("bound", "most"), [("errors == 0", 300), ("generator.cpu < 0.5 cores", None)])
def test_what_did_not_move_was_zero_and_what_nobody_told_was_not(bound: str, most: int | None) -> None:
    """Processes tell a count that stands still only once."""

    def target(at: float, users: int) -> Second:
        counts = {"failed": 0} if at == 1 else {"failed": 5} if users > 300 else {}
        return second(at, users=users, processes=(), **counts)

    assert find(target, bound=bound, most=400)[0].users == most


def test_users_who_come_and_go_have_no_number() -> None:
    with pytest.raises(UsageError, match="returning ones are away for a while"):
        find(slow_beyond(1), journeys=(JourneySpec(do="prices"), JourneySpec(do="returning")))

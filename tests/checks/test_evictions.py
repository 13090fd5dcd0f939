"""Evictions: each way to hit the wrong one is found, and a limit that works raises no alarm."""

import pytest

from wsctl.checks.evictions import EvictionCheck

T0 = 1_763_870_000.0


def begun(at: float) -> EvictionCheck:
    """A check whose measured time has begun."""
    check = EvictionCheck()
    check.begin(at)
    return check


def three_of_alice() -> EvictionCheck:
    """Connections a, b and c, joined at 0, 1 and 2 s."""
    check = begun(T0)
    for second, conn in enumerate("abc"):
        check.joined("alice", conn, T0 + second)
    return check


def oldest_first(check: EvictionCheck, at: float = 60.0) -> float | None:
    return check.metrics(T0 + at).get("limit.evicted_oldest_first")


def survivors(check: EvictionCheck) -> float | None:
    return check.metrics(T0 + 60).get("limit.survivors_receiving")


def test_without_users_nothing_is_measured() -> None:
    check = begun(T0)
    check.refused(T0 + 1)
    check.heard("c1", T0 + 2)
    assert check.metrics(T0 + 3) == {}


def test_without_evictions_the_rate_is_none_and_their_order_unknown() -> None:
    check = three_of_alice()
    for conn in "abc":
        check.heard(conn, T0 + 3)
    assert check.metrics(T0 + 60) == {"limit.survivors_receiving": 1.0, "limit.evictions_rate": 0.0}


def test_without_evictions_a_survivor_is_to_receive_at_all() -> None:
    check = three_of_alice()
    check.heard("a", T0 + 3)
    assert survivors(check) == pytest.approx(1 / 3)


def test_before_any_time_has_passed_there_is_no_rate() -> None:
    check = begun(T0)
    check.joined("alice", "a", T0)
    assert "limit.evictions_rate" not in check.metrics(T0)


def test_the_oldest_is_the_right_one() -> None:
    check = three_of_alice()
    check.evicted("a", T0 + 3)
    check.joined("alice", "d", T0 + 3.01)
    check.evicted("b", T0 + 4)
    check.joined("alice", "e", T0 + 4.01)
    assert oldest_first(check) == 1.0
    assert check.metrics(T0 + 8)["limit.evictions_rate"] == 2 / 8


@pytest.mark.parametrize("victim", ["b", "c", "d"])
def test_any_other_is_a_wrong_one(victim: str) -> None:
    check = three_of_alice()
    check.joined("alice", "d", T0 + 3)
    check.evicted(victim, T0 + 3.01)
    assert oldest_first(check) == 0.0


def test_one_wrong_of_four() -> None:
    check = three_of_alice()
    for second, (victim, newcomer) in enumerate([("a", "d"), ("c", "e"), ("b", "f"), ("d", "g")], 3):
        check.evicted(victim, T0 + second)
        check.joined("alice", newcomer, T0 + second)
    assert oldest_first(check) == 0.75


def test_users_do_not_count_for_each_other() -> None:
    check = three_of_alice()
    check.joined("bob", "x", T0 + 3)
    check.evicted("x", T0 + 4)
    assert oldest_first(check) == 1.0


def test_one_that_left_by_itself_is_no_longer_the_oldest() -> None:
    check = three_of_alice()
    check.ended("a", T0 + 3)
    check.evicted("b", T0 + 4)
    check.ended("b", T0 + 4)  # its end told as well
    assert oldest_first(check) == 1.0


def test_evictions_seen_in_another_order_are_no_alarm() -> None:
    check = three_of_alice()
    check.evicted("b", T0 + 5.000)
    check.evicted("a", T0 + 5.002)
    assert oldest_first(check) == 1.0


def test_an_older_one_that_goes_later_was_passed_over() -> None:
    check = three_of_alice()
    check.evicted("b", T0 + 5.0)
    check.evicted("a", T0 + 5.2)
    assert oldest_first(check) == 0.5


def test_of_two_that_joined_together_either_may_be_the_oldest() -> None:
    check = begun(T0)
    check.joined("alice", "a", T0)
    check.joined("alice", "b", T0 + 0.003)
    check.evicted("b", T0 + 5)
    assert oldest_first(check) == 1.0


def test_an_eviction_of_one_that_was_never_up_cannot_be_judged() -> None:
    check = three_of_alice()
    check.evicted("unknown", T0 + 5)
    assert oldest_first(check) is None
    assert check.metrics(T0 + 10)["limit.evictions_rate"] == 0.1


def test_survivors_are_to_receive_after_the_last_eviction() -> None:
    check = three_of_alice()
    for conn in "abc":
        check.heard(conn, T0 + 3)
    check.joined("alice", "d", T0 + 4)
    check.evicted("a", T0 + 4)
    assert survivors(check) == 0.0
    check.heard("a", T0 + 4.1)  # on its way when it was closed
    check.heard("b", T0 + 5)
    check.heard("d", T0 + 5)
    assert survivors(check) == pytest.approx(2 / 3)
    check.heard("c", T0 + 6)
    assert survivors(check) == 1.0


def test_survivors_are_to_receive_after_the_last_refusal() -> None:
    check = three_of_alice()
    for conn in "abc":
        check.heard(conn, T0 + 3)
    check.refused(T0 + 4)
    check.heard("a", T0 + 5)
    assert survivors(check) == pytest.approx(1 / 3)


def test_nobody_left_is_nothing_measured() -> None:
    check = three_of_alice()
    for conn in "abc":
        check.evicted(conn, T0 + 5)
    assert survivors(check) is None


def test_what_comes_after_the_end_does_not_count() -> None:
    check = three_of_alice()
    check.evicted("a", T0 + 3)
    check.heard("b", T0 + 4)
    check.close(T0 + 5)
    before = check.metrics(T0 + 5)
    assert before == {
        "limit.evicted_oldest_first": 1.0,
        "limit.survivors_receiving": 0.5,
        "limit.evictions_rate": 0.2,
    }
    check.ended("b", T0 + 5)
    check.ended("c", T0 + 5.1)
    check.heard("c", T0 + 5.1)
    check.evicted("c", T0 + 5.2)
    check.refused(T0 + 5.3)
    check.joined("alice", "d", T0 + 5.4)
    assert check.metrics(T0 + 100) == before


def test_a_storm_is_counted_and_leaves_nothing_behind() -> None:
    check = three_of_alice()
    live = ["a", "b", "c"]
    for number in range(10_000):
        at = T0 + 3 + number * 0.1
        check.evicted(live.pop(0), at)
        live.append(f"n{number}")
        check.joined("alice", live[-1], at + 0.001)
    measured = check.metrics(T0 + 1_000)
    assert measured["limit.evicted_oldest_first"] == 1.0
    assert measured["limit.evictions_rate"] == 10.0
    assert (len(check._live), len(check._users["alice"]), check._doubts) == (3, 3, {})


def test_evictions_before_the_measured_time_do_not_count_in_its_rate() -> None:
    check = EvictionCheck()
    check.joined("alice", "c1", T0)
    check.joined("alice", "c2", T0 + 1)
    check.evicted("c1", T0 + 1)
    assert "limit.evictions_rate" not in check.metrics(T0 + 2)
    check.begin(T0 + 2)
    assert check.metrics(T0 + 4)["limit.evictions_rate"] == 0

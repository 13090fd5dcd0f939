"""Reconnection: each way of not coming back is found at its stage, and every legal way back counts."""

import math
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsctl.checks.crossing import Crossed
from wsctl.checks.proportion import lower_bound
from wsctl.checks.reconnection import HERD_BINS, LOSSES_REMEMBERED, WITHIN, Funnel, ReconnectionCheck
from wsctl.model.lifecycle import Lifecycle, Stage

T0 = 1_763_870_000.0
CUT_AT, BACK_AT = 10.0, 13.0
"""seconds after T0: of the fault, and of the service being back"""
END = 60.0
BTC, ETH = "symbol:BTC/USDT:ticker", "symbol:ETH/USDT:ticker"

Script = Callable[["Client"], None]


class Client:
    """One client's story, told to a check."""

    def __init__(self, check: ReconnectionCheck, name: str = "c1", channels: Iterable[str] = (BTC, ETH)) -> None:
        self.check = check
        self.name = name
        self.channels = tuple(channels)
        self.joins = 0

    def stage(self, stage: Stage, at: float, delay: float | None = None) -> None:
        conn = self.name if self.joins < 2 else f"{self.name}.{self.joins}"
        self.check.stage(Lifecycle(at=T0 + at, conn=conn, stage=stage, delay=delay))

    def attempts(self, at: float) -> None:
        self.stage(Stage.ATTEMPT, at)

    def fails(self, at: float) -> None:
        self.attempts(at)
        self.stage(Stage.FAILED, at + 0.1, delay=1.0)

    def joins_at(self, at: float) -> None:
        self.joins += 1
        self.stage(Stage.JOINED, at)

    def subscribes(self, at: float) -> None:
        self.stage(Stage.SUBSCRIBED, at)

    def hears(self, at: float, *channels: str, fresh: bool = True) -> None:
        for channel in channels or self.channels:
            self.check.heard(self.name, channel, T0 + at, fresh)

    def notices(self, at: float = CUT_AT + 0.1, delay: float | None = 1.0) -> None:
        self.stage(Stage.CUT, at, delay)

    def gap(self, at: float) -> None:
        self.check.lost(self.name, T0 + at)

    def comes_up(self, at: float) -> None:
        """Attempt at `at`, open 0.1 s later, subscribed 0.2 s later, fresh 0.3 s later."""
        self.attempts(at)
        self.joins_at(at + 0.1)
        self.subscribes(at + 0.2)
        self.hears(at + 0.3)


def story(script: Script, check: ReconnectionCheck | None = None) -> ReconnectionCheck:
    """A client that was up since 0 and lives through the script."""
    check = check or ReconnectionCheck()
    client = Client(check)
    client.comes_up(0)
    script(client)
    return check


def fault(
    check: ReconnectionCheck,
    *cut: str,
    at: float = CUT_AT,
    back_at: float = BACK_AT,
    within: float = WITHIN,
    silent: bool = False,
) -> None:
    check.fault(T0 + at, T0 + back_at, cut or ("c1",), within, silent=silent)


def after_fault(script: Script) -> ReconnectionCheck:
    check = story(script)
    fault(check)
    return check


def stages(funnel: Funnel | None) -> tuple[int, ...]:
    """How many were cut, noticed, open, subscribed, fresh, consistent and held."""
    assert funnel is not None
    reached = (funnel.noticed, funnel.open, funnel.subscribed, funnel.fresh, funnel.consistent, funnel.held)
    return (funnel.cut, *(one.clients for one in reached))


def recovers(client: Client) -> None:
    client.notices()
    client.comes_up(14)


def test_without_a_fault_nothing_is_measured() -> None:
    check = story(recovers)
    assert (check.metrics(T0 + END), check.funnel(T0 + END), check.notes(T0 + END)) == ({}, None, ())


def test_a_client_that_comes_back() -> None:
    check = after_fault(recovers)
    assert check.metrics(T0 + END) == {
        "reconnect.cut": 1,
        "reconnect.recovered": 1,
        "reconnect.success_rate": 1.0,
        "reconnect.success_rate_lower": pytest.approx(0.05),
        "reconnect.attempts": 1.0,
        "reconnect.time.p50": pytest.approx(4.3),
        "reconnect.time.p95": pytest.approx(4.3),
        "reconnect.time.p99": pytest.approx(4.3),
        "reconnect.detect.p99": pytest.approx(0.1),
        "reconnect.stale.p99": pytest.approx(4.3),
        "reconnect.herd_peak": 1,
        "reconnect.herd_factor": pytest.approx(41.0),
    }
    funnel = check.funnel(T0 + END)
    assert stages(funnel) == (1, 1, 1, 1, 1, 1, 1)
    assert funnel is not None
    times = (funnel.noticed, funnel.open, funnel.subscribed, funnel.fresh, funnel.consistent, funnel.held)
    assert [one.p99 for one in times] == pytest.approx([0.1, 4.1, 4.2, 4.3, 4.3, 4.3], abs=1e-6)
    assert check.notes(T0 + END) == ()


# Failures, planted one by one: what happens to the client, how far it got, and what is said of it.

Planted = tuple[Script, tuple[int, ...], str]


def never_notices(client: Client) -> None:
    """Half-open: it goes on waiting."""


def is_closed_by_us_unaware(client: Client) -> None:
    client.stage(Stage.CLOSED, 50)


def gives_up_at_once(client: Client) -> None:
    client.notices(delay=None)


def gives_up_after_attempts(client: Client) -> None:
    client.notices()
    client.fails(11)
    client.attempts(12)
    client.stage(Stage.FAILED, 12.1)


def fails_for_ever(client: Client) -> None:
    client.notices()
    for second in range(11, 59):
        client.fails(second)


def never_subscribes(client: Client) -> None:
    client.notices()
    client.attempts(14)
    client.joins_at(14.1)
    client.hears(14.2)


def hears_nothing(client: Client) -> None:
    client.notices()
    client.attempts(14)
    client.joins_at(14.1)
    client.subscribes(14.2)


def hears_one_channel_of_two(client: Client) -> None:
    hears_nothing(client)
    client.hears(14.3, ETH)


def hears_only_what_it_knew(client: Client) -> None:
    hears_nothing(client)
    client.hears(14.3, fresh=False)


def hears_each_channel_on_another_connection(client: Client) -> None:
    hears_nothing(client)
    client.hears(14.3, ETH)
    client.notices(15)
    client.attempts(16)
    client.joins_at(16.1)
    client.subscribes(16.2)
    client.hears(16.3, BTC)


def has_a_gap(client: Client) -> None:
    client.notices()
    client.attempts(14)
    client.joins_at(14.1)
    client.hears(14.15)
    client.gap(14.15)
    client.subscribes(14.2)


def has_a_gap_in_the_last_message_it_needed(client: Client) -> None:
    recovers(client)
    client.gap(14 + 0.3)


def has_a_gap_found_late(client: Client) -> None:
    recovers(client)
    client.hears(15)
    client.gap(14.25)


def has_a_gap_within_the_hold(client: Client) -> None:
    recovers(client)
    client.gap(19.2)


def is_cut_within_the_hold(client: Client) -> None:
    recovers(client)
    client.notices(19.2)


def is_closed_by_us_within_the_hold(client: Client) -> None:
    recovers(client)
    client.stage(Stage.CLOSED, 19.2)


def comes_back_too_late(client: Client) -> None:
    client.notices()
    client.comes_up(42.8)


def opens_in_time_and_subscribes_too_late(client: Client) -> None:
    client.notices()
    client.attempts(42)
    client.joins_at(42.5)
    client.subscribes(43.1)
    client.hears(43.2)


def notices_too_late(client: Client) -> None:
    client.notices(44)


PLANTED: dict[str, Planted] = {
    "never notices": (never_notices, (1, 0, 0, 0, 0, 0, 0), "1 never noticed"),
    "closed by us, unaware": (is_closed_by_us_unaware, (1, 0, 0, 0, 0, 0, 0), "1 never noticed"),
    "gives up at once": (gives_up_at_once, (1, 1, 0, 0, 0, 0, 0), "1 gave up"),
    "gives up after attempts": (gives_up_after_attempts, (1, 1, 0, 0, 0, 0, 0), "1 gave up"),
    "fails for ever": (fails_for_ever, (1, 1, 0, 0, 0, 0, 0), "1 did not connect"),
    "notices too late": (notices_too_late, (1, 0, 0, 0, 0, 0, 0), "1 did not connect"),
    "never subscribes": (never_subscribes, (1, 1, 1, 0, 0, 0, 0), "1 did not subscribe"),
    "hears nothing": (hears_nothing, (1, 1, 1, 1, 0, 0, 0), "1 without fresh data on every channel"),
    "one channel of two": (hears_one_channel_of_two, (1, 1, 1, 1, 0, 0, 0), "1 without fresh data on every channel"),
    "only what it knew": (hears_only_what_it_knew, (1, 1, 1, 1, 0, 0, 0), "1 without fresh data on every channel"),
    "each channel on another connection": (
        hears_each_channel_on_another_connection,
        (1, 1, 1, 1, 0, 0, 0),
        "1 without fresh data on every channel",
    ),
    "a gap": (has_a_gap, (1, 1, 1, 1, 1, 0, 0), "1 with a gap"),
    "a gap in the last message": (has_a_gap_in_the_last_message_it_needed, (1, 1, 1, 1, 1, 0, 0), "1 with a gap"),
    "a gap found late": (has_a_gap_found_late, (1, 1, 1, 1, 1, 0, 0), "1 with a gap"),
    "a gap within the hold": (has_a_gap_within_the_hold, (1, 1, 1, 1, 1, 1, 0), "1 did not last 5 s"),
    "cut within the hold": (is_cut_within_the_hold, (1, 1, 1, 1, 1, 1, 0), "1 did not last 5 s"),
    "closed within the hold": (is_closed_by_us_within_the_hold, (1, 1, 1, 1, 1, 1, 0), "1 did not last 5 s"),
    "comes back too late": (comes_back_too_late, (1, 1, 1, 1, 0, 0, 0), "1 came back later"),
    "subscribes too late": (opens_in_time_and_subscribes_too_late, (1, 1, 1, 0, 0, 0, 0), "1 came back later"),
}


@pytest.mark.parametrize(("script", "reached", "why"), PLANTED.values(), ids=PLANTED)
def test_a_failure_is_found_at_its_stage(script: Script, reached: tuple[int, ...], why: str) -> None:
    check = after_fault(script)
    measured = check.metrics(T0 + END)
    assert measured["reconnect.cut"] == 1
    assert measured["reconnect.recovered"] == 0
    assert measured["reconnect.success_rate"] == measured["reconnect.success_rate_lower"] == 0.0
    assert measured["reconnect.time.p95"] == measured["reconnect.time.p99"] == math.inf
    assert "reconnect.attempts" not in measured
    assert stages(check.funnel(T0 + END)) == reached
    assert check.notes(T0 + END) == (f"1 of 1 client was not back in time: {why}",)


# Legal ways back: nothing may be held against them.


def fails_at_first(client: Client) -> None:
    client.notices()
    for second in (11, 12, 13):
        client.fails(second)
    client.comes_up(20)


def is_back_at_the_last_moment(client: Client) -> None:
    client.notices()
    client.comes_up(42.5)


def hears_before_it_is_joined_and_subscribed(client: Client) -> None:
    client.notices()
    client.attempts(14)
    client.hears(14.05)
    client.joins_at(14.1)
    client.subscribes(14.3)


def hears_stale_data_first(client: Client) -> None:
    client.notices()
    client.attempts(14)
    client.joins_at(14.1)
    client.subscribes(14.2)
    client.hears(14.25, fresh=False)
    client.hears(14.3)


def has_a_gap_after_the_hold(client: Client) -> None:
    recovers(client)
    client.gap(19.4)


def is_cut_again_after_the_hold(client: Client) -> None:
    recovers(client)
    client.notices(19.4)
    client.fails(20)
    client.attempts(21)
    client.stage(Stage.FAILED, 21.1)


def is_closed_by_us_after_the_hold(client: Client) -> None:
    recovers(client)
    client.stage(Stage.CLOSED, 19.4)


def had_a_gap_before_the_fault(client: Client) -> None:
    client.gap(9)
    recovers(client)


def had_a_hole_open_when_it_was_cut(client: Client) -> None:
    client.notices()
    client.attempts(14)
    client.gap(9.99)  # told when the snapshot after the reconnection closes it
    client.joins_at(14.1)
    client.subscribes(14.2)
    client.hears(14.3)


def listens_to_more_than_before(client: Client) -> None:
    recovers(client)
    client.hears(14.3, "announcement")


def holds_at_the_second_try(client: Client) -> None:
    client.notices()
    client.comes_up(14)
    client.notices(16)
    client.comes_up(17)


def has_a_gap_and_comes_back_once_more(client: Client) -> None:
    has_a_gap(client)
    client.notices(16)
    client.comes_up(17)


LEGAL: dict[str, tuple[Script, float, float]] = {
    "at once": (recovers, 4.3, 1),
    "after failures": (fails_at_first, 10.3, 4),
    "at the last moment": (is_back_at_the_last_moment, 32.8, 1),
    "data before the answers": (hears_before_it_is_joined_and_subscribed, 4.3, 1),
    "stale data first": (hears_stale_data_first, 4.3, 1),
    "a gap after the hold": (has_a_gap_after_the_hold, 4.3, 1),
    "cut again after the hold": (is_cut_again_after_the_hold, 4.3, 1),
    "closed by us after the hold": (is_closed_by_us_after_the_hold, 4.3, 1),
    "a gap before the fault": (had_a_gap_before_the_fault, 4.3, 1),
    "a hole open when it was cut": (had_a_hole_open_when_it_was_cut, 4.3, 1),
    "a new channel": (listens_to_more_than_before, 4.3, 1),
    "held at the second try": (holds_at_the_second_try, 7.3, 2),
    "a gap, and back once more": (has_a_gap_and_comes_back_once_more, 7.3, 2),
}


@pytest.mark.parametrize(("script", "time", "attempts"), LEGAL.values(), ids=LEGAL)
def test_a_legal_way_back_is_no_failure(script: Script, time: float, attempts: float) -> None:
    check = after_fault(script)
    measured = check.metrics(T0 + END)
    assert (measured["reconnect.cut"], measured["reconnect.recovered"]) == (1, 1)
    assert measured["reconnect.time.p99"] == pytest.approx(time)
    assert measured["reconnect.attempts"] == attempts
    assert stages(check.funnel(T0 + END)) == (1, 1, 1, 1, 1, 1, 1)
    assert check.notes(T0 + END) == ()


@pytest.mark.parametrize("script", [script for script, *_ in (*PLANTED.values(), *LEGAL.values())])
@pytest.mark.parametrize("told_at", [CUT_AT, 10.05, 10.5, 14.12, 14.5, 16.5, END])
def test_it_does_not_matter_when_the_fault_is_told(script: Script, told_at: float) -> None:
    """The word comes over a pipe: before the client's own stages, between them or after all of them."""

    class Told(ReconnectionCheck):
        told = False

        def passes(self, at: float) -> None:
            if not self.told and at >= T0 + told_at:
                self.told = True
                fault(self)

        def stage(self, lifecycle: Lifecycle) -> None:
            self.passes(lifecycle.at)
            super().stage(lifecycle)

        def heard(self, client: str, channel: str, at: float, fresh: bool) -> None:
            self.passes(at)
            super().heard(client, channel, at, fresh)

    check = Told()
    story(script, check)
    check.passes(T0 + END)
    expected = after_fault(script)
    assert check.metrics(T0 + END) == expected.metrics(T0 + END)
    assert check.funnel(T0 + END) == expected.funnel(T0 + END)
    assert check.notes(T0 + END) == expected.notes(T0 + END)


def test_being_back_counts_once_it_has_held() -> None:
    check = after_fault(recovers)
    assert check.metrics(T0 + 19.29)["reconnect.recovered"] == 0
    assert stages(check.funnel(T0 + 19.29)) == (1, 1, 1, 1, 1, 1, 0)
    assert check.metrics(T0 + 19.31)["reconnect.recovered"] == 1


def test_a_gap_told_late_takes_a_recovery_back() -> None:
    check = after_fault(recovers)
    assert check.metrics(T0 + 19.31)["reconnect.recovered"] == 1
    check.lost("c1", T0 + 19.0)
    assert check.metrics(T0 + 20)["reconnect.recovered"] == 0


def test_every_limit_is_in_time() -> None:
    """In quarters of a second, which add up exactly: noticed in the instant of the fault, back at W, for H."""

    def back_until(end: float, back_at: float = BACK_AT + 30) -> dict[str, float]:
        check = ReconnectionCheck()
        client = Client(check)
        client.comes_up(0)
        client.notices(CUT_AT)
        client.attempts(BACK_AT)
        client.joins_at(back_at)
        client.subscribes(back_at)
        client.hears(back_at)
        client.notices(end)
        fault(check)
        return dict(check.metrics(T0 + 100))

    assert back_until(BACK_AT + 35)["reconnect.recovered"] == 1
    assert back_until(BACK_AT + 34.75)["reconnect.recovered"] == 0
    assert back_until(BACK_AT + 36, back_at=BACK_AT + 30.25)["reconnect.recovered"] == 0


def test_messages_and_gaps_of_nobody_in_particular_do_not_matter() -> None:
    check = ReconnectionCheck()
    check.heard("c1", BTC, T0, True)
    check.lost("c1", T0)
    client = Client(check)
    client.comes_up(0)
    client.notices()
    client.hears(10.2)
    client.gap(10.2)
    client.comes_up(14)
    fault(check)
    assert check.metrics(T0 + END)["reconnect.recovered"] == 1


# The population


def never_joined(client: Client) -> None:
    client.attempts(0)


def joined_without_subscribing(client: Client) -> None:
    client.attempts(0)
    client.joins_at(0.1)
    client.hears(0.2)


def subscribed_without_hearing(client: Client) -> None:
    client.attempts(0)
    client.joins_at(0.1)
    client.subscribes(0.2)


def heard_only_after_the_fault(client: Client) -> None:
    subscribed_without_hearing(client)
    client.hears(10.05)
    client.notices()
    client.comes_up(14)


def was_away_already(client: Client) -> None:
    client.comes_up(0)
    client.notices(9)
    client.comes_up(14)


def had_closed(client: Client) -> None:
    client.comes_up(0)
    client.stage(Stage.CLOSED, 9)


@pytest.mark.parametrize(
    "script",
    [
        never_joined,
        joined_without_subscribing,
        subscribed_without_hearing,
        heard_only_after_the_fault,
        was_away_already,
        had_closed,
    ],
)
def test_who_was_not_open_subscribed_and_receiving_is_not_counted(script: Script) -> None:
    check = ReconnectionCheck()
    script(Client(check))
    fault(check)
    assert check.metrics(T0 + END).get("reconnect.cut") == 0
    assert "reconnect.success_rate" not in check.metrics(T0 + END)
    assert check.funnel(T0 + END) is None
    assert check.notes(T0 + END) == (
        "1 cut client is not counted: not open, subscribed and receiving when the fault came",
    )


def test_strangers_are_not_counted() -> None:
    check = story(recovers)
    fault(check, "c1", "x1", "x2")
    assert check.metrics(T0 + END)["reconnect.cut"] == 1
    assert check.notes(T0 + END) == (
        "2 cut clients are not counted: not open, subscribed and receiving when the fault came",
    )


def test_clients_that_the_fault_spared_are_not_counted() -> None:
    check = story(recovers)
    Client(check, "c2").comes_up(0)
    fault(check)
    assert check.metrics(T0 + END)["reconnect.cut"] == 1


def test_a_connection_is_cut_once() -> None:
    check = story(never_notices)
    fault(check)
    fault(check, at=10.5)
    assert check.metrics(T0 + END)["reconnect.cut"] == 1


def test_first_connections_are_no_attempts_to_come_back() -> None:
    check = ReconnectionCheck()
    clients = [Client(check, f"c{number}") for number in range(1, 11)]
    for client in clients:
        client.comes_up(0)
    fault(check, "c1")
    clients[0].notices()
    Client(check, "late").comes_up(12)
    assert "reconnect.herd_factor" not in check.metrics(T0 + END)


# Many clients, several faults


def test_a_crowd_with_three_failures() -> None:
    check = ReconnectionCheck()
    clients = [Client(check, f"c{number}") for number in range(1, 1_501)]
    for client in clients:
        client.comes_up(0)
    for number, client in enumerate(clients):
        if number < 2:
            continue
        client.notices(delay=None if number == 2 else 1.0)
        if number > 2:
            client.comes_up(13 + number / 1_000)
    fault(check, *(client.name for client in clients))
    measured = check.metrics(T0 + END)
    assert measured["reconnect.cut"] == 1_500
    assert measured["reconnect.recovered"] == 1_497
    assert measured["reconnect.success_rate"] == 1_497 / 1_500
    assert measured["reconnect.success_rate_lower"] == lower_bound(1_497, 1_500)
    # Rank 1,485 of 1,500 in ascending order: numbers 3 to 1,499 are back, so number 1,487.
    assert measured["reconnect.time.p99"] == pytest.approx(3 + 1.487 + 0.3)
    assert check.notes(T0 + END) == ("3 of 1,500 clients were not back in time: 2 never noticed, 1 gave up",)
    assert stages(check.funnel(T0 + END)) == (1_500, 1_498, 1_497, 1_497, 1_497, 1_497, 1_497)


def test_percentiles_count_those_not_back_as_infinite() -> None:
    check = ReconnectionCheck()
    clients = [Client(check, f"c{number}") for number in range(100)]
    for client in clients:
        client.comes_up(0)
    for client in clients[:98]:
        client.notices()
        client.comes_up(14)
    fault(check, *(client.name for client in clients))
    measured = check.metrics(T0 + END)
    assert measured["reconnect.time.p95"] == pytest.approx(4.3)
    assert measured["reconnect.time.p99"] == math.inf


def test_the_herd_is_told_from_a_crowd_that_spreads() -> None:
    def herd(attempts: Iterable[float]) -> float:
        check = ReconnectionCheck()
        for number, at in enumerate(attempts):
            client = Client(check, f"c{number}")
            client.comes_up(0)
            client.notices()
            client.comes_up(at)
        fault(check, "c0")
        return check.metrics(T0 + END)["reconnect.herd_factor"]

    assert herd(10.05 + number / 10 for number in range(100)) == 1.0
    assert herd([*[15.05] * 99, 19.95]) == pytest.approx(99.0)  # 100 bins, 1 attempt each on average


def test_the_herd_is_that_of_the_worst_fault() -> None:
    check = ReconnectionCheck()
    clients = [Client(check, f"c{number}") for number in range(10)]
    for client in clients:
        client.comes_up(0)
    for at, apart in ((10, 0.1), (30, 0.0), (50, 0.1)):
        for number, client in enumerate(clients):
            client.notices(at + 0.05)
            client.comes_up(at + 1.05 + number * apart)
        fault(check, "c0", at=at, back_at=at)
    # All ten in the eleventh bin after the fault; the other times each in one of twenty.
    assert check.metrics(T0 + END)["reconnect.herd_factor"] == pytest.approx(11.0)


def test_faults_are_counted_apart_and_summed() -> None:
    check = ReconnectionCheck()
    steady, weak = Client(check, "c1"), Client(check, "c2")
    for client in (steady, weak):
        client.comes_up(0)
        client.notices()
        client.comes_up(13)
    fault(check, "c1", "c2")
    for client in (steady, weak):
        client.notices(30.1)
    steady.comes_up(33)
    fault(check, "c1", "c2", at=30, back_at=32)
    measured = check.metrics(T0 + 70)
    assert (measured["reconnect.cut"], measured["reconnect.recovered"]) == (4, 3)
    assert check.notes(T0 + 70) == ("1 of 4 clients was not back in time: 1 did not connect",)


def test_a_second_fault_within_the_hold_of_the_first_concerns_both() -> None:
    check = story(recovers)
    fault(check)
    client = Client(check)
    client.notices(16.1)
    client.comes_up(17)
    fault(check, at=16, back_at=16)
    measured = check.metrics(T0 + END)
    assert (measured["reconnect.cut"], measured["reconnect.recovered"]) == (2, 2)
    assert measured["reconnect.time.p99"] == pytest.approx(7.3)  # from 10 to 17.3; the other from 16
    assert measured["reconnect.attempts"] == 1.5


@given(st.floats(1, 40), st.floats(0.5, 10), st.floats(0, 50))
def test_back_in_time_and_for_long_enough_or_not_at_all(within: float, hold: float, back_after: float) -> None:
    check = ReconnectionCheck(hold)
    client = Client(check)
    client.comes_up(0)
    client.notices()
    client.comes_up(BACK_AT + back_after)
    fault(check, within=within)
    consistent_at = T0 + BACK_AT + back_after + 0.3
    in_time = consistent_at <= T0 + BACK_AT + within
    assert check.metrics(consistent_at + hold - 0.01)["reconnect.recovered"] == 0
    assert check.metrics(consistent_at + hold + 0.01)["reconnect.recovered"] == in_time


def test_attempts_that_came_to_nothing_do_not_push_out_the_connection_that_was_cut() -> None:
    check = story(Client.notices)
    client = Client(check)
    for second in range(11, 30):
        client.attempts(second)
        client.joins_at(second + 0.1)
        client.hears(second + 0.15)
        client.notices(second + 0.2)
    fault(check)
    assert check.metrics(T0 + END)["reconnect.cut"] == 1


def test_memory_is_bounded_whatever_a_client_does() -> None:
    check = ReconnectionCheck()
    client = Client(check)
    for number in range(HERD_BINS + 1_000):
        client.comes_up(number)
        client.notices(number + 0.5)
    known = check._clients["c1"]
    assert len(known.unclaimed) == LOSSES_REMEMBERED
    assert known.claimed == []
    assert len(check._attempts) == HERD_BINS


def test_each_fault_has_its_own_time_to_be_back_in() -> None:
    """Back 1 s after each of two outages: in time for the one that grants 10 s, too late where 200 ms are granted."""
    check = ReconnectionCheck()
    client = Client(check)
    client.comes_up(0)
    client.notices(10)
    client.comes_up(14)
    client.notices(25)
    client.comes_up(29)
    fault(check, at=10, back_at=13, within=10)
    fault(check, at=25, back_at=28, within=0.2)
    measured = check.metrics(T0 + END)
    assert (measured["reconnect.cut"], measured["reconnect.recovered"]) == (2, 1)


# Silenced for a while, and not cut: from CUT_AT to BACK_AT


def hears_again(client: Client) -> None:
    client.hears(13.1)


def hears_again_and_is_cut_later(client: Client) -> None:
    client.hears(13.1)
    client.notices(18.1)


def hears_again_of_one_who_tells_only_the_latest(client: Client) -> None:
    client.check.alive("c1", T0 + 17)


@pytest.mark.parametrize(
    "script", [hears_again, hears_again_and_is_cut_later, hears_again_of_one_who_tells_only_the_latest]
)
@pytest.mark.parametrize("is_told_first", [True, False])
def test_who_outlived_a_silence_was_not_cut(script: Script, is_told_first: bool) -> None:
    def told(client: Client) -> None:
        if is_told_first:
            fault(client.check, silent=True)
        script(client)

    check = story(told)
    if not is_told_first:
        fault(check, silent=True)
    assert check.metrics(T0 + END)["reconnect.cut"] == 0
    assert check.notes(T0 + END) == ("1 silenced client is not counted as cut: the connection outlived the silence",)


def hears_nothing_any_more(client: Client) -> None:
    """Nor does it end."""


def hears_the_last_of_what_was_under_way(client: Client) -> None:
    client.hears(10.01)


def ends_while_it_is_silent(client: Client) -> None:
    client.notices(12)


def hears_the_rest_and_ends(client: Client) -> None:
    client.hears(13.1)
    client.notices(13.2)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (hears_nothing_any_more, "1 never noticed"),
        (hears_the_last_of_what_was_under_way, "1 never noticed"),
        (ends_while_it_is_silent, "1 did not connect"),
        (hears_the_rest_and_ends, "1 did not connect"),
    ],
)
def test_who_did_not_outlive_a_silence_was_cut(script: Script, why: str) -> None:
    check = story(script)
    fault(check, silent=True)
    assert check.metrics(T0 + END)["reconnect.cut"] == 1
    assert check.notes(T0 + END) == (f"1 of 1 client was not back in time: {why}",)


def test_data_after_a_fault_that_cuts_does_not_excuse_who_never_noticed() -> None:
    check = story(hears_again)
    fault(check)
    assert check.notes(T0 + END) == ("1 of 1 client was not back in time: 1 never noticed",)


def test_who_outlived_a_silence_is_there_to_be_cut_by_the_next_fault() -> None:
    def script(client: Client) -> None:
        fault(client.check, silent=True)
        client.hears(13.1)
        fault(client.check, at=20, back_at=20)
        client.notices(20.1)
        client.comes_up(21)

    check = story(script)
    measured = check.metrics(T0 + END)
    assert (measured["reconnect.cut"], measured["reconnect.recovered"]) == (1, 1)


def test_messages_across_the_cut_are_those_of_the_way_back() -> None:
    """Over all connections until it is back for good, and of who was cut; what nothing could show is absent."""

    def script(client: Client) -> None:
        client.check.across("c1", Crossed(100, 100, 100))  # on the connection that is lost: of an earlier cut
        client.notices()
        client.comes_up(14)
        client.check.across("c1", Crossed(3, None, 1))
        client.notices(15)
        client.comes_up(16)
        client.check.across("c1", Crossed(2, None, None))
        client.notices(30)
        client.comes_up(31)
        client.check.across("c1", Crossed(50, None, 50))

    check = after_fault(script)
    measured = check.metrics(T0 + END)
    assert {name: measured.get(f"reconnect.{name}") for name in ("lost", "replayed", "duplicated")} == {
        "lost": 5,
        "replayed": None,
        "duplicated": 1,
    }
    assert "messages across the cut: 5 lost, 1 received twice" in check.notes(T0 + END)
    check.across("nobody", Crossed(1, 1, 1))


def test_the_funnel_in_words() -> None:
    check = ReconnectionCheck()
    client = Client(check)
    client.comes_up(0)
    client.notices()
    client.comes_up(BACK_AT + 1)
    fault(check)
    words = str(check.funnel(T0 + END))
    assert words.startswith("of 1 cut: noticed 1, open 1, subscribed 1, fresh 1, consistent 1, held 1; back after p50 ")

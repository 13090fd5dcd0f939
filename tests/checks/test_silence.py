"""Silence: the longest one is found on whatever channel, and talk is never one."""

from wsctl.checks.silence import SilenceCheck

T0 = 1_763_870_000.0
BTC, ETH = "symbol:BTC/USDT:ticker", "symbol:ETH/USDT:ticker"


def test_nothing_expected_is_nothing_measured() -> None:
    check = SilenceCheck(5.0)
    check.heard(BTC, T0)
    assert (check.deadline(), check.overdue(T0 + 60), check.longest(T0 + 60), check.metrics(T0 + 60)) == (
        None,
        (),
        None,
        {},
    )


def test_a_channel_that_talks_is_never_overdue() -> None:
    check = SilenceCheck(5.0)
    check.expects(BTC, T0)
    for second in range(1, 100):
        assert check.overdue(T0 + second) == ()
        check.heard(BTC, T0 + second)
    assert check.metrics(T0 + 99.5) == {"silence.max": 1.0}


def test_finds_the_one_that_fell_silent_among_those_that_talk() -> None:
    check = SilenceCheck(5.0)
    check.expects(BTC, T0)
    check.expects(ETH, T0)
    for second in range(1, 7):
        check.heard(BTC, T0 + second)
        if second == 1:
            check.heard(ETH, T0 + second)
    assert check.deadline() == T0 + 6
    assert check.overdue(T0 + 5.999) == ()
    assert check.overdue(T0 + 6) == (ETH,)
    assert check.longest(T0 + 6.5) == 5.5


def test_one_that_never_spoke_is_silent_from_when_it_was_expected() -> None:
    check = SilenceCheck(2.0)
    check.expects(BTC, T0 + 10)
    assert check.overdue(T0 + 11) == ()
    assert check.overdue(T0 + 12) == (BTC,)


def test_a_silence_that_ended_is_remembered_but_not_overdue() -> None:
    check = SilenceCheck(2.0)
    check.expects(BTC, T0)
    check.heard(BTC, T0 + 7)
    check.heard(BTC, T0 + 8)
    assert check.overdue(T0 + 8) == ()
    assert check.metrics(T0 + 8) == {"silence.max": 7.0}


def test_subscribing_again_does_not_end_a_silence() -> None:
    check = SilenceCheck(2.0)
    check.expects(BTC, T0)
    check.expects(BTC, T0 + 1.5)
    assert check.overdue(T0 + 2) == (BTC,)


def test_a_message_told_late_does_not_turn_time_back() -> None:
    check = SilenceCheck(2.0)
    check.expects(BTC, T0)
    check.heard(BTC, T0 + 1)
    check.heard(BTC, T0 + 0.5)
    assert check.deadline() == T0 + 3
    assert check.longest(T0 + 1) == 1.0


def test_at_its_deadline_a_channel_is_overdue_whatever_the_rounding() -> None:
    check = SilenceCheck(0.1)
    for step in range(1000):
        check.expects(f"symbol:{step}:ticker", T0 + step * 0.7)
    for _ in range(1000):
        deadline = check.deadline()
        assert deadline is not None
        late = check.overdue(deadline)
        assert len(late) == 1
        check.heard(late[0], T0 + 10_000)


def test_without_a_limit_nothing_is_overdue_and_all_is_measured() -> None:
    check = SilenceCheck()
    check.expects(BTC, T0)
    assert (check.deadline(), check.overdue(T0 + 1e6)) == (None, ())
    assert check.metrics(T0 + 3) == {"silence.max": 3.0}

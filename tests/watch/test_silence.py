"""Which channels are expected to speak, on a clock made up here."""

from tests.watch.seen import BTC, ETH, T0, message
from wsctl.watch.silence import ANY, Silence


def asked(*channels: str, limit: float | None = 5.0) -> Silence:
    """Subscribed at T0."""
    silence = Silence(channels, limit)
    silence.begin(T0)
    return silence


def test_nothing_is_expected_before_the_subscription() -> None:
    silence = Silence((BTC,), 5.0)
    assert (silence.deadline(), silence.overdue(T0 + 60), silence.longest(T0 + 60)) == (None, (), None)


def test_a_feed_that_never_says_anything() -> None:
    """No channel of it is known: something should have come."""
    silence = asked(BTC)
    assert silence.deadline() == T0 + 5
    assert silence.overdue(T0 + 4.9) == ()
    assert silence.overdue(T0 + 5) == (ANY,)
    assert silence.longest(T0 + 7) == 7


def test_a_channel_that_stops_while_another_goes_on() -> None:
    silence = asked(BTC, ETH)
    for second in range(1, 7):
        silence.heard(message(second, second))
        if second == 1:
            silence.heard(message(second, second, channel=ETH))
    assert silence.deadline() == T0 + 6
    assert silence.overdue(T0 + 6) == (ETH,)


def test_a_channel_that_never_speaks_while_another_does() -> None:
    """Expected since the subscription, as the other one shows that the feed names channels as they were asked for."""
    silence = asked(BTC, ETH)
    silence.heard(message(4, 1))
    assert silence.overdue(T0 + 5) == (ETH,)


def test_a_feed_that_names_its_channels_otherwise() -> None:
    """What was asked for never comes under its name, and that is no silence."""
    silence = asked(BTC)
    for second in range(1, 20):
        silence.heard(message(second, second, channel="btc"))
        assert silence.overdue(T0 + second) == ()
    assert silence.overdue(T0 + 24) == ("btc",)


def test_events_without_a_channel() -> None:
    """Each is a stream from its second message on; a greeting comes once."""
    silence = asked(BTC)
    silence.heard(message(0, None, channel=None, event="welcome"))
    for second in range(1, 10):
        silence.heard(message(second, None, channel=None, event="price"))
        if second <= 7:
            silence.heard(message(second, None, channel=None, event="book"))
    assert silence.overdue(T0 + 9) == ()
    assert silence.overdue(T0 + 12) == ("book",)
    assert silence.overdue(T0 + 14) == ("price", "book")


def test_a_feed_without_channels_that_speaks_once() -> None:
    """Then the feed as a whole is silent."""
    silence = asked(BTC)
    silence.heard(message(1, None, channel=None, event="price"))
    assert silence.overdue(T0 + 6) == (ANY,)


def test_channels_that_may_be_silent_for_hours() -> None:
    """Somebody's notifications are expected no more than announcements are; but something is."""
    silence = asked("announcement", "user:alice:notifications")
    silence.heard(message(1, 1, channel="announcement"))
    silence.heard(message(2, 1, channel="user:alice:notifications"))
    silence.heard(message(3, 1, channel="bot:alice-bot-1:metrics"))
    assert silence.overdue(T0 + 7.9) == ()
    assert silence.overdue(T0 + 8) == (ANY,)


def test_a_subscription_anew_excuses_nothing() -> None:
    """Silence goes on over a lost connection."""
    silence = asked(BTC)
    silence.heard(message(1, 1))
    silence.begin(T0 + 4)
    assert silence.overdue(T0 + 6) == (BTC,)


def test_without_a_limit_silence_is_measured_all_the_same() -> None:
    silence = asked(BTC, limit=None)
    silence.heard(message(1, 1))
    silence.heard(message(9, 2))
    assert (silence.deadline(), silence.overdue(T0 + 60), silence.longest(T0 + 10)) == (None, (), 8)

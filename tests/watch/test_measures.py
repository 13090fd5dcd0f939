"""What one client says of its feed in numbers; what was not measured is absent."""

import pytest
from msgspec import structs

from tests.watch.seen import BTC, ETH, T0, HandClock, heartbeat, message, stage
from wsctl.errors import Denied, Refused, Unserved
from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.model.metrics import METRICS
from wsctl.model.observation import Observation
from wsctl.watch.measures import MEASURED, Measures
from wsctl.wire.dialects import dialect_named

CONNECTED = (stage(0, Stage.ATTEMPT), stage(0.1, Stage.JOINED, transport="websocket"), stage(0.2, Stage.SUBSCRIBED))


def measured(*items: Observation | Lifecycle, until: float = 10.0) -> dict[str, float]:
    """The metrics of a client that saw all this and stopped listening then."""
    clock = HandClock()
    measures = Measures(clock)
    for item in items:
        measures.add(item)
    clock.time = until
    measures.close()
    clock.time = until + 60  # a report takes its time, and changes nothing
    return measures.metrics()


def test_every_name_is_of_the_vocabulary() -> None:
    found = measured(*CONNECTED, message(1, 1, data={"sourceTime": (T0 + 0.9) * 1000}), message(2, 2))
    assert found.keys() <= METRICS.keys()
    assert found.keys() <= MEASURED
    assert METRICS.keys() >= MEASURED


def test_nothing_happened() -> None:
    """Counts are zero; times, rates and orders are absent."""
    found = measured()
    assert found["connections.asked"] == 1
    assert {name for name, value in found.items() if value} == {"connections.asked"}
    families = {name.partition(".")[0] for name in found}
    assert families == {"connections", "auth", "messages", "errors"}
    assert "messages.rate" not in found


def test_a_quiet_life() -> None:
    """One connection, ten messages in ten seconds."""
    found = measured(*CONNECTED, *(message(second, second) for second in range(1, 11)), until=10.2)
    assert {name: found[name] for name in found if name.startswith(("connections.", "messages.", "errors"))} == {
        "connections.asked": 1,
        "connections.opened": 1,
        "connections.subscribed": 1,
        "connections.receiving": 1,
        "connections.polling": 0,
        "connections.peak": 1,
        "connections.refused": 0,
        "connections.evicted": 0,
        "connections.closed": 0,
        "messages.received": 10,
        "messages.rate": 1.0,
        "errors": 0,
    }
    assert found["latency.p50"] == found["latency.max"] == pytest.approx(0.002)
    assert (found["ordering.gaps"], found["ordering.duplicates"]) == (0, 0)


def test_messages_before_the_subscription_was_served_do_not_count_for_the_rate() -> None:
    """Snapshots come with the acknowledgement."""
    snapshot = message(0.15, 4, data={"snapshot": True})
    found = measured(*CONNECTED[:2], snapshot, CONNECTED[2], message(1, 5), message(2, 6), until=2.2)
    assert (found["messages.received"], found["messages.rate"]) == (3, 1.0)


def test_heartbeats_are_no_messages() -> None:
    """They tell of what is missing, and nothing else."""
    found = measured(*CONNECTED, message(1, 1), heartbeat(2, 4))
    assert (found["messages.received"], found["ordering.gaps"], found["ordering.missing"]) == (1, 1, 2)


def test_the_servers_time() -> None:
    """It fell once, stood still for three seconds and was never ahead; without one, nothing is said of it."""
    sent = (1.0, 2.0, 1.5, 1.5, 1.5, 1.5, 6.0)
    told = [structs.replace(message(second, second), sent_at=T0 + time) for second, time in enumerate(sent, start=1)]
    found = measured(*CONNECTED, *told)
    assert found["ordering.time_inversions"] == 1
    assert found["staleness.max"] == 4.0
    assert found["clock.skew.max"] == 0.0
    untold = measured(*CONNECTED, *(structs.replace(one, sent_at=None) for one in told))
    assert not untold.keys() & {"ordering.time_inversions", "staleness.max", "clock.skew.max"}


def test_what_is_wrong_with_the_servers_time_is_kept() -> None:
    """As everything is that was found, up to a hundred."""
    measures = Measures(HandClock())
    for second in range(1, 300):
        measures.add(structs.replace(message(second, second), sent_at=T0 - second))
    assert [finding.kind for finding in measures.findings[:2]] == ["inversion", "inversion"]
    assert {finding.kind for finding in measures.findings} == {"inversion", "stale"}
    assert len(measures.findings) == 100
    assert measures.metrics()["ordering.time_inversions"] == 298


def test_long_polling() -> None:
    """Which way it came is known of connections that receive."""
    polling = stage(0.1, Stage.JOINED, transport="polling")
    assert measured(polling, CONNECTED[2])["connections.polling"] == 0
    assert measured(polling, CONNECTED[2], message(1, 1))["connections.polling"] == 1


def test_receiving_is_about_the_end() -> None:
    """Connected, and heard since the latest subscription."""
    cut = stage(3, Stage.CUT)
    again = (stage(4, Stage.JOINED, conn="c1.2"), stage(5, Stage.SUBSCRIBED, conn="c1.2"))
    assert measured(*CONNECTED)["connections.receiving"] == 0
    assert measured(*CONNECTED, message(1, 1), cut)["connections.receiving"] == 0
    assert measured(*CONNECTED, message(1, 1), cut, *again)["connections.receiving"] == 0
    back = measured(*CONNECTED, message(1, 1), cut, *again, message(6, 2, conn="c1.2"))
    assert (back["connections.receiving"], back["connections.closed"], back["connections.opened"]) == (1, 1, 1)


def test_failed_attempts_are_errors() -> None:
    assert measured(stage(0, Stage.ATTEMPT), stage(1, Stage.FAILED), *CONNECTED)["errors"] == 1


def test_an_eviction() -> None:
    """Told as the reason of a close; other reasons are none, and none of them is a message."""
    closing = {"reason": "evicted", "retry": False}
    told = message(1, None, channel=None, event="connection:closing", latency_ms=None, data=closing)
    found = measured(*CONNECTED, told, stage(1, Stage.CUT))
    assert (found["connections.evicted"], found["connections.closed"], found["messages.received"]) == (1, 1, 0)
    other = message(1, None, channel=None, event="connection:closing", latency_ms=None, data={"reason": "shutdown"})
    assert measured(*CONNECTED, other)["connections.evicted"] == 0


@pytest.mark.parametrize(
    ("error", "refused", "unauthorised", "denied", "errors"),
    [
        (Refused("http://x refused the connection: Authentication error"), 1, 1, 0, 0),
        (Refused("http://x refused the connection: Too many connections"), 1, 0, 0, 0),
        (Denied("channel:subscribe was refused: not yours", codes=("access_denied", "unknown_symbol")), 0, 0, 1, 2),
        (Unserved("unknown symbol 'X'", codes=("unknown_symbol",)), 0, 0, 0, 1),
    ],
)
def test_refusals(error: Refused | Unserved, refused: int, unauthorised: int, denied: int, errors: int) -> None:
    """At the door for what one is, at the door for how many there are, or past it."""
    measures = Measures(HandClock())
    measures.refused(error)
    found = measures.metrics()
    names = ("connections.refused", "auth.refused", "auth.denied", "errors")
    assert [found[name] for name in names] == [refused, unauthorised, denied, errors]


def test_who_is_refused_is_there_no_more() -> None:
    """Though something had come before the answer."""
    measures = Measures(HandClock())
    for item in (CONNECTED[1], message(0.15, 1)):
        measures.add(item)
    measures.refused(Denied("channel:subscribe was refused: not yours", codes=("access_denied",)))
    assert measures.metrics()["connections.receiving"] == 0


def test_a_subscription_that_is_served_in_part() -> None:
    """The client goes on with the rest, and was not served; the server's words are a note."""
    denied = stage(0.2, Stage.SUBSCRIBED, reason="Access denied", refused=("access_denied", "limit"))
    measures = Measures(HandClock())
    for item in (*CONNECTED[:2], denied, message(1, 1)):
        measures.add(item)
    found = measures.metrics()
    names = ("connections.subscribed", "connections.receiving", "auth.denied", "errors")
    assert [found[name] for name in names] == [0, 1, 1, 2]
    assert measures.notes() == ("Access denied",)


@pytest.mark.parametrize(
    ("epoch", "first", "recovered"), [("e", 50, 0), ("e", 100, 1), ("f", 50, 1)], ids=["stale", "goes on", "anew"]
)
def test_what_comes_again_is_no_news(epoch: str, first: int, recovered: int) -> None:
    """A client that only hears what it had heard before the fault is not back."""
    clock = HandClock()
    measures = Measures(clock, recovery_hold=1.0)
    for item in (*CONNECTED, *(message(0.3 + seq / 100, seq) for seq in range(1, 101))):
        measures.add(item)
    measures.reconnection.fault(T0 + 2, T0 + 2, ["c1"])
    for item in (
        stage(2.1, Stage.CUT),
        stage(2.5, Stage.ATTEMPT, conn="c1.2"),
        stage(2.6, Stage.JOINED, conn="c1.2"),
        stage(2.7, Stage.SUBSCRIBED, conn="c1.2"),
        *(structs.replace(message(2.8 + n / 10, first + n, conn="c1.2"), epoch=epoch) for n in range(40)),
    ):
        measures.add(item)
    clock.time = 60.0
    measures.close()
    assert measures.metrics()["reconnect.recovered"] == recovered


RAW: dict[str, tuple[str, int | None, float, int]] = {
    "goes on": ("btcusdt@trade", 7, 7.0, 1),
    "numbered anew": ("btcusdt@trade", 1, 8.0, 1),
    "what it had, and no more": ("btcusdt@trade", -40, -40.0, 0),
    "no numbers, later": ("btcusdt@ticker", None, 7.0, 1),
    "no numbers, earlier": ("btcusdt@ticker", None, -40.0, 0),
}
"""a channel, the first seq and second of sending of what comes after a loss behind 7, and whether that is news"""


@pytest.mark.parametrize("case", RAW)
def test_what_is_news_on_a_raw_feed(case: str) -> None:
    """By numbers where they tell, else by times of sending: exchanges have no epochs."""
    channel, first, sent_from, recovered = RAW[case]

    def seen(at: float, seq: int | None, sent: float, conn: str) -> Observation:
        made = message(at, seq, channel=channel, event="x", conn=conn)
        return structs.replace(made, epoch=None, sent_at=T0 + sent)

    clock = HandClock()
    measures = Measures(clock, dialect_named("binance"), recovery_hold=1.0)
    for item in (*CONNECTED, *(seen(0.3, first and seq, float(seq), "c1") for seq in range(1, 8))):
        measures.add(item)
    measures.reconnection.fault(T0 + 2, T0 + 2, ["c1"])
    for item in (
        stage(2.1, Stage.CUT),
        stage(2.5, Stage.ATTEMPT, conn="c1.2"),
        stage(2.6, Stage.JOINED, conn="c1.2"),
        stage(2.7, Stage.SUBSCRIBED, conn="c1.2"),
        *(seen(2.8 + n / 10, first and first + n, sent_from + n, "c1.2") for n in range(40)),
    ):
        measures.add(item)
    clock.time = 60.0
    measures.close()
    assert measures.metrics()["reconnect.recovered"] == recovered


def test_orders_are_judged_by_the_dialect() -> None:
    """Trades leave numbers out: no gap can be seen, a fall can."""
    measures = Measures(HandClock(), dialect_named("binance"))
    for at, seq in enumerate((1, 5, 9, 8)):
        measures.add(structs.replace(message(at, seq, channel="btcusdt@trade"), epoch=None))
    measures.close()
    found = measures.metrics()
    assert found["ordering.regressions"] == 1
    assert "ordering.gaps" not in found


def test_latency_that_cannot_be_known_is_absent() -> None:
    """Clocks that cannot be compared, feeds that do not say when."""
    found = measured(*CONNECTED, message(1, 1, latency_ms=None))
    assert not any(name.startswith("latency.") for name in found)


def test_latency_from_the_source() -> None:
    """From when a value was due; corrected by what the latency was corrected by; only of updates, and only if sane."""
    due = {"sourceTime": (T0 + 0.9) * 1000}
    assert measured(*CONNECTED, message(1, 1, data=due))["latency.source.max"] == pytest.approx(0.1)
    for data in ({"sourceTime": True}, {"sourceTime": "soon"}, {"sourceTime": 0}, {**due, "snapshot": True}, []):
        assert "latency.source.max" not in measured(*CONNECTED, message(1, 1, data=data)), data
    later = {"sourceTime": (T0 + 2) * 1000}
    assert "latency.source.max" not in measured(*CONNECTED, message(1, 1, data=later))


def test_orders_of_all_channels_are_added() -> None:
    gaps = [message(at, seq, channel=channel) for channel in (BTC, ETH) for at, seq in ((1, 1), (2, 3), (5, 4))]
    found = measured(*CONNECTED, *sorted(gaps, key=lambda one: one.received_at))
    assert (found["ordering.gaps"], found["ordering.missing"]) == (2, 2)


def test_silence_is_what_the_watching_says() -> None:
    """Absent where nobody listened for it."""
    measures = Measures(HandClock())
    assert "silence.max" not in measures.metrics()
    measures.longest_silence = 3.0
    assert measures.metrics()["silence.max"] == 3.0


def test_a_cut_and_what_became_of_it() -> None:
    """The client is in the population only if the fault is said to have met it; back is fresh, and stays so."""
    clock = HandClock()
    measures = Measures(clock, recovery_hold=1.0)
    for item in (*CONNECTED, message(1, 1)):
        measures.add(item)
    measures.reconnection.fault(T0 + 2, T0 + 2, ["c1"])
    for item in (
        stage(2.1, Stage.CUT),
        stage(2.5, Stage.ATTEMPT, conn="c1.2"),
        stage(2.6, Stage.JOINED, conn="c1.2"),
        stage(2.7, Stage.SUBSCRIBED, conn="c1.2"),
        message(2.8, 2, conn="c1.2", data={"snapshot": True}),
        *(message(2.5 + 0.5 * seq - 0.6, seq, conn="c1.2") for seq in range(3, 9)),
    ):
        measures.add(item)
    clock.time = 9.0
    measures.close()
    found = measures.metrics()
    assert (found["reconnect.cut"], found["reconnect.recovered"], found["reconnect.success_rate"]) == (1, 1, 1.0)
    assert found["reconnect.time.p99"] == pytest.approx(0.8)
    funnel, across = measures.notes()
    assert across.startswith("messages across the cut: 0 lost, ")
    assert funnel.startswith("of 1 cut: noticed 1, open 1, subscribed 1, fresh 1, consistent 1, held 1; back after")


def test_a_client_that_nothing_cut() -> None:
    """Without a fault nothing is measured of reconnection."""
    found = measured(*CONNECTED, message(1, 1), stage(2, Stage.CUT))
    assert not any(name.startswith("reconnect.") for name in found)

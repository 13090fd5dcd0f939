"""What is made of what the Locust process tells."""

import pickle

import pytest
from tests.load.seconds import process, second, seconds

from wsctl.load.messages import Process, WorkerLost
from wsctl.load.outcome import series
from wsctl.load.outcome.figures import Figures, warmup_of
from wsctl.load.profile import StageSpec

RAMP, HOLD = StageSpec(ramp=10, over=2.0), StageSpec(hold=3.0)


def figures(*, warmup: float = 0.0, raw: bool = False) -> Figures:
    return Figures([RAMP, HOLD, HOLD], warmup=warmup, raw=raw)


def test_counts_are_of_the_whole_load_and_latencies_of_what_follows_the_warmup() -> None:
    seen = figures(warmup=2.0)
    seen.add(second(1.0, users=5, asked=5, opened=5, received=50, latencies={0.5: 50}))
    seen.add(second(2.0, asked=5, opened=5, received=50, latencies={0.5: 50}))
    seen.add(second(3.0, stage=1, received=100, latencies={0.01: 100}))
    seen.add(second(4.0, stage=1, received=300, latencies={0.01: 300}))
    metrics = seen.metrics()
    assert metrics["connections.opened"] == 10
    assert metrics["messages.received"] == 500
    assert metrics["messages.rate"] == 200
    assert metrics["latency.max"] == 0.01
    assert metrics["connections.rate"] == 5


def test_receiving_is_told_of_the_moment_when_most_were_asked_for() -> None:
    seen = figures()
    seen.add(second(1.0, users=10, open=10))
    seen.add(second(2.0, users=10, open=9, stage=1))
    seen.add(second(3.0, users=2, open=2, stage=1))
    seen.add(second(4.0, users=0, open=0, stage=None))
    assert seen.metrics()["connections.receiving"] == 9
    assert seen.metrics()["connections.peak"] == 10


def test_what_comes_after_the_course_still_counts_for_its_last_stage() -> None:
    seen = figures()
    seen.add(second(2.0, stage=1, received=10))
    seen.add(second(2.5, stage=None, received=7))
    (stage,) = seen.stages()
    assert (stage.stage, stage.metrics["messages.received"]) == ("hold 3 s", 17)
    assert stage.metrics["messages.rate"] == 10 / 2.0
    assert seen.metrics()["messages.rate"] == 10 / 2.0


def test_each_stage_has_its_own_figures() -> None:
    seen = figures()
    seen.add(second(1.0, users=5, latencies={0.2: 10}, received=10))
    seen.add(second(3.0, stage=1, latencies={0.002: 10}, received=20))
    ramp, hold = seen.stages()
    assert (ramp.stage, ramp.users, ramp.metrics["latency.max"]) == ("ramp to 10", 5, 0.2)
    assert (hold.stage, hold.users, hold.metrics["latency.max"]) == ("hold 3 s", 10, 0.002)


def test_a_row_tells_of_its_second_only() -> None:
    seen = figures()
    seen.add(second(1.0, received=10, opened=10, failed=2, malformed=1, latencies={0.2: 10}))
    seen.add(second(2.0, received=20, latencies={0.002: 10}), {"cpu": 0.5})
    first, latest = seen.rows
    assert (first.messages, first.opened, first.errors) == (10, 10, 3)
    assert (latest.messages, latest.opened, latest.errors) == (20, 0, 0)
    assert latest.p95 == pytest.approx(0.002, rel=0.01)
    assert latest.target == {"cpu": 0.5}


def test_a_subscription_that_nobody_acknowledged_is_no_error() -> None:
    """It is taken for served, as a crowd's is."""
    seen = figures()
    seen.add(second(1.0, failed=1, unacknowledged=3))
    assert seen.metrics()["errors"] == seen.rows[0].errors == 1


def test_what_was_not_measured_is_absent() -> None:
    seen = figures()
    seen.add(second(1.0))
    assert {"latency.p95", "fanout.reach", "target.cpu", "errors"}.isdisjoint(seen.metrics())
    assert seen.rows[0].p95 is None


def test_where_no_process_told_anything_nothing_is_zero() -> None:
    """Where one did, what did not move is: it tells each count that stands still only once."""
    seen = figures()
    seen.add(second(1.0, processes=()))
    assert seen.rows[0].cpu is None
    assert "generator.lost" not in seen.metrics()
    seen.add(second(2.0, stage=1, opened=10, failed=0, received=20))
    seen.add(second(3.0, stage=2))
    before, there, still = seen.stages()
    told = ("connections.opened", "errors", "messages.rate")
    assert set(told).isdisjoint(before.metrics)
    assert [there.metrics[name] for name in told] == [10, 0, 20]
    assert [still.metrics[name] for name in told] == [0, 0, 0]
    assert seen.metrics()["generator.lost"] == 0


def test_the_busiest_process_is_the_generator_and_all_of_their_memory() -> None:
    seen = figures()
    for one in seconds(3, processes=(process(0, cpu=0.2), process(1, cpu=0.7, lag=0.05))):
        seen.add(one)
    metrics = seen.metrics()
    assert metrics["generator.cpu"] == pytest.approx(0.7)
    assert metrics["generator.lag.p99"] == pytest.approx(0.05)
    assert metrics["generator.rss"] == 2 * 130_000_000
    assert seen.saturated is None


def test_how_late_the_busiest_was_is_a_percentile_of_all_that_it_told() -> None:
    """Two of a hundred moments late in one second of ten are 0.2 % of all."""
    figures = Figures((StageSpec(hold=30.0),), warmup=0.0, raw=False)
    for at in range(1, 21):
        late = {0.004: 98, 0.090: 2} if at % 10 == 0 else {0.004: 100}
        figures.add(second(float(at), processes=(process(0, lag=0.001), process(1, late=late))))
    assert figures.metrics()["generator.lag.p99"] == pytest.approx(0.004)
    assert [worker.lag for worker in figures.workers()] == pytest.approx([0.001, 0.004])


@pytest.mark.parametrize(("cpu", "lag", "word"), [(0.99, 0.0, "0.99 cores"), (0.1, 0.2, "200 ms late")])
def test_a_generator_that_cannot_keep_up_is_told(cpu: float, lag: float, word: str) -> None:
    seen = figures()
    for one in seconds(3, processes=(process(cpu=0.1), process(1, cpu=cpu, lag=lag))):
        seen.add(one)
    assert word in (seen.saturated or "")


@pytest.mark.parametrize("busy", [process(cpu=0.99), process(lag=0.2), process(control_cpu=1.0)])
def test_a_tenth_of_the_seconds_measured_may_be_too_busy_and_no_more(busy: Process) -> None:
    seen = figures(warmup=10.0)
    for at in range(1, 31):
        seen.add(second(float(at), processes=(busy if at <= 10 or at > 28 else process(),)))
    assert seen.saturated is None
    seen.add(second(31.0, processes=(process(0), busy)))
    assert (seen.saturated or "").endswith("; so it was in 3 of 21 seconds")


def test_the_users_of_a_lost_worker_are_lost() -> None:
    seen = figures()
    seen.add(second(1.0, processes=(process(0), process(1))))
    seen.lost(WorkerLost(index=1, users=5))
    assert seen.metrics()["generator.lost"] == 5
    assert [worker.lost for worker in seen.workers()] == [False, True]


def test_the_targets_cpu_is_an_average_and_its_memory_the_most() -> None:
    seen = figures(warmup=1.0)
    for elapsed, cpu, rss in ((1.0, 9.0, 900), (2.0, 0.2, 500), (3.0, 0.4, 400)):
        seen.add(second(elapsed), {"cpu": cpu, "rss": rss})
    metrics = seen.metrics()
    assert (metrics["target.cpu"], metrics["target.rss"]) == (pytest.approx(0.3), 900)


def test_a_raw_feed_has_no_words_for_what_is_the_platforms_own() -> None:
    seen = figures(raw=True)
    seen.add(second(1.0, auth__refused=0, evicted=0, opened=10))
    assert {"auth.refused", "connections.evicted"}.isdisjoint(seen.metrics())
    assert seen.metrics()["connections.opened"] == 10


def test_the_first_ramp_is_warmup_where_something_follows() -> None:
    assert warmup_of([RAMP, HOLD]) == 2
    assert warmup_of([RAMP]) == 0
    assert warmup_of([HOLD, RAMP]) == 0


def test_a_ramp_over_next_to_no_time_is_followed_by_a_second_in_which_they_come() -> None:
    quick = StageSpec(ramp=10, over=0.01)
    assert warmup_of([quick, HOLD]) == 1
    assert warmup_of([quick, StageSpec(hold=0.5)]) == pytest.approx(0.17)
    seen = Figures([quick, HOLD], warmup=warmup_of([quick, HOLD]), raw=False)
    seen.add(second(1.02, received=5, latencies={0.5: 5}))
    seen.add(second(2.02, stage=1, received=20, latencies={0.01: 20}))
    assert (seen.metrics()["messages.rate"], seen.metrics()["latency.max"]) == (20, 0.01)


def test_what_was_counted_in_a_second_belongs_to_the_stage_that_most_of_it_was_in() -> None:
    seen = figures()
    seen.add(second(1.0, users=5, received=10))
    seen.add(second(2.1, users=10, received=10, stage=1, mostly=0))
    seen.add(second(3.0, users=10, received=30, stage=1))
    seen.add(second(4.1, users=10, received=30, stage=None, mostly=1))
    ramp, hold = seen.stages()
    assert (ramp.seconds, ramp.users, ramp.metrics["messages.received"]) == (2.1, 5, 20)
    assert (hold.seconds, hold.users, hold.metrics["messages.received"]) == (2.0, 10, 60)
    assert [row.stage for row in seen.rows] == [0, 0, 1, 1]


def test_who_set_out_last_in_a_stage_is_there_when_the_next_one_has_asked_for_others() -> None:
    seen = Figures([RAMP, StageSpec(spike=90, lasting=2.0), HOLD], warmup=0.0, raw=False)
    seen.add(second(1.0, users=10, open=5))
    seen.add(second(2.1, users=100, open=60, stage=1, mostly=0))
    seen.add(second(3.1, users=100, stage=1))
    seen.add(second(4.1, users=10, stage=2, mostly=1))
    seen.add(second(5.1, users=10, stage=2))
    assert [(stage.users, stage.receiving) for stage in seen.stages()] == [(10, 10), (100, 100), (10, 10)]


def test_a_stage_that_no_second_ended_in_has_its_figures() -> None:
    seen = figures()
    seen.add(second(1.02, stage=1, mostly=0, received=10))
    seen.add(second(2.02, stage=1))
    assert [(stage.stage, stage.users, stage.receiving) for stage in seen.stages()] == [
        ("ramp to 10", 10, 10),
        ("hold 3 s", 10, 10),
    ]


def test_connections_are_let_in_over_the_seconds_that_let_somebody_in() -> None:
    seen = figures()
    seen.add(second(0.5))
    for one in (second(1.0, opened=4), second(2.0), second(2.5, opened=6), second(9.0)):
        seen.add(one)
    assert seen.metrics()["connections.rate"] == 5


def kept(seconds: int) -> int:
    """How many bytes are kept of a load of so many seconds, each of them with words that no other has."""
    seen = Figures([StageSpec(hold=1e6)], warmup=0.0, raw=False)
    for at in range(1, seconds + 1):
        busy = (process(0, cpu=1.2), process(1))
        counts = {"opened": 1, "received": 10, "closed": 1}
        causes = {f"not today, {at}": 1}
        told = second(float(at), latencies={0.01: 10}, causes=causes, processes=busy, **counts)
        seen.add(told, {"cpu": 0.3, "rss": 1e6})
    assert sum(seen.sums.causes.values()) == sum(row.messages for row in seen.series.rows) / 10 == seconds
    return len(pickle.dumps(vars(seen)))


def test_the_second_hour_takes_no_more_than_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory, and so in time: there is nothing that grows to be looked through."""
    monkeypatch.setattr(series, "MOST_ROWS", 200)
    assert kept(3_200) <= 1.05 * kept(400)

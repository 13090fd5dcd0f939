"""What several processes told, as one."""

from wsctl.checks.latency import Histogram
from wsctl.load.locust.merge import Merge, Told
from wsctl.swarm.clocks import SAME_HOST, Basis
from wsctl.swarm.delta import Delta


def told(index: int, number: int, **delta: object) -> Told:
    return Told(index=index, number=number, at=1.0, delta=Delta(**delta), control_cpu=0.25, control_rss=5)  # type: ignore[arg-type]


def test_everything_adds_up_and_is_told_once() -> None:
    merge = Merge()
    times = Histogram()
    times.record(0.5)
    buckets = times.buckets()
    merge.add(
        told(1, 1, counts={"opened": 2, "closed": 0}, channels={"a": 3}, causes={"no": 1}, times={"lag": buckets})
    )
    merge.add(told(0, 1, counts={"opened": 5}, channels={"a": 1, "b": 1}, times={"lag": buckets}))
    delta = merge.take()
    assert delta.counts == {"opened": 7, "closed": 0}
    assert delta.channels == {"a": 4, "b": 1}
    assert delta.causes == {"no": 1}
    assert sum(delta.times["lag"].counts.values()) == 2
    again = merge.take()
    assert (again.counts, again.channels, again.times) == ({}, {}, {})


def test_levels_are_of_the_processes_that_are_there() -> None:
    merge = Merge()
    merge.add(told(1, 1, levels={"users": 4, "open": 3, "rss": 10.0, "cpu": 0.5}))
    merge.add(told(0, 1, levels={"users": 6, "open": 6, "rss": 20.0, "cpu": 0.25}))
    merge.add(told(1, 2, levels={"users": 5, "open": 5, "rss": 11.0, "cpu": 0.5}))
    assert merge.take().levels == {"users": 11, "waiting": 0, "open": 11, "receiving": 0, "cpu": 0.75, "rss": 31.0}
    assert [(one.index, one.users, one.rss, one.control_cpu) for one in merge.processes()] == [
        (0, 6, 20, 0.25),
        (1, 5, 11, 0.25),
    ]
    assert merge.lose(1) == 5
    assert merge.lose(1) == 0
    assert merge.take().levels["open"] == 6
    assert [one.index for one in merge.processes()] == [0]


def test_each_process_says_what_its_latencies_rest_on() -> None:
    merge = Merge()
    merge.add(told(0, 1))
    merge.add(told(1, 1, clock=SAME_HOST))
    merge.add(told(2, 1, clock=Basis(0.25, 0.001)))
    assert [one.clock for one in merge.processes()] == [None, SAME_HOST, Basis(0.25, 0.001)]
    assert merge.take().clock is None


def test_what_got_lost_is_missed() -> None:
    merge = Merge()
    for number in (1, 2, 4):
        merge.add(told(0, number))
    merge.add(told(1, 1))
    assert not merge.is_whole(0, 4)
    assert merge.is_whole(1, 1)
    assert not merge.is_whole(1, 2)
    assert not merge.is_whole(2, 1)
    assert merge.is_whole(2, 0)


def test_it_is_complete_when_all_that_are_there_have_told() -> None:
    merge = Merge()
    merge.add(told(0, 1))
    merge.add(told(1, 1))
    assert merge.is_complete
    merge.take()
    assert not merge.is_complete
    merge.add(told(1, 2))
    merge.add(told(1, 3))
    assert not merge.is_complete
    merge.lose(0)
    assert merge.is_complete


def test_what_a_silent_process_told_last_is_not_told_for_ever() -> None:
    merge = Merge()
    assert merge.take().levels == {}
    merge.add(told(0, 1, levels={"users": 6, "open": 6}))
    merge.add(told(1, 1, levels={"users": 4, "open": 3}))
    opened, there = [], []
    for number in range(2, 7):
        opened.append(merge.take().levels["open"])
        there.append([one.index for one in merge.processes()])
        merge.add(told(0, number, levels={"users": 6, "open": 6}))
    assert opened == [9, 9, 9, 6, 6]
    assert there == [[0, 1], [0, 1], [0, 1], [0], [0]]
    assert len(merge) == 2
    merge.add(told(1, 2, levels={"users": 4, "open": 2}))
    assert merge.take().levels["open"] == 8

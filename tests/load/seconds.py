"""Seconds of a load, made by hand."""

from collections.abc import Iterator
from typing import Any

from wsctl.checks.latency import Histogram
from wsctl.load.messages import Process, Second
from wsctl.swarm.clocks import SAME_HOST, Basis
from wsctl.swarm.delta import Delta


def process(
    index: int = 0,
    *,
    cpu: float = 0.1,
    lag: float | None = 0.002,
    users: int = 10,
    control_cpu: float = 0.01,
    clock: Basis | None = SAME_HOST,
    late: dict[float, int] | None = None,
) -> Process:
    """One that holds connections, at its ease unless told otherwise. `late`: by how much, and how often; for `lag`."""
    lags = Histogram()
    for seconds, times in (late or ({} if lag is None else {lag: 100})).items():
        lags.record_many(seconds, times)
    return Process(
        index=index,
        at=0.0,
        users=users,
        open=users,
        receiving=users,
        cpu=cpu,
        rss=50_000_000,
        lag=lags.percentile(99),
        lags=lags.buckets(),
        control_cpu=control_cpu,
        control_rss=80_000_000,
        clock=clock,
    )


def second(
    elapsed: float,
    *,
    users: int = 10,
    stage: int | None = 0,
    mostly: int | None = None,
    there: int | None = None,
    waiting: int = 0,
    open: int | None = None,
    latencies: dict[float, int] | None = None,
    processes: tuple[Process, ...] | None = None,
    causes: dict[str, int] | None = None,
    **counts: int,
) -> Second:
    """One of it: `users` are asked for, `there` are those that entered, of them some may be `waiting` for their turn.

    All users are there, and had their turn, unless told otherwise. Latencies: seconds, and how often.
    """
    if "asked" in counts:
        counts.setdefault("set_out", counts["asked"])
    times: dict[str, Any] = {}
    if latencies:
        histogram = Histogram()
        for latency, count in latencies.items():
            histogram.record_many(latency, count)
        times["latency"] = histogram.buckets()
    there = users if there is None else there
    open = there - waiting if open is None else open
    return Second(
        at=1000.0 + elapsed,
        elapsed=elapsed,
        users=users,
        stage=stage,
        mostly=stage if mostly is None else mostly,
        delta=Delta(
            counts={name.replace("__", "."): count for name, count in counts.items()},
            causes=causes or {},
            times=times,
            levels={"users": there, "waiting": waiting, "open": open, "receiving": open},
        ),
        processes=(process(users=users),) if processes is None else processes,
    )


def seconds(number: int, **every: Any) -> Iterator[Second]:
    """So many alike, from the first on."""
    return (second(float(at), **every) for at in range(1, number + 1))

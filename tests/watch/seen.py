"""Observations and stages made up by hand, on a clock that stands where it is put."""

from typing import Any

from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.model.observation import Observation

T0 = 1_763_870_000.0
BTC, ETH = "symbol:BTC/USDT:ticker", "symbol:ETH/USDT:ticker"


class HandClock:
    """A clock that stands where it is put; `time` counts from T0."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return T0 + self.time

    def monotonic(self) -> float:
        return self.time


def message(
    at: float,
    seq: int | None,
    *,
    channel: str | None = BTC,
    event: str = "price:update",
    latency_ms: float | None = 2.0,
    data: Any = None,
    conn: str = "c1",
) -> Observation:
    """A message received `at` seconds after T0."""
    sent_at = None if latency_ms is None else T0 + at - latency_ms / 1000
    epoch = None if seq is None else "e"
    return Observation(T0 + at, conn, channel, event, epoch, seq, sent_at, latency_ms, {} if data is None else data)


def heartbeat(at: float, next_seq: int, channel: str = BTC) -> Observation:
    """What a silent channel says."""
    data = {"channel": channel, "nextSeq": next_seq, "epoch": "e"}
    return Observation(T0 + at, "c1", channel, "channel:heartbeat", "e", None, None, None, data)


def stage(
    at: float,
    what: Stage,
    *,
    conn: str = "c1",
    transport: str | None = None,
    reason: str | None = None,
    refused: tuple[str, ...] = (),
) -> Lifecycle:
    """A stage of the connection."""
    return Lifecycle(at=T0 + at, conn=conn, stage=what, transport=transport, reason=reason, refused=refused)

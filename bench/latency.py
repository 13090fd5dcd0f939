"""Latency of every k-th message, from the server's `timestamp` to receipt."""

import time
from collections.abc import Sequence
from typing import Any

import msgspec

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class Price(msgspec.Struct):
    """What is read of a price, full or compact: when the server emitted it, and whether it is a snapshot."""

    timestamp: float | None = None
    t: float | None = None
    snapshot: bool = False
    n: int = 0


_decoder = msgspec.json.Decoder(tuple[str, Price])


class Latencies:
    """Milliseconds of the messages sampled while it is open."""

    __slots__ = ("every", "milliseconds", "open", "snapshots")

    def __init__(self, every: int) -> None:
        self.every = every
        self.open = False
        self.milliseconds: list[float] = []
        self.snapshots = 0

    def add(self, packet: memoryview | bytes, received: float | None = None) -> None:
        """Parse a `42["price:update",…]`; a snapshot is no sample, anything else raises."""
        now = time.time() if received is None else received
        name, price = _decoder.decode(packet[2:])
        sent = price.t if price.timestamp is None else price.timestamp
        if name != "price:update" or sent is None:
            raise ValueError(f"not a price: {bytes(packet)!r}")
        if price.snapshot or price.n:
            self.snapshots += 1
        else:
            self.milliseconds.append(now * 1000 - sent)

    def summary(self) -> dict[str, Any]:
        """Quantiles in milliseconds, and how many samples they are of."""
        values = sorted(self.milliseconds)
        found = {name: quantile(values, share) for name, share in QUANTILES.items()}
        extremes = {"min": values[0], "max": values[-1]} if values else {"min": None, "max": None}
        return {"samples": len(values), "every": self.every, **found, **extremes}


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that `share` of the values do not exceed; None of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None

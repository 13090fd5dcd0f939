"""From what was counted to metrics of the vocabulary; what was not counted is absent."""

from collections.abc import Mapping

from wsctl.model.metrics import is_platforms_own
from wsctl.swarm.delta import Sums

_COUNTS: Mapping[str, str] = {
    "asked": "connections.asked",
    "opened": "connections.opened",
    "subscribed": "connections.subscribed",
    "refused": "connections.refused",
    "evicted": "connections.evicted",
    "closed": "connections.closed",
    "received": "messages.received",
    "bytes": "messages.bytes",
}
"""by what a Delta calls them; those with a point in their name are metrics already"""
_FAMILIES = ("ordering.", "auth.", "acks.")
_ERRORS = ("failed", "malformed", "unserved")
_TIMES: Mapping[str, str] = {
    "latency": "latency",
    "latency.source": "latency.source",
    "connect": "connect.time",
    "acknowledge": "acks.time",
}


def counted(sums: Sums, *, raw: bool = False) -> dict[str, float]:
    """Everything that was counted; `raw`: on a feed that has no words for what is the platform's own."""
    counts = sums.counts
    measured: dict[str, float] = {metric: counts[name] for name, metric in _COUNTS.items() if name in counts}
    measured |= {name: count for name, count in counts.items() if name.startswith(_FAMILIES)}
    if any(name in counts for name in _ERRORS):
        measured["errors"] = sum(counts[name] for name in _ERRORS)
    if counts["fanout.expected"]:
        measured["fanout.reach"] = counts["fanout.reached"] / counts["fanout.expected"]
    return {name: value for name, value in measured.items() if not (raw and is_platforms_own(name))}


def timed(sums: Sums) -> dict[str, float]:
    """Everything that took time, as percentiles in seconds."""
    measured: dict[str, float] = {}
    for name, family in _TIMES.items():
        if name in sums.times:
            measured |= sums.times[name].metrics(family)
    for name, metric in (("spread", "fanout.spread.p99"), ("lag", "generator.lag.p99")):
        value = sums.times[name].percentile(99) if name in sums.times else None
        if value is not None:
            measured[metric] = value
    return measured

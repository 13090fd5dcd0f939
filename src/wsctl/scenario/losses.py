"""Clients that were not there at the end: what they saw may be in order because there was so little of it."""

from collections.abc import Collection, Iterator

from wsctl.model.metrics import Metrics

_COUNTS = ("connections.closed", "connections.evicted", "connections.refused", "auth.refused", "auth.denied")
"""what may have become of them"""


def unexpected_loss(metrics: Metrics, expected: Collection[str]) -> str | None:
    """Whom a step has lost, in words, if none of the metrics that show it is expected to be anything; else None.

    A client that nothing befell is not lost where nobody receives at the end: the feed may have nothing to say.
    """
    asked, receiving = metrics.get("connections.asked", 0), metrics.get("connections.receiving")
    if receiving is None or receiving >= asked:
        return None
    untouched = metrics.get("connections.subscribed") == asked and not metrics.get("connections.closed")
    if untouched and not receiving:
        return None
    if not set(_shown_by(metrics, asked)).isdisjoint(expected):
        return None
    whom = "the client" if asked == 1 else f"{asked - receiving:,.0f} of {asked:,.0f} clients"
    return f"{whom} did not receive at the end, which nothing expects"


def _shown_by(metrics: Metrics, asked: float) -> Iterator[str]:
    """The metrics that a loss shows in. A count of nothing does not: `connections.evicted: 0` holds for who was cut."""
    yield "connections.receiving"
    yield from (name for name in _COUNTS if metrics.get(name))
    yield from (name for name in ("connections.opened", "connections.subscribed") if metrics.get(name, asked) < asked)
    if metrics.get("reconnect.recovered", 0) < metrics.get("reconnect.cut", 0):
        yield from ("reconnect.recovered", "reconnect.success_rate", "reconnect.success_rate_lower")

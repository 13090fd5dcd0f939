"""The figures of a step under way, on one line: what one wants to see moving."""

from collections.abc import Iterator

from rich.text import Text

from wsctl.model.expectation import shown
from wsctl.model.metrics import Metrics
from wsctl.report.words import counted

_CLIENTS = (
    ("connections.receiving", "receiving"),
    ("connections.subscribed", "subscribed"),
    ("connections.opened", "connected"),
)
"""what can be said of the clients, the most telling first"""
_OBJECTIONS = (
    ("ordering.duplicates", "duplicate"),
    ("ordering.reorders", "reorder"),
    ("ordering.regressions", "regression"),
    ("errors", "error"),
)
"""counts that are shown, in red, where there are any"""


def figures(metrics: Metrics) -> Text:
    """`1,497 of 1,500 receiving · 29,940 msg/s · p95 3.1 ms · 0 gaps`; of what was not measured, nothing."""
    return Text(" · ").join(_parts(metrics))


def _parts(metrics: Metrics) -> Iterator[Text]:
    yield from _fuzz(metrics)
    asked = metrics.get("connections.asked")
    for name, word in _CLIENTS:
        if name in metrics:
            whole = "" if asked is None else f" of {asked:,.0f}"
            yield Text(f"{metrics[name]:,.0f}{whole} {word}")
            break
    if metrics.get("reconnect.cut"):
        yield Text(f"{metrics.get('reconnect.recovered', 0):,.0f} of {metrics['reconnect.cut']:,.0f} back")
    if "messages.rate" in metrics:
        yield Text(f"{metrics['messages.rate']:,.0f} msg/s")
    if "latency.p95" in metrics:
        yield Text(f"p95 {shown('latency.p95', metrics['latency.p95'])}")
    if "ordering.gaps" in metrics:
        yield _objection(int(metrics["ordering.gaps"]), "gap")
    for name, word in (("connections.evicted", "evicted"), ("connections.refused", "refused")):
        if metrics.get(name):
            yield Text(f"{metrics[name]:,.0f} {word}")
    for name, noun in _OBJECTIONS:
        if metrics.get(name):
            yield _objection(int(metrics[name]), noun)


def _fuzz(metrics: Metrics) -> Iterator[Text]:
    for done, failed, noun in (
        ("fuzz.probes", "fuzz.failed", "probe"),
        ("fuzz.cases", "fuzz.failures", "generated case"),
    ):
        if metrics.get(done):
            yield Text(counted(int(metrics[done]), noun))
            if metrics.get(failed):
                yield Text(f"{metrics[failed]:,.0f} failed", style="red")


def _objection(number: int, noun: str) -> Text:
    return Text(counted(number, noun), style="red" if number else "")

"""Streams of one channel, what is found in them, and what anybody would find who may look at the whole stream."""

import random
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from wsctl.checks.channel_report import ChannelReport
from wsctl.checks.ordering import OrderingCheck
from wsctl.checks.sequence import integer
from wsctl.model.observation import Observation, decode, encode

T0 = 1_763_870_000.0
CHANNEL = "btcusdt@depth"
COUNTERS = ("gaps", "missing", "duplicates", "reorders", "regressions", "resets", "skipped")

Span = tuple[int, int]
"""the first and the last number that a message covers"""


class Known(NamedTuple):
    """A link by the names that exchanges give it."""

    first: int | None = None
    previous: int | None = None


def known_link(channel: str, data: Any) -> Known:
    """`U` and `pu` (Binance), `prevSeqId` (OKX, in a list of one)."""
    if isinstance(data, dict) and "data" in data:
        data = data["data"]
    if isinstance(data, list) and data:
        data = data[0]
    if not isinstance(data, dict):
        return Known()
    return Known(integer(data.get("U")), integer(data.get("pu", data.get("prevSeqId"))))


def message(
    seq: int | None,
    data: Any,
    *,
    event: str = "update",
    conn: str = "c1",
    at: float = 0.0,
    sent_at: float | None = None,
) -> Observation:
    return Observation(T0 + at, conn, CHANNEL, event, None, seq, sent_at, None, data)


def judge(stream: Iterable[Observation], scheme: str) -> ChannelReport:
    """The report on the channel, live; judged from JSON lines it is the same."""
    live, offline = OrderingCheck(lambda channel: scheme, known_link), OrderingCheck(lambda channel: scheme, known_link)
    found = []
    for observation in stream:
        found += live.add(observation)
        offline.add(decode(encode(observation)))
    found += live.close()
    offline.close()
    assert offline.as_json() == live.as_json()
    (report,) = live.channels.values()
    assert report.findings == found[:100]
    assert len(found) == report.objections
    return report


def counts(report: ChannelReport) -> dict[str, int]:
    """The counters that are not zero."""
    return {name: getattr(report, name) for name in COUNTERS if getattr(report, name)}


def disturb(spans: Sequence[Span], chance: random.Random) -> list[Span]:
    """Some spans lost, some repeated, all but the first moved a little: never further than the window reaches."""
    first, *rest = spans
    kept = [span for span in rest if chance.random() > 0.2]
    twice = [span for span in kept for _ in range(1 + (chance.random() < 0.15))]
    reach = chance.choice((0, 0, 3, 20))
    moved = sorted(enumerate(twice), key=lambda one: one[0] + chance.uniform(0, reach))
    return [first, *(span for _, span in moved)]


def found_by_looking(arrived: Sequence[Span]) -> dict[str, int]:
    """What disturb did, told from all that arrived at once, without any window or position."""
    start, end = arrived[0][1], max(last for _, last in arrived)
    covered = {number for first, last in arrived for number in range(first, last + 1)}
    missing = [number for number in range(start + 1, end + 1) if number not in covered]
    first_times = [span for index, span in enumerate(arrived) if span not in arrived[:index]]
    overtaken = sum(any(other[1] > span[1] for other in first_times[:index]) for index, span in enumerate(first_times))
    found = {
        "gaps": sum(number - 1 not in missing for number in missing),
        "missing": len(missing),
        "duplicates": len(arrived) - len(first_times),
        "reorders": overtaken,
    }
    return {name: count for name, count in found.items() if count}

"""What a shard counted as rows of Locust's own statistics: `connect`, `acknowledge` and `message`, of type WS.

One row takes a second's worth at once, the way a Locust master takes what a worker reports: never an event per push.
"""

import time
from collections.abc import Mapping
from typing import Final

from locust import stats as locust_stats
from locust.stats import RequestStats, StatsEntry, StatsError

from wsctl.checks.latency import Histogram
from wsctl.swarm.delta import MOST_CAUSES, OTHER_CAUSES, Delta

TYPE = "WS"
MOST_POINTS: Final = 2000
"""of Locust's charts"""
SECONDS_KEPT: Final = 60
"""in which Locust counts requests; it looks at the latest twelve"""


def add(stats: RequestStats, delta: Delta) -> None:
    """Add what a process counted in a while."""
    counts = delta.counts
    failed = counts.get("failed", 0) + counts.get("refused", 0)
    refused = counts.get("acks.refused", 0) + counts.get("unacknowledged", 0)
    _add(stats, _row(stats, "connect", delta, "connect", also=failed, failed=failed))
    _add(stats, _row(stats, "acknowledge", delta, "acknowledge", also=counts.get("unacknowledged", 0), failed=refused))
    received = _row(stats, "message", delta, "latency", failed=counts.get("malformed", 0))
    untimed = max(0, counts.get("received", 0) - received.num_requests)
    _count(received, untimed)
    received.total_content_length = counts.get("bytes", 0)
    _add(stats, received)
    _complain(stats, delta.causes)


def trim(stats: RequestStats) -> None:
    """Bound what Locust keeps for ever: the points of its charts get sparser, seconds that it never asks for go."""
    if len(stats.history) >= MOST_POINTS:
        del stats.history[1::2]
        locust_stats.HISTORY_STATS_INTERVAL_SEC *= 2  # which it reads each time
    oldest = int(time.time()) - SECONDS_KEPT
    for entry in (stats.total, *stats.entries.values()):
        for seconds in (entry.num_reqs_per_sec, entry.num_fail_per_sec):
            for second in [second for second in seconds if second < oldest]:
                del seconds[second]


def _row(stats: RequestStats, name: str, delta: Delta, times: str, *, failed: int, also: int = 0) -> StatsEntry:
    """A row of its own. `also`: how many took no time that means anything, failures for the most part."""
    row = StatsEntry(stats, name, TYPE)
    if (buckets := delta.times.get(times)) is not None:
        histogram = Histogram()
        histogram.add(buckets)
        for seconds, count in histogram.values():
            milliseconds = seconds * 1000
            row.response_times[locust_stats.bucket_response_time(milliseconds)] += count
            row.total_response_time += milliseconds * count  # type: ignore[assignment]  # Locust's own are floats, too
        row.min_response_time, row.max_response_time = histogram.min * 1000, histogram.max * 1000  # type: ignore[assignment]
        row.num_requests = histogram.count
    row.num_reqs_per_sec[int(time.time())] += row.num_requests
    _count(row, also)
    if failed:
        row.num_failures = failed
        row.num_fail_per_sec[int(time.time())] += failed
    if row.num_requests or failed:
        row.last_request_timestamp = time.time()
    return row


def _count(row: StatsEntry, untimed: int) -> None:
    if untimed:
        row.num_requests += untimed
        row.num_none_requests += untimed
        row.num_reqs_per_sec[int(time.time())] += untimed
        row.last_request_timestamp = time.time()


def _add(stats: RequestStats, row: StatsEntry) -> None:
    if row.num_requests or row.num_failures:
        stats.get(row.name, row.method).extend(row)
        stats.total.extend(row)


def _complain(stats: RequestStats, causes: Mapping[str, int]) -> None:
    for cause, times in causes.items():
        key = StatsError.create_key(TYPE, "feed", cause)
        if key not in stats.errors and len(stats.errors) >= MOST_CAUSES:
            cause, key = OTHER_CAUSES, StatsError.create_key(TYPE, "feed", OTHER_CAUSES)
        error = stats.errors.setdefault(key, StatsError(TYPE, "feed", cause))
        error.occurred()
        error.occurrences += times - 1

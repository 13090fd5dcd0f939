"""Rows of Locust's own statistics. In a process of its own: importing Locust patches the process."""

import itertools
import json
import subprocess
import sys
from typing import Any

from tests.cli.program import environment

FEED = """
import json, sys, time
from locust import stats
from wsctl.load.locust import rows
from wsctl.swarm.delta import Delta
kept, now = stats.RequestStats(), time.time()
points = []
rows.time.time = lambda: now
for second in range(int(sys.argv[1])):
    now += 1.0
    delta = Delta(counts={"received": 10, "malformed": 1}, causes={f"not today, {second}": 2})
    rows.add(kept, delta)
    if second % stats.HISTORY_STATS_INTERVAL_SEC == 0:
        kept.history.append({"time": second})
    rows.trim(kept)
total = kept.total
print(json.dumps({
    "requests": total.num_requests,
    "failures": total.num_failures,
    "errors": [(error.error, error.occurrences) for error in kept.errors.values()],
    "seconds": [len(total.num_reqs_per_sec), len(total.num_fail_per_sec)],
    "history": [point["time"] for point in kept.history],
}))
"""


def after(seconds: int) -> dict[str, Any]:
    """What Locust keeps after so many seconds alike."""
    ended = subprocess.run(
        [sys.executable, "-c", FEED, str(seconds)], env=environment(), capture_output=True, check=True, timeout=60
    )
    kept: dict[str, Any] = json.loads(ended.stdout)
    return kept


def test_locust_keeps_no_more_of_a_long_load() -> None:
    kept = after(25_000)
    assert (kept["requests"], kept["failures"]) == (250_000, 25_000)
    assert max(kept["seconds"]) <= 62
    assert len(kept["errors"]) == 101
    assert kept["errors"][-1] == ["other causes", 2 * 24_900]
    points = kept["history"]
    assert 1_000 <= len(points) < 2_000
    assert {later - earlier for earlier, later in itertools.pairwise(points)} == {20}

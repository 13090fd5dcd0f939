"""A server whose clock is not ours."""

import re
import time

import pytest

from tests.cli.program import wsctl
from tests.peers.background import Background
from wsctl.server.app import MockFeed
from wsctl.server.options import ServeOptions

AWAY = 2.0
"""seconds"""


class Away:
    """A clock whose wall time is off."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return time.time() + self._seconds


@pytest.mark.parametrize(("seconds", "side"), [(AWAY, "ahead of"), (-AWAY, "behind")])
def test_corrected_latencies_are_told(background: Background, seconds: float, side: str) -> None:
    """Where the clocks differ latencies are corrected, which the summary says: small ones, and none below zero."""
    feed = MockFeed(ServeOptions(port=0, symbols=("X/Y",), rate=200.0, seed=1), clock=Away(seconds))
    background.run(feed.__aenter__())
    try:
        result = wsctl("subscribe", "X/Y", "--url", feed.url, "--count", "60")
    finally:
        background.run(feed.__aexit__(None, None, None))
    assert result.code == 0
    *_, told = result.err.splitlines()
    match = re.fullmatch(
        rf"the server's clock is ([\d.]+) ms {side} ours \(± [\d.]+ ms\); latencies are corrected", told
    )
    assert match is not None, result.err
    assert abs(float(match[1]) - AWAY * 1000) < 500
    latencies = [line["latency_ms"] for line in result.observations[-30:]]
    assert all(0 <= latency < 1000 for latency in latencies), latencies

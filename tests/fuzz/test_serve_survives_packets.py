"""`wsctl serve` passes the probes of sessions, packets and payloads: all end as declared, and nobody is harmed."""

import pytest
from tests.server.served import feed, run

from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.fuzz.options import FuzzOptions
from wsctl.fuzz.probe import Verdict
from wsctl.fuzz.result import ProbeResult
from wsctl.fuzz.run import FuzzRun
from wsctl.server.auth import mint
from wsctl.server.defaults import JWT_SECRET

GROUPS = ("engineio", "socketio", "payload")
HEARTBEAT = {"ping_interval": 0.3, "ping_timeout": 0.3}
STALL = 5.0
"""seconds; whoever is fuzzed and who fuzzes share one loop here, and a machine with others"""


def test_serve_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a user with a token, so that what belongs to others is refused to somebody who is known."""
    monkeypatch.setattr("wsctl.server.client.PATIENCE", 0.05)
    results: list[ProbeResult] = []

    def hear(event: object) -> None:
        if isinstance(event, ProbeResult):
            results.append(event)

    async def test() -> None:
        async with feed(rate=1.0, **HEARTBEAT) as running:
            target = Target(url=running.url, token=mint("alice", JWT_SECRET))
            options = FuzzOptions(target=target, seed=1, groups=GROUPS, cases=0, max_stall=STALL)
            await FuzzRun(options, SystemClock(), hear).run()
            assert running.platform.counters.malformed > len(results)

    run(test)
    assert len(results) > 40
    assert not [
        (one.id, one.case, one.verdict, one.ending, one.harms) for one in results if one.verdict is not Verdict.PASSED
    ]

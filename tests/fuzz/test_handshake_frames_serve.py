"""`wsctl serve` passes the groups handshake and frames: each of their probes, those that wait with shorter limits."""

from collections import Counter

import pytest
from tests.server.served import feed, run

from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.fuzz.catalogue import PROBES
from wsctl.fuzz.events import Event
from wsctl.fuzz.options import FuzzOptions
from wsctl.fuzz.probe import Verdict
from wsctl.fuzz.result import ProbeResult
from wsctl.fuzz.run import FuzzRun
from wsctl.server import front_door

GROUPS = ("handshake", "frames")


def test_serve_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is harmed, nothing is non-strict, and nothing was left out."""
    monkeypatch.setattr(front_door, "REQUEST_TIMEOUT", 1.0)
    told: list[Event] = []

    async def test() -> None:
        async with feed(compress=True, connect_timeout=1.0) as running:
            options = FuzzOptions(target=Target(url=running.url), seed=1, groups=GROUPS, cases=0, max_stall=5.0)
            await FuzzRun(options, SystemClock(), told.append).run()

    run(test)
    results = [one for one in told if isinstance(one, ProbeResult)]
    others = [f"{one.id} {one.case}: {one.ending} {one.harms}" for one in results if one.verdict is not Verdict.PASSED]
    assert not others
    asked = Counter(probe.id for probe in PROBES if probe.group in GROUPS and probe.attacks == "server")
    assert Counter(one.id for one in results) == asked

"""What probes say of stock python-socketio: who is let down by it fails, who refuses passes, silence is not strict."""

from typing import Any

import pytest
import uvloop
from msgspec import structs
from tests.peers.background import Background
from tests.peers.stranger import Stranger

from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.fuzz.catalogue import BY_ID
from wsctl.fuzz.options import FuzzOptions
from wsctl.fuzz.result import ProbeResult
from wsctl.fuzz.run import FuzzRun

STALL = 5.0
"""seconds; this machine may be busy"""
REFUSED = {"ok": False, "code": "access_denied"}


class Elsewhere(Stranger):
    """The same on a namespace of its own only."""

    def _listen(self) -> None:
        self._server.on("*", self._acknowledge, namespace="/feed")


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What comes of the first case of a probe, which is waited for shorter than usual."""

    def play(server: Stranger, id: str, namespace: str = "/") -> ProbeResult:
        probe = structs.replace(BY_ID[id], deadline=0.5, cases=BY_ID[id].cases[:1])
        monkeypatch.setattr("wsctl.fuzz.run.chosen", lambda ids, groups: (probe,))
        target = Target(url=server.url, namespace=namespace)
        options = FuzzOptions(target=target, seed=1, cases=0, max_stall=STALL)
        (result,) = uvloop.run(FuzzRun(options, SystemClock(), lambda _: None).run()).probes
        return result

    return play


@pytest.mark.parametrize(
    ("answer", "expected"),
    [({"ok": True}, "failed"), (REFUSED, "passed"), ({"error": "no such bot"}, "passed"), (None, "non-strict")],
)
def test_somebody_elses_bot(answer: Any, expected: str, background: Background, judged: Any) -> None:
    """Who lets a stranger have it fails; who says no passes; who says nothing is not strict."""
    with Stranger(background, answer=answer) as server:
        assert judged(server, "J10").verdict == expected
        assert judged(server, "J11").verdict == expected


def test_what_waits_for_attachments(background: Background, judged: Any) -> None:
    """A server that keeps what nobody will complete answers pings and no words; one that drops it is not strict."""
    with Stranger(background) as server:
        kept = judged(server, "S5")
        assert (kept.verdict, kept.ending) == (
            "failed",
            "neither ended nor answers (it waits for more of what was begun)",
        )
        dropped = judged(server, "S7")
        assert (dropped.verdict, dropped.ending) == ("non-strict", "stayed open and answers")


def test_a_namespace(background: Background, judged: Any) -> None:
    """Packets go to the target's namespace: on another nobody would have answered."""
    with Elsewhere(background, answer=REFUSED) as server:
        assert judged(server, "J3", "/feed").verdict == "passed"
        assert judged(server, "S14", "/feed").verdict == "passed"

"""The oracle can fail: a server with soft spots is caught at each, and the same server without them passes.

`make vulnerable` shows the same of genuine servers, old and mended ones.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import uvloop
from msgspec import structs
from tests.fuzz import soft

from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.fuzz.catalogue import BY_ID
from wsctl.fuzz.options import FuzzOptions
from wsctl.fuzz.probe import Verdict
from wsctl.fuzz.result import ProbeResult
from wsctl.fuzz.run import FuzzRun

STALL = 5.0
"""seconds; this machine may be busy"""


class Running(NamedTuple):
    """A soft server."""

    url: str
    pid: int


@contextmanager
def serving(*spots: str) -> Iterator[Running]:
    """One with these soft spots, a process of its own."""
    command = [sys.executable, "-I", "-S", str(Path(soft.__file__)), *spots]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield Running(f"http://127.0.0.1:{int(process.stdout.readline())}", process.pid)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def sound() -> Iterator[Running]:
    """One without."""
    with serving() as running:
        yield running


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Callable[[Running, str], ProbeResult]:
    """What comes of the first case of a probe, which is waited for shorter than usual."""

    def play(server: Running, id: str) -> ProbeResult:
        probe = structs.replace(BY_ID[id], deadline=0.5, cases=BY_ID[id].cases[:1])
        monkeypatch.setattr("wsctl.fuzz.run.chosen", lambda ids, groups: (probe,))
        options = FuzzOptions(target=Target(url=server.url), seed=1, cases=0, pid=server.pid, max_stall=STALL, wait=0.1)
        (result,) = uvloop.run(FuzzRun(options, SystemClock(), lambda _: None).run()).probes
        return result

    return play


@pytest.mark.parametrize(
    ("spot", "id", "ending", "harm"),
    [
        ("rsv", "F1", "stayed open and answers", ""),
        ("mask", "F5", "stayed open and answers", ""),
        ("mute", "E2", "neither ended nor answers", ""),
        ("error", "S4", "cut without a close", "the process is gone"),
        ("kick", "S4", "stayed open and answers", "thrown out of its namespace"),
        ("hoard", "F7", "", "MB of memory"),
    ],
)
def test_a_soft_spot(
    spot: str, id: str, ending: str, harm: str, sound: Running, judged: Callable[[Running, str], ProbeResult]
) -> None:
    """It fails where it is there, for the reason that it has, and only then."""
    with serving(spot) as server:
        found = judged(server, id)
    assert found.verdict is Verdict.FAILED
    assert ending in found.ending
    assert any(harm in one for one in found.harms) if harm else not found.harms
    passed = judged(sound, id)
    assert (passed.verdict, passed.harms) == (Verdict.PASSED, ())

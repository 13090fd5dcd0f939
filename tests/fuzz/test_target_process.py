"""A target that wsctl starts itself: it is waited for, started anew, and ended; what it said is told where it fails."""

import os
import sys

import pytest
from tests.fuzz.campaigns import fuzzed, options, serving, started

from wsctl.errors import Unreachable, UsageError
from wsctl.fuzz.events import Event
from wsctl.fuzz.result import ProbeResult
from wsctl.fuzz.run import FuzzRun
from wsctl.model.finding import Verdict

NOWHERE = "http://127.0.0.1:9"


def test_it_is_ended_with_the_run() -> None:
    pids: list[int] = []

    def note(run: FuzzRun, event: Event) -> None:
        if isinstance(event, ProbeResult):
            assert run._process is not None
            pids.append(run._process.pid)

    assert fuzzed(started("none", cases=1), note).verdict is Verdict.PASS
    with pytest.raises(ProcessLookupError):
        os.kill(pids[-1], 0)


def test_one_that_ends_is_told_with_its_last_words() -> None:
    command = f"{sys.executable} -I -S -c \"print('no such symbol'); raise SystemExit(7)\""
    with pytest.raises(Unreachable, match=r"ended with status 7: no such symbol$"):
        fuzzed(options(NOWHERE, command=command))


@pytest.mark.parametrize(
    ("command", "said"),
    [("'", "bad command"), (" ", "is empty"), ("/no/such/program x", "cannot start /no/such/program: No such file")],
)
def test_what_is_no_command_is_told(command: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        fuzzed(options(NOWHERE, command=command))


def test_a_target_that_is_there_already_is_not_started_beside() -> None:
    with serving("none") as url, pytest.raises(UsageError, match="answers already"):
        fuzzed(options(url, command="true"))

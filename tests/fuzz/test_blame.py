"""Which case is blamed for a harm that shows late: the one that does it again. What adds up is seen in the end."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from wsctl.fuzz import campaign
from wsctl.fuzz.campaign import Campaign
from wsctl.fuzz.canary import CLOSED
from wsctl.fuzz.catalogue import BY_ID
from wsctl.fuzz.ending import Ending
from wsctl.fuzz.probe import HEARTBEAT, Probe, Verdict
from wsctl.fuzz.process_watch import ProcessWatch
from wsctl.fuzz.result import ProbeResult
from wsctl.fuzz.steps import Case, Join
from wsctl.fuzz.trial import LATE, Trial, Trials, unfit

ALIVE = Ending(kind="alive")
DIED = "it died"


def probe(id: str, deadline: float = 5.0) -> Probe:
    """One with a single case of its own."""
    like = BY_ID["S4"]
    case = Case(steps=(Join(),), name=id)
    return Probe(
        **{name: getattr(like, name) for name in ("title", "group", "source", "symptom", "needs", "safe")},
        id=id,
        cases=(case,),
        deadline=deadline,
    )


class Played:
    """Stands in for Trials and Oracle: what comes of each case is said beforehand, in turn; the last for good."""

    def __init__(self, said: dict[str, list[Trial]], in_the_end: tuple[str, ...] = ()) -> None:
        self.said = {name: iter(trials) for name, trials in said.items()}
        self.latest: dict[str, Trial] = {}
        self.in_the_end = in_the_end
        self.gone = False
        self.played = 0
        self.order: list[str] = []

    async def play(self, case: Case, deadline: float, **_: Any) -> Trial:
        self.order.append(case.name)
        self.latest[case.name] = next(self.said[case.name], self.latest.get(case.name, Trial(ALIVE)))
        return self.latest[case.name]

    async def admit(self, case: Case) -> str | None:
        return None

    async def after(self, endings: tuple[Ending, ...]) -> tuple[str, ...]:
        return self.in_the_end

    async def returned(self, within: float) -> bool:
        return True


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ended(*_: object, **__: object) -> tuple[Ending, ...]:
        return (Ending(kind="closed", code=1000),)

    monkeypatch.setattr(campaign, "PATIENCE", 0.0)
    monkeypatch.setattr(campaign, "play_at_once", ended)


def verdicts(played: Played, *probes: Probe) -> dict[str, tuple[Verdict, tuple[str, ...]]]:
    """By probe, with the harms."""
    told: list[ProbeResult] = []
    walk = Campaign(played, played, told.append, fail_fast=False)  # type: ignore[arg-type]
    if any(one.deadline < 0 for one in probes):
        played.player = None  # type: ignore[attr-defined]
    asyncio.run(walk.run(probes))
    assert {one.id for one in told} == {one.id for one in walk.results}
    return {one.id: (one.verdict, one.harms) for one in walk.results}


def test_harm_found_before_a_case_began_is_that_of_the_one_before() -> None:
    late = Trial(unfit("the target was harmed before"), (LATE,), late=True)
    played = Played({"A": [Trial(ALIVE), Trial(ALIVE, (DIED,))], "B": [late, Trial(ALIVE)]})
    assert verdicts(played, probe("A"), probe("B")) == {"A": (Verdict.FAILED, (DIED,)), "B": (Verdict.PASSED, ())}
    assert played.order == ["A", "B", "A", "B"]


def test_harm_seen_during_another_case_is_that_of_who_does_it_again() -> None:
    played = Played(
        {"A": [Trial(ALIVE), Trial(ALIVE, (DIED,))], "B": [Trial(ALIVE)], "C": [Trial(ALIVE, (DIED,)), Trial(ALIVE)]}
    )
    found = verdicts(played, probe("A"), probe("B"), probe("C"))
    assert {id: verdict for id, (verdict, _) in found.items()} == {
        "A": Verdict.FAILED,
        "B": Verdict.PASSED,
        "C": Verdict.PASSED,
    }


def test_harm_that_nobody_does_again_stays_with_whom_it_was_seen() -> None:
    played = Played({"A": [Trial(ALIVE)], "B": [Trial(ALIVE, (DIED,)), Trial(ALIVE)]})
    found = verdicts(played, probe("A"), probe("B"))
    assert found["A"] == (Verdict.PASSED, ())
    assert found["B"] == (Verdict.FAILED, (DIED, "not again when it was played again"))


def test_harm_in_the_end_is_that_of_those_that_waited() -> None:
    found = verdicts(Played({"A": [Trial(ALIVE)]}, (DIED,)), probe("A"), probe("W1", HEARTBEAT), probe("W2", HEARTBEAT))
    assert found["A"] == (Verdict.PASSED, ())
    for id in ("W1", "W2"):
        assert found[id] == (Verdict.FAILED, (DIED, "done by one of W1, W2: play them one by one"))


def test_harm_in_the_end_where_nobody_waited_is_that_of_the_last() -> None:
    found = verdicts(Played({"A": [Trial(ALIVE)], "B": [Trial(ALIVE)]}, (DIED,)), probe("A"), probe("B"))
    assert found["A"] == (Verdict.PASSED, ())
    assert found["B"] == (Verdict.FAILED, (DIED, "seen after all was played"))


class Closing:
    """Stands in for an Oracle whose canary is closed in order, so often."""

    late = False

    def __init__(self, often: int) -> None:
        self._left = often

    async def before(self) -> None:
        return None

    async def returned(self, within: float) -> bool:
        return True

    async def after(self, endings: tuple[Ending, ...]) -> tuple[str, ...]:
        self._left -= 1
        return (f"{CLOSED} 1001",) if self._left >= 0 else ()

    def is_doubtful(self, harms: tuple[str, ...]) -> bool:
        return bool(harms)

    def player(self) -> Any:
        class Alive:
            async def play(self, *_: object, **__: object) -> Ending:
                return ALIVE

        return Alive()


@pytest.mark.parametrize(("often", "harms", "doubted"), [(1, (), 1), (2, (f"{CLOSED} 1001",), 0)])
def test_a_canary_that_is_closed_in_order_may_have_had_its_time(
    often: int, harms: tuple[str, ...], doubted: int
) -> None:
    async def play() -> Trial:
        return await trials.play(Case(steps=(Join(),)), 1.0)

    trials = Trials(Closing(often), max_bytes=1000, rate=0, wait=0)  # type: ignore[arg-type]
    assert asyncio.run(play()).harms == harms
    assert trials.doubted == doubted


@pytest.fixture
def holder() -> Iterator[Callable[[int], int]]:
    """Makes a child of a shell hold so many more descriptors; answers the shell's id."""
    code = "import os, sys\nfor line in sys.stdin:\n [os.dup(1) for _ in range(int(line))]; print(flush=True)"
    command = f'"{sys.executable}" -I -S -c "$0"; exit 0'  # it does not become the shell, which waits for it
    with subprocess.Popen(
        ["/bin/sh", "-c", command, code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None

        def hold(more: int) -> int:
            print(more, file=shell.stdin, flush=True)
            assert shell.stdout is not None
            shell.stdout.readline()
            return shell.pid

        yield hold
        shell.stdin.close()
    assert os.WIFEXITED(shell.returncode)


def test_what_a_process_takes_bit_by_bit_adds_up(holder: Callable[[int], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its child does: what was started is often a script."""
    monkeypatch.setattr("wsctl.fuzz.process_watch.SETTLE", 0.1)

    async def watch() -> list[list[str]]:
        pid = holder(0)
        watching = ProcessWatch(lambda: pid)
        found = []
        for _ in range(2):
            watching.look()
            holder(10)
            found.append(await watching.objections())
        return [*found, await watching.drift()]

    assert asyncio.run(watch()) == [[], [], ["20 more descriptors than before all was begun"]]

"""A harm that shows after its case was judged is that case's, not the next one's."""

import asyncio
import threading

from tests.fuzz.campaigns import options, serving

from wsctl.fuzz.ending import Ending
from wsctl.fuzz.generate.search import Harmed, Search
from wsctl.fuzz.generate.socketio_machine import SocketIOMachine
from wsctl.fuzz.oracle import SOCKETIO, Oracle
from wsctl.fuzz.steps import Case, Cut, Join, Say, data
from wsctl.fuzz.trial import LATE, Trial, Trials, unfit

FATAL = Case(steps=(Join(), Say(data=data('42["price:subscribe"]')), Say(data=data('42["message",[{"":0}]]'))))
CALM = Case(steps=(Join(),))


def test_a_connection_that_is_cut_between_two_cases_is_not_overlooked() -> None:
    late = threading.Event()

    async def play() -> list[Trial]:
        trials = Trials(oracle, max_bytes=10_000, rate=0, wait=5)
        async with asyncio.timeout(20), oracle:
            found = [await trials.play(FATAL, 0.1)]
            late.set()
            while not oracle.late:  # noqa: ASYNC110 - it is told by the server's thread
                await asyncio.sleep(0.002)
            return [*found, await trials.play(CALM, 5.0), await trials.play(CALM, 5.0)]

    with serving("nested", late) as url:
        oracle = Oracle(options(url).target, None, SOCKETIO, max_stall=5.0)
        first, second, third = asyncio.run(play())
    assert not first.harms
    assert second.late
    assert second.harms == (LATE,)
    assert not third.harms


def test_the_case_before_is_judged_again_and_made_small() -> None:
    doomed = False

    async def play(case: Case, patience: float) -> Trial:
        nonlocal doomed
        if doomed:
            doomed = False
            return Trial(unfit("the target was harmed before"), (LATE,), late=True)
        fatal = any(isinstance(step, Cut) and step.how == "rst" for step in case.steps)
        doomed = fatal and not patience
        return Trial(Ending(kind="alive"), ("it died",) if fatal and patience else ())

    async def search() -> Search:
        searching = Search(SocketIOMachine, play, 200, 1)
        await searching.run()
        return searching

    found = asyncio.run(search()).found[Harmed]
    assert found.again
    assert found.case.steps == (Cut(how="rst"),)
    assert found.shrunk_from > 1

"""A load from its beginning to its end, by what the Locust process tells."""

import asyncio
import io
import signal
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
from rich.console import Console
from tests.cli.program import Server
from tests.load.seconds import process, second

from wsctl.cli import loading
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.errors import ExitCode
from wsctl.load import preflight, remote, run
from wsctl.load.messages import Done, Second, WorkerLost
from wsctl.load.options import Control, LoadOptions
from wsctl.load.outcome.result import LoadResult
from wsctl.load.outcome.verdict import UNFLUSHED
from wsctl.load.profile import LoadSpec, StageSpec
from wsctl.model.expectation import parse_expectation
from wsctl.model.finding import Verdict
from wsctl.model.run import StepResult
from wsctl.report.load_table import LoadTable
from wsctl.scenario.judge import judge
from wsctl.scenario.spec import LoadStepSpec, StepSpec
from wsctl.scenario.steps.kind import Context, Files
from wsctl.scenario.steps.load import LoadStep
from wsctl.swarm.clocks import SAME_HOST, Basis

SYMBOLS = ("BTC/USDT", "ETH/USDT")


def options(url: str = "http://127.0.0.1:9", **given: Any) -> LoadOptions:
    stages = (StageSpec(ramp=10, over=1.0), StageSpec(hold=60.0))
    return LoadOptions(target=Target(url=url), spec=LoadSpec(symbols=SYMBOLS, stages=stages), name="a load", **given)


class Script:
    """Stands in for the Locust process: tells what it is given."""

    def __init__(self, *reports: Any) -> None:
        self._reports = iter(reports)

    def __call__(self, plan: Any) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        for report in self._reports:
            return report
        raise StopAsyncIteration


def script(monkeypatch: pytest.MonkeyPatch, *reports: Any) -> None:
    """Have whatever load is run next tell such reports."""

    async def scouted(*_: Any) -> None: ...

    monkeypatch.setattr(run, "scout", scouted)
    monkeypatch.setattr(run, "RemoteLoad", Script(*reports))


def told(
    monkeypatch: pytest.MonkeyPatch, *reports: Any, expected: tuple[str, ...] = ()
) -> tuple[LoadResult, run.LoadRun]:
    """What comes of such reports."""

    script(monkeypatch, *reports)
    asked = options(expected=tuple(map(parse_expectation, expected)))
    made = run.LoadRun(asked, SystemClock(), lambda event: None)
    return asyncio.run(made.run()), made


def test_what_was_lost_on_the_way_is_told_and_no_total_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = told(
        monkeypatch,
        second(1.0, asked=10, opened=10, subscribed=10, failed=0, unacknowledged=2),
        second(3.0, received=90, latencies={0.01: 90}),
        WorkerLost(index=1, users=0),
        Done(flushed=False, missing=(0,)),
        expected=("messages.received >= 10", "latency.p95 < 1 s"),
    )
    assert (result.verdict, result.metrics["errors"]) == (Verdict.UNVERIFIABLE, 0)
    assert [one.verdict for one in result.expectations] == [Verdict.UNVERIFIABLE, Verdict.PASS]
    assert "2 subscriptions were not acknowledged; taken for served all the same" in result.notes
    assert "worker 1 was lost; users that it had: 0" in result.notes
    assert "workers that did not answer at the end: 0" in result.notes
    assert any("not every process told all" in note for note in result.notes)


@pytest.mark.parametrize(
    ("clocks", "words"),
    [
        ((SAME_HOST, SAME_HOST), "same host, one clock: exact"),
        ((Basis(0.25, 0.001),), "by time:sync: offset +250.0 ms, ± 1.0 ms at worst"),
        (
            (Basis(0.25, 0.001), Basis(-3.0, 0.0042)),
            "by time:sync: offsets -3,000.0 to +250.0 ms, ± 4.2 ms at worst",
        ),
        ((None,), "not measured: the feed cannot be asked for its time, so that there are no latencies"),
        (
            (SAME_HOST, Basis(0.25, 0.001), None, Basis(0.25, 0.002)),
            "1 of 4 workers: same host, one clock: exact; "
            "2 of 4 workers: by time:sync: offset +250.0 ms, ± 2.0 ms at worst; "
            "1 of 4 workers: not measured: the feed cannot be asked for its time, so that there are no latencies",
        ),
        ((), "not measured: it never came to that"),
    ],
)
def test_the_clock_is_that_of_the_worst_worker(
    monkeypatch: pytest.MonkeyPatch, clocks: tuple[Basis | None, ...], words: str
) -> None:
    """And each has its own."""
    there = tuple(process(index, clock=clock) for index, clock in enumerate(clocks))
    nobody = process(len(clocks), users=0, clock=None)
    result, _ = told(monkeypatch, second(3.0, received=9, processes=(*there, nobody)), Done(flushed=True))
    assert [worker.clock for worker in result.workers] == [*clocks, None]
    assert result.clock == words


def test_a_worker_that_is_lost_keeps_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    both = (process(0), process(1, clock=Basis(0.25, 0.02)))
    result, _ = told(
        monkeypatch,
        second(2.0, received=9, processes=both),
        WorkerLost(index=1, users=10),
        second(3.0, received=9, processes=both[:1], incomparable=3),
        Done(flushed=True),
    )
    assert result.clock.endswith("1 of 2 workers: by time:sync: offset +250.0 ms, ± 20.0 ms at worst")
    assert "3 latencies are left out: the clocks cannot be compared" in result.notes


def test_everybody_away_for_a_moment_at_the_end_is_no_target_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    came = second(1.0, asked=10, opened=10, subscribed=10, received=9, causes={"one was cut": 1})
    away = second(3.0, users=0, open=0)
    away.delta.levels["users"] = 0
    result, made = told(
        monkeypatch, came, Second(at=1.0, elapsed=3.0, users=10, stage=1, delta=away.delta), Done(flushed=True)
    )
    assert (made.failure, result.verdict) == (None, Verdict.PASS)


def test_nobody_ever_came_up(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = second(3.0, open=0, asked=10, opened=0, causes={"it said no": 10})
    _, made = told(monkeypatch, refused, Done(flushed=True))
    assert made.failure is not None
    assert made.failure.message == "no connection came up: it said no"


def stepped(
    monkeypatch: pytest.MonkeyPatch, *reports: Any, expect: dict[str, Any], said: list[str] | None = None
) -> StepResult:
    """The result of a scenario's step that is told such reports; `said`: what the step says about its measuring."""
    heard = [] if said is None else said
    script(monkeypatch, *reports)
    step = StepSpec(load=LoadStepSpec(users=10, symbols=SYMBOLS, duration=60.0), expect=expect)
    context = Context(
        target=Target(url="http://127.0.0.1:9"),
        tokens={},
        files=Files(Path(), Path()),
        clock=SystemClock(),
        progress=lambda metrics: None,
        measuring=lambda: heard.append("measuring"),
        measured=lambda: heard.append("measured"),
    )
    outcome = asyncio.run(LoadStep().run(step, context))
    return judge(step, outcome, duration=1.0, ours=True)


def test_what_a_stage_never_told_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = second(1.0, processes=()), second(2.0, stage=1, opened=10, failed=0, received=1234)
    result, _ = told(monkeypatch, *reports, Done(flushed=True))
    shown = io.StringIO()
    Console(width=120, file=shown).print(LoadTable(result))
    ramp, hold = (line.split() for line in shown.getvalue().splitlines() if line.startswith(("ramp", "hold")))
    assert ramp[-6:] == ["–", "–", "–", "–", "–", "–"]
    assert hold[-6:] == ["10", "1,234", "–", "–", "–", "0"]


CAME = second(1.0, asked=10, opened=10, subscribed=10, received=9)


def test_a_busy_generator_hides_no_loss_in_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = second(3.0, open=1, closed=9, received=9, processes=(process(cpu=1.2),))
    result = stepped(monkeypatch, CAME, gone, Done(flushed=True), expect={"errors": 0, "server.cpu": "< 1 core"})
    assert result.verdict is Verdict.FAIL
    assert result.reason == "9 of 10 connections were gone when most were asked for, which nothing expects"


def test_a_busy_generator_takes_from_a_step_only_what_is_about_time(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = second(3.0, received=9, latencies={0.01: 9}, failed=0, processes=(process(cpu=1.2),))
    for metric, bound, verdict in (("errors", "== 0", Verdict.PASS), ("latency.p95", "< 1 s", Verdict.INVALID)):
        assert stepped(monkeypatch, CAME, busy, Done(flushed=True), expect={metric: bound}).verdict is verdict


def test_what_it_costs_to_see_everybody_off_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    over = Second(at=1.0, elapsed=61.0, users=0, delta=CAME.delta)
    stepped(monkeypatch, CAME, second(30.0, stage=1), over, Done(flushed=True), expect={"errors": 0}, said=said)
    assert said[0] == "measuring"
    assert said.index("measured") == len(said) - 1 > 0


def test_what_is_tight_on_the_machine_is_told_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "PER_CORE", 4)
    result = stepped(monkeypatch, CAME, Done(flushed=True), expect={"errors": 0})
    assert any(note.startswith("cores: ") for note in result.notes)


def test_no_total_of_a_step_passes_where_not_everything_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    result = stepped(monkeypatch, CAME, Done(flushed=False), expect={"messages.received": "> 5"})
    assert (result.verdict, result.reason) == (Verdict.UNVERIFIABLE, UNFLUSHED)


@pytest.mark.timeout(120)
def test_a_locust_process_that_hangs_at_the_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "END_WITHIN", 1.0)
    monkeypatch.setattr(remote, "PATIENCE", 0.5)
    hanging: list[psutil.Process] = []

    def hang(event: run.Event) -> None:
        if isinstance(event, Second) and event.delta.levels.get("open") == 10 and not hanging:
            children = psutil.Process().children(recursive=True)
            (locust,) = [one for one in children if "wsctl.load.locust.process" in one.cmdline()]
            hanging.append(locust)
            locust.send_signal(signal.SIGSTOP)
            made.stop()

    async def follow() -> LoadResult:
        async with asyncio.timeout(60):
            return await made.run()

    with Server(tmp_path, "--symbols", ",".join(SYMBOLS)) as server:
        made = run.LoadRun(options(server.url), SystemClock(), hang)
        result = asyncio.run(follow())
    assert made.failure is not None
    assert made.failure.message == "the load's process did not end within 1 s of being asked to"
    assert made.failure.exit_code == ExitCode.INTERNAL
    assert (result.verdict, result.metrics["connections.opened"]) == (Verdict.ERROR, 10)
    assert not hanging[0].is_running()


def test_a_load_lasts_as_long_as_its_course_and_began_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = told(monkeypatch, second(0.0, stage=None), CAME, second(3.0, received=9), Done(flushed=True))
    assert (result.duration, result.started_at) == (3.0, 1000.0)


def test_one_that_is_stopped_while_the_target_is_silent_ends_at_once() -> None:
    """It takes the connection, and says nothing."""

    async def interrupted() -> LoadResult:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asyncio.get_running_loop().call_soon(made.stop)
            await reader.read()
            writer.close()

        server = await asyncio.start_server(hold, "127.0.0.1", 0)
        async with server, asyncio.timeout(5) as limit:
            port = server.sockets[0].getsockname()[1]
            made = run.LoadRun(options(f"http://127.0.0.1:{port}"), SystemClock(), lambda event: None)
            result = await made.run()
        assert not limit.expired()
        return result

    result = asyncio.run(interrupted())
    assert (result.interrupted, result.reason, result.series) == (True, "interrupted", ())


def test_one_that_is_killed_does_not_wait_for_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-C twice; its process hangs."""
    monkeypatch.setattr(remote, "PATIENCE", 600.0)

    def hang(event: run.Event) -> None:
        children = psutil.Process().children(recursive=True)
        hanging.extend(one for one in children if "wsctl.load.locust.process" in one.cmdline())
        hanging[0].send_signal(signal.SIGSTOP)
        made.stop()
        made.kill()

    async def follow() -> None:
        async with asyncio.timeout(30) as limit:
            assert (await made.run()).interrupted
        assert not limit.expired()

    hanging: list[psutil.Process] = []
    with Server(tmp_path, "--symbols", ",".join(SYMBOLS)) as server:
        made = run.LoadRun(options(server.url), SystemClock(), hang)
        asyncio.run(follow())
    assert not hanging[0].is_running()


def test_who_is_away_or_waits_for_its_turn_is_no_target_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    away = [second(2.0 + at, there=0) for at in range(20)]
    waiting = [second(30.0 + at, waiting=10) for at in range(20)]
    result, made = told(monkeypatch, CAME, *away, *waiting, second(51.0, received=9), Done(flushed=True))
    assert (made.failure, result.verdict) == (None, Verdict.PASS)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ({}, "no connection came up"),  # nobody even entered
        ({"asked": 10, "there": 10}, "no connection came up"),
        ({"asked": 10, "there": 10, "opened": 10}, "every connection was lost and none came back"),
    ],
)
def test_a_target_that_is_gone_is_given_up(
    monkeypatch: pytest.MonkeyPatch, missing: dict[str, int], message: str
) -> None:
    """Also where those who are not let in are away now and then."""
    first = second(1.0, open=0, **{"there": 0, **missing})
    later = (second(2.0 + at, open=0, there=missing.get("there", 0) * (at % 4 > 0)) for at in range(24))
    _, made = told(monkeypatch, first, *later, Done(flushed=True))
    assert made.failure is not None
    assert made.failure.message == message


def test_users_that_never_had_their_turn_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    spike = second(1.0, waiting=184, asked=320, set_out=136, opened=136, subscribed=136, received=9)
    result, _ = told(monkeypatch, spike, Done(flushed=True))
    assert result.verdict is Verdict.PASS
    assert any(note.startswith("184 users never had their turn to connect: connect_rate ") for note in result.notes)


def test_workers_of_its_own_are_awaited_like_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However few are expected."""
    script(monkeypatch, second(0.0, stage=None), CAME, Done(flushed=True))
    asked = options(control=Control(master=True, expect_workers=1, workers=2))
    asyncio.run(loading._run(asked, None, None))
    assert "1 of 2 workers there\n" in capsys.readouterr().err

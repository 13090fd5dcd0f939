"""The Locust process as its parent holds it: what hangs is ended, nobody waits for ever."""

import asyncio
import signal
from functools import partial
from pathlib import Path

import psutil
import pytest
from tests.cli.program import Server
from tests.load.loads import Load, gone

from wsctl.cli import loading
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.errors import ExitCode, TargetError, WsctlError
from wsctl.load import remote, run
from wsctl.load.messages import Failed, Second
from wsctl.load.options import LoadOptions
from wsctl.load.outcome.result import LoadResult
from wsctl.load.plan import LoadPlan
from wsctl.load.profile import LoadSpec
from wsctl.load.run import Event, Listener, LoadRun
from wsctl.model.finding import Verdict

pytestmark = pytest.mark.timeout(120)

NOBODY = "no master at 127.0.0.1:9 took this worker in"


def follow(server: Server, listen: Listener) -> tuple[LoadRun, LoadResult]:
    """A load of four users, to whatever end it comes, and what comes of it."""
    spec = LoadSpec(users=4, ramp=0.0, duration=600.0, symbols=("BTC/USDT",))
    made = LoadRun(LoadOptions(target=Target(url=server.url), spec=spec), SystemClock(), listen)

    async def to_the_end() -> LoadResult:
        async with asyncio.timeout(60):
            return await made.run()

    return made, asyncio.run(to_the_end())


def test_a_server_that_is_killed_ends_the_load_by_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "GONE_AFTER", 2.0)

    def kill(event: Event) -> None:
        if isinstance(event, Second) and event.delta.levels.get("open") == 4:
            server.process.kill()

    with Server(tmp_path, "--symbols", "BTC/USDT") as server:
        made, result = follow(server, kill)
    assert made.failure is not None
    assert made.failure.exit_code == ExitCode.TARGET
    assert "every connection was lost and none came back" in made.failure.message
    assert (result.verdict, result.metrics["connections.closed"]) == (Verdict.ERROR, 4)


def test_a_locust_process_that_hangs_midway_is_ended_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PATIENCE", 0.5)
    started: list[psutil.Process] = []

    def hang(event: Event) -> None:
        if isinstance(event, Second) and event.delta.levels.get("open") == 4 and not started:
            monkeypatch.setattr(remote, "SILENCE", 2)
            started.extend(psutil.Process().children(recursive=True))
            next(one for one in started if "wsctl.load.locust.process" in one.cmdline()).send_signal(signal.SIGSTOP)

    with Server(tmp_path, "--symbols", "BTC/USDT") as server:
        made, result = follow(server, hang)
        gone([one for one in started if one.pid != server.process.pid])
    assert made.failure is not None
    assert (made.failure.message, made.failure.exit_code) == (
        "the load's process hangs: it said nothing for 2 s",
        ExitCode.INTERNAL,
    )
    assert (result.verdict, result.reason) == (Verdict.ERROR, made.failure.message)
    assert result.metrics["connections.opened"] == 4


def test_a_worker_whose_master_never_comes_says_so() -> None:
    with Load(LoadPlan(role="worker", port=9, patience=1.0)) as load:
        assert load.until(lambda: load.of(Failed)) == [Failed(message=NOBODY, exit_code=ExitCode.TARGET)]
        assert load.end() == ExitCode.TARGET


def test_the_command_of_such_a_worker_fails_by_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "LoadPlan", partial(LoadPlan, patience=1.0))
    with pytest.raises(TargetError, match=NOBODY):
        asyncio.run(loading.be_worker("127.0.0.1", 9))


def test_a_worker_that_hangs_while_it_looks_for_its_master_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "SILENCE", 0)
    monkeypatch.setattr(remote, "PATIENCE", 0.5)

    async def wait_for_it() -> None:
        async with remote.RemoteLoad(LoadPlan(role="worker", port=9, patience=2.0)) as load:
            started.extend(psutil.Process().children())
            started[0].send_signal(signal.SIGSTOP)
            async for _ in load:
                pass

    started: list[psutil.Process] = []
    with pytest.raises(WsctlError, match="hangs: it said nothing for 2 s"):
        asyncio.run(wait_for_it())
    gone(started)

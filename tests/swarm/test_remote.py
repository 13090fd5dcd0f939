"""The child process: how it is driven, and how it ends whatever happens to anybody."""

import asyncio
import math
import signal
import subprocess
import sys
import textwrap
from typing import Any

import msgspec
import psutil
import pytest
from tests.server.served import feed, run, until
from tests.swarm.swarms import WAIT, Watched, options

from wsctl.client.target import Target
from wsctl.errors import WsctlError
from wsctl.model.finding import Finding
from wsctl.model.observation import Observation
from wsctl.swarm import messages
from wsctl.swarm.messages import Done, Failed, Fault, Progress, Settled, Stop
from wsctl.swarm.options import SwarmOptions
from wsctl.swarm.remote import RemoteSwarm


def test_stop_ends_it_at_once() -> None:
    async def test() -> None:
        async with feed() as running, RemoteSwarm(options(running.url, clients=200)) as swarm:
            watched = Watched(swarm)
            await watched.measuring()
            await swarm.stop()
            async with asyncio.timeout(WAIT):  # a third of its duration
                done = await watched.end()
            assert done.metrics["connections.receiving"] == 200
            assert watched.reports.count("Settled") == 1
            await until(lambda: not running.platform.connections)
        assert not psutil.pid_exists(swarm.pid)

    run(test)


def test_it_ends_by_itself_when_the_time_is_up() -> None:
    async def test() -> None:
        async with feed() as running, RemoteSwarm(options(running.url, duration=0.6)) as swarm:
            kinds = [type(report) async for report in swarm]
        assert kinds[-1] is Done
        assert kinds.count(Settled) == kinds.count(Done) == 1
        assert Progress in kinds

    run(test)


def test_stop_before_everybody_is_settled() -> None:
    async def test() -> None:
        async with feed() as running, RemoteSwarm(options(running.url, clients=100, connect_rate=5.0)) as swarm:
            watched = Watched(swarm)
            await watched.until(lambda metrics: metrics["connections.opened"] > 1)
            done = await watched.stop()
        assert done.metrics["connections.asked"] == 100
        assert done.metrics["connections.opened"] < 100
        assert any("of 100 clients had not settled when measuring began" in note for note in done.notes)

    run(test)


def test_leaving_the_block_ends_the_process() -> None:
    async def test() -> None:
        async with feed() as running:
            async with RemoteSwarm(options(running.url)) as swarm:
                await Watched(swarm).measuring()
            assert not psutil.pid_exists(swarm.pid)
            await swarm.close()  # once more changes nothing

    run(test)


def test_a_child_that_hangs_is_killed() -> None:
    async def test() -> None:
        async with feed() as running, RemoteSwarm(options(running.url)) as swarm:
            await Watched(swarm).measuring()
            psutil.Process(swarm.pid).suspend()
        assert not psutil.pid_exists(swarm.pid)

    run(test)


def test_a_child_that_dies_is_told() -> None:
    async def test() -> None:
        async with feed() as running, RemoteSwarm(options(running.url)) as swarm:
            watched = Watched(swarm)
            await watched.measuring()
            psutil.Process(swarm.pid).kill()
            with pytest.raises(WsctlError, match="the swarm's process was ended by signal 9: it said nothing"):
                await watched.end()
            await swarm.stop()  # nobody there, and nothing to object to

    run(test)


def test_a_child_that_breaks_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setattr(sys, "executable", "/bin/sh")

    async def test() -> None:
        async with RemoteSwarm(options("http://127.0.0.1:1")) as swarm:
            with pytest.raises(WsctlError, match=r"the swarm's process exited with \d+: .*sh: .*-P"):
                await anext(swarm)

    run(test)


FAILING = """
import sys
from wsctl.swarm.pipe import Inbox
from wsctl.swarm.process import run_child

async def serve():
    Inbox(sys.stdin.buffer)
    raise ValueError("the cause")

run_child(serve)
"""


def test_a_failure_of_its_own_is_told() -> None:
    """And not that a thread still reads what the parent says."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", FAILING], stdin=pipe, stderr=pipe, text=True) as child:
        assert child.stderr is not None
        assert child.stderr.read().splitlines()[-1] == "ValueError: the cause"
        assert child.wait() == 4


PARENT = """
    import asyncio, sys
    from wsctl.client.target import Target
    from wsctl.swarm.options import SwarmOptions
    from wsctl.swarm.remote import RemoteSwarm

    async def main():
        options = SwarmOptions(target=Target(url=sys.argv[1]), clients=5, duration=60.0)
        async with RemoteSwarm(options) as swarm:
            async for report in swarm:
                print(swarm.pid, flush=True)

    asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_child_survives_its_parent(number: signal.Signals) -> None:
    async def test() -> None:
        async with feed() as running:
            parent = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", textwrap.dedent(PARENT), running.url),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            assert parent.stdout is not None
            child = psutil.Process(int(await parent.stdout.readline()))
            assert child.ppid() == parent.pid
            parent.send_signal(number)
            await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
            await parent.stdout.read()
            await parent.wait()

    run(test)


def test_nobody_reads_and_the_swarm_goes_on() -> None:
    async def test() -> None:
        async with feed() as running, RemoteSwarm(options(running.url, duration=1.0)) as swarm:
            await until(lambda: len(running.platform.clients) == 3)
            await until(lambda: not running.platform.clients)
            assert [type(report) async for report in swarm][-1] is Done

    run(test)


def test_what_is_said_over_the_pipe_comes_out_as_it_went_in() -> None:
    fault = Fault(at=1.5, back_at=2.5, within=30.0, clients=("a", "b"))
    assert messages.decode_command(messages.encode(fault)) == fault
    assert messages.decode_command(messages.encode(Stop())) == Stop()
    done = Done(
        metrics={"reconnect.time.p99": math.inf, "errors": 0.0},
        findings=(Finding(kind="gap", conn="c1", channel="c", first=1, last=2, at=3.0, message="gone"),),
        notes=("so so",),
        channels={"c": 3},
        samples=(Observation(1.0, "c1", "c", "e", None, 1, None, None, {"a": [1]}),),
        saturated=True,
    )
    for report in (
        done,
        Settled(at=1.0, metrics={"errors": 1.0}),
        Progress(elapsed=1.0, metrics={}),
        Failed(message="no", hint=None, exit_code=3),
    ):
        line = messages.encode(report)
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        assert messages.decode_report(line) == report


def test_half_a_surrogate_pair_does_not_stop_a_report() -> None:
    seen = Observation(1.0, "c1", "c", "e", None, 1, None, None, {"text": "\ud800"})
    sent = Done(metrics={"reconnect.time.p99": math.inf}, samples=(seen,))
    got = messages.decode_report(messages.encode(sent))
    assert isinstance(got, Done)
    assert got.samples[0].data == {"text": "?"}
    assert got.metrics == sent.metrics


def test_options_hide_their_secrets_and_carry_them() -> None:
    given: dict[str, Any] = {"token": "sesame", "headers": (("Cookie", "crumbs"),), "auth": {"key": "secret"}}
    told = SwarmOptions(target=Target(**given), clients=2, tokens=("token-1", "token-2"), users=("ann", "bob"))
    for word in ("sesame", "crumbs", "secret", "token-1"):
        assert word not in repr(told)
    assert msgspec.json.decode(messages.encode(told), type=SwarmOptions) == told

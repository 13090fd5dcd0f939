"""A shard as greenlets have it. In a process of its own: gevent and asyncio each want to hear of children that end."""

import subprocess
import sys

import pytest
from tests.cli.program import environment

pytestmark = pytest.mark.timeout(120)

HANG = """
import os, signal
from gevent.event import AsyncResult, Event
from wsctl.client.target import Target
from wsctl.load.locust import link
from wsctl.swarm.shard_messages import ShardOptions

link.SILENCE = 2
told, broken = Event(), AsyncResult()
shard = link.Link(ShardOptions(target=Target(url="http://127.0.0.1:9")), lambda delta: told.set(), broken.set)
told.wait()
os.kill(shard.pid, signal.SIGSTOP)
print(broken.get(timeout=60), "and" if shard.flush() else "but")
shard.close()
try:
    os.kill(shard.pid, 0)
except ProcessLookupError:
    print("it is gone")
"""

STUMBLE = """
from gevent.event import AsyncResult
from wsctl.client.target import Target
from wsctl.load.locust.link import Link
from wsctl.swarm.shard_messages import ShardOptions

broken = AsyncResult()
shard = Link(ShardOptions(target=Target(url="http://127.0.0.1:9")), lambda delta: delta.nothing, broken.set)
print(broken.get(timeout=40))
shard.close()
"""


def said(program: str) -> tuple[str, str]:
    """What it printed, and its complaints."""
    argv = [sys.executable, "-c", program]
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=60)
    return done.stdout, done.stderr


def test_a_shard_that_hangs_is_of_no_use_any_more_and_is_ended() -> None:
    out, err = said(HANG)
    assert out == "the shard's process hangs: it said nothing for 2 s but\nit is gone\n", err


def test_whoever_stumbles_over_what_a_shard_told_is_told_why() -> None:
    out, err = said(STUMBLE)
    assert out.startswith("what the shard's process told could not be taken in: AttributeError("), err

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


def test_a_shard_that_hangs_is_of_no_use_any_more_and_is_ended() -> None:
    done = subprocess.run([sys.executable, "-c", HANG], env=environment(), capture_output=True, text=True, timeout=60)
    assert done.stdout == "the shard's process hangs: it said nothing for 2 s but\nit is gone\n", done.stderr

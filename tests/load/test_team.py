"""A master whose workers come, tell and go. In a process of its own: importing Locust patches the process."""

import json
import subprocess
import sys
from typing import Any

from tests.cli.program import environment

MASTER = """
import json, os, sys
import gevent
from gevent.event import Event
from locust.runners import MasterRunner
from wsctl.load import messages
from wsctl.load.locust.merge import Told
from wsctl.load.locust.part import Part
from wsctl.load.locust.team import Master
from wsctl.load.plan import LoadPlan
from wsctl.swarm.delta import Delta

class Said(list):
    put = list.append

class Runner:  # of workers that are named by their indices, and flush at once
    def get_worker_index(self, id):
        return int(id)
    def send_message(self, kind, data=None, client_id=None):
        if kind == "wsctl.flush":
            master._on_flushed(None, Message(client_id, {"told": 1, "whole": True}))

class Message:
    def __init__(self, id, data):
        self.node_id, self.data = id, data

Part.leave = lambda self, code: None
said, silent = Said(), Event()
master = Master(LoadPlan(role="master", expect_workers=2), iter(silent.wait, 0), said)
master._runner, master._work = Runner(), b"{}"
for index in range(3):
    master._on_ready(None, Message(str(index), {"host": "elsewhere", "pid": 1}))
    users = 10 if index < 2 else 0
    master.merge.add(Told(
        index=index, number=1, at=1.0, delta=Delta(levels={"users": users}), control_cpu=0.0, control_rss=0
    ))
for index in json.loads(sys.argv[1]):
    master._lose(index)
missing = master.flush()
reports = [messages.decode_report(line) for line in said]
print(json.dumps({
    "lost": [(one.index, one.users) for one in reports if isinstance(one, messages.WorkerLost)],
    "failed": [one.message for one in reports if isinstance(one, messages.Failed)],
    "missing": missing,
}), flush=True)
os._exit(0)
"""


def losing(*indices: int) -> dict[str, Any]:
    """What a master of two, with a third one beside them, says of workers that it lost, one after the other."""
    argv = [sys.executable, "-c", MASTER, json.dumps(indices)]
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=50)
    assert done.stdout, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def test_what_a_lost_worker_had_not_told_yet_is_missing() -> None:
    assert losing(1) == {"lost": [[1, 10]], "failed": [], "missing": [1]}


def test_one_more_than_are_expected_is_no_loss() -> None:
    assert losing(2, 0) == {"lost": [[0, 10]], "failed": [], "missing": [0]}


def test_it_is_over_without_those_that_have_users() -> None:
    told = losing(0, 1)
    assert told["lost"] == [[0, 10], [1, 10]]
    assert told["failed"] == ["every worker is lost, and every connection with them"]

"""A master and its workers: what they say to each other by Locust's own messages, beside what Locust says.

    worker → master   wsctl.ready (who I am), wsctl.told (a Told), wsctl.flushed (how often I told), wsctl.broken
    master → worker   wsctl.work (what to do), wsctl.flush

A message that is lost with a connection is missed: a worker numbers what it tells.
"""

import math
import os
import socket
import sys
from functools import partial
from typing import Any

import gevent
import msgspec
from gevent import subprocess
from gevent.event import Event
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from wsctl.errors import UsageError, WsctlError
from wsctl.load import messages, preflight
from wsctl.load.locust.holder import Holder
from wsctl.load.locust.line_writer import LineWriter
from wsctl.load.locust.link import FLUSH_TIMEOUT
from wsctl.load.locust.merge import Told
from wsctl.load.locust.part import Part
from wsctl.load.locust.seats import Dispatcher
from wsctl.load.locust.users import JourneyUser
from wsctl.load.messages import Failed, WorkerLost
from wsctl.load.plan import LoadPlan, Work
from wsctl.swarm.child import raised

READY, WORK, TOLD, FLUSH, FLUSHED, BROKEN = (
    f"wsctl.{name}" for name in ("ready", "work", "told", "flush", "flushed", "broken")
)
ASK_EVERY = 1.0
"""seconds: a master that is just starting may miss the first question"""
PATIENCE = 5.0
"""seconds for workers of our own to end, shorter than the parent's for the master"""
FLUSHED_WITHIN = FLUSH_TIMEOUT + 2.0
"""seconds"""


class _Ready(msgspec.Struct):
    host: str
    pid: int
    """so that a master knows its own"""


class _Work(msgspec.Struct):
    work: Work
    workers: int
    """how many there are"""
    users: int
    """the most that all of them together will have"""


class _Flushed(msgspec.Struct):
    told: int
    """how often it told since it began"""
    whole: bool
    """its shard has told everything"""


class Master(Part):
    """Holds no connections; starts the workers that are to run on this machine."""

    def __init__(self, plan: LoadPlan, commands: Any, reports: LineWriter) -> None:
        super().__init__(plan, commands, reports)
        self._children: dict[int, Any] = {}
        """workers of our own, by pid"""
        self._ready: dict[int, str] = {}
        """ids of workers that know what to do, by index"""
        self._pids: dict[int, int] = {}
        """of our own among them, by index"""
        self._lost: set[int] = set()
        self._flushed: dict[int, _Flushed] = {}
        self._heard = Event()
        """of another worker that has flushed, or is lost"""

    def begin(self, environment: Environment, runner: Any) -> None:
        assert isinstance(runner, MasterRunner)
        assert self.plan.work is not None
        self._runner = runner
        environment.shape_class = self.shape
        environment.dispatcher_class = partial(  # type: ignore[assignment]
            Dispatcher, workers=self.plan.expect_workers, index_of=runner.get_worker_index
        )
        self._work = msgspec.json.encode(_Work(self.plan.work, self.plan.expect_workers, self.plan.users))
        for kind, listener in {
            READY: self._on_ready,
            TOLD: self._on_told,
            FLUSHED: self._on_flushed,
            BROKEN: self._on_broken,
        }.items():
            runner.register_message(kind, listener)
        for _ in range(self.plan.workers):
            self._start_worker(runner.server.port)
        self.spawn(self._watch)

    def flush(self) -> tuple[int, ...]:
        holding = [index for index in sorted(self._ready) if index < self.plan.expect_workers]
        asked = [index for index in holding if index not in self._lost]
        for index in asked:
            self._runner.send_message(FLUSH, client_id=self._ready[index])
        with gevent.Timeout(FLUSHED_WITHIN, False):
            while not all(index in self._flushed or index in self._lost for index in asked):
                self._heard.clear()
                self._heard.wait()
        # whoever is lost takes along what it counted since it told last
        return tuple(index for index in holding if index in self._lost or not self._is_whole(index))

    def close(self) -> None:
        for child in self._children.values():
            child.stdin.close()  # which ends it, if it has not ended by itself
        with gevent.Timeout(PATIENCE, False):
            for child in self._children.values():
                child.wait()
        for child in self._children.values():
            if child.poll() is None:
                child.kill()
                child.wait()

    def _is_whole(self, index: int) -> bool:
        flushed = self._flushed.get(index)
        return flushed is not None and flushed.whole and self.merge.is_whole(index, flushed.told)

    # Workers of our own

    def _start_worker(self, port: int) -> None:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "wsctl.load.locust.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._children[child.pid] = child
        host = "127.0.0.1" if self.plan.bind in ("*", "0.0.0.0") else self.plan.bind  # noqa: S104 - a name for it
        child.stdin.write(messages.encode(LoadPlan(role="worker", host=host, port=port)))
        child.stdin.flush()
        self.spawn(partial(self._wait_for, child))

    def _wait_for(self, child: Any) -> None:
        code = child.wait()
        index = next((index for index, pid in self._pids.items() if pid == child.pid), None)
        if index is not None:
            self._lose(index)
        elif not self._over:
            how = f"was ended by signal {-code}" if code < 0 else f"exited with {code}"
            self.fail(WsctlError(f"a worker's process {how} before it was ready"))

    # Workers anywhere

    def _watch(self) -> None:
        """Locust notices by missing heartbeats that a worker is gone."""
        while True:
            gevent.sleep(1.0)
            for index, id in list(self._ready.items()):
                node = self._runner.clients.get(id)
                if node is None or node.state == STATE_MISSING:
                    self._lose(index)

    def _lose(self, index: int) -> None:
        if index in self._lost or self._done:
            return
        self._lost.add(index)
        self._heard.set()
        if (child := self._children.get(self._pids.get(index, 0))) is not None and child.poll() is None:
            child.kill()  # it hangs: its connections must not outlive what is told of them
        users = self.merge.lose(index)
        if index >= self.plan.expect_workers:  # one more than are expected has no users
            return
        self.report(WorkerLost(index=index, users=users))
        if self._lost.issuperset(range(self.plan.expect_workers)):
            self.fail(WsctlError("every worker is lost, and every connection with them"))

    def _on_ready(self, environment: Environment, msg: Any, **_: Any) -> None:
        said = msgspec.convert(msg.data, _Ready)
        index = self._runner.get_worker_index(msg.node_id)
        self._ready[index] = msg.node_id
        if said.host == socket.gethostname() and said.pid in self._children:
            self._pids[index] = said.pid
        self._runner.send_message(WORK, {"work": self._work}, client_id=msg.node_id)

    def _on_told(self, environment: Environment, msg: Any, **_: Any) -> None:
        told = msgspec.json.decode(msg.data["told"], type=Told)
        if told.index not in self._lost:
            self.take_in(told)
            self.show(told)  # the worker tells Locust nothing: what it had told and Locust had not yet would be missing

    def _on_flushed(self, environment: Environment, msg: Any, **_: Any) -> None:
        self._flushed[self._runner.get_worker_index(msg.node_id)] = msgspec.convert(msg.data, _Flushed)
        self._heard.set()

    def _on_broken(self, environment: Environment, msg: Any, **_: Any) -> None:
        failed = msgspec.convert(msg.data, Failed)
        self.fail(raised(failed.message, failed.hint, failed.exit_code))


class Worker(Part):
    """Tells its master; and its parent, where it was started by hand, of itself alone."""

    def __init__(self, plan: LoadPlan, commands: Any, reports: LineWriter) -> None:
        super().__init__(plan, commands, reports)
        self._told_what = Event()
        self._holder = JourneyUser.holder = Holder(self._told, self._on_break)

    def begin(self, environment: Environment, runner: Any) -> None:
        assert isinstance(runner, WorkerRunner)
        self._runner = runner
        runner.register_message(WORK, self._on_work)
        runner.register_message(FLUSH, self._on_flush, concurrent=True)
        self.spawn(self._ask)

    def flush(self) -> tuple[int, ...]:
        return () if self._holder.flush() else (self._runner.worker_index,)

    def close(self) -> None:
        self._holder.close()

    def _ask(self) -> None:
        """What there is to do."""
        ready = msgspec.to_builtins(_Ready(socket.gethostname(), os.getpid()))
        while not self._told_what.is_set():
            self._runner.send_message(READY, ready)
            self._told_what.wait(ASK_EVERY)

    def _on_work(self, environment: Environment, msg: Any, **_: Any) -> None:
        if not self._told_what.is_set():
            self._told_what.set()
            told = msgspec.json.decode(msg.data["work"], type=_Work)
            try:
                users = math.ceil(told.users / told.workers)
                preflight.require(preflight.this_machine(), users, workers=1, addresses=len(told.work.addresses))
            except UsageError as error:
                self._on_break(UsageError(f"worker at {socket.gethostname()}: {error.message}", hint=error.hint))
            else:
                self._holder.open(told.work, self._runner.worker_index, told.workers)

    def _on_flush(self, environment: Environment, msg: Any, **_: Any) -> None:
        whole = self._holder.flush()
        self._runner.send_message(FLUSHED, msgspec.to_builtins(_Flushed(self._holder.number, whole)))

    def _told(self, told: Told) -> None:
        self.take_in(told)
        self._runner.send_message(TOLD, {"told": msgspec.json.encode(told)})

    def _on_break(self, error: WsctlError) -> None:
        failed = Failed(message=error.message, hint=error.hint, exit_code=error.exit_code)
        self._runner.send_message(BROKEN, msgspec.to_builtins(failed))
        self.fail(error)

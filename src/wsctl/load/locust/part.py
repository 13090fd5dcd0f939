"""What the Locust process of `wsctl load` does beside Locust: reports out, commands in, a true end.

A part is a role: alone, the master of workers, or a worker. The end, whoever asks for it: everything counted is told,
users still there; Done; only then do they leave, which is no part of what was measured.
"""

import logging
import os
import signal
import time
from functools import partial
from typing import Any

import gevent
from gevent.event import Event
from locust import events
from locust.env import Environment
from locust.runners import LocalRunner, MasterRunner

from wsctl.errors import ExitCode, WsctlError
from wsctl.load import messages
from wsctl.load.locust import rows
from wsctl.load.locust.holder import Holder
from wsctl.load.locust.line_writer import LineWriter
from wsctl.load.locust.merge import Merge, Told
from wsctl.load.locust.seats import Dispatcher, Seated
from wsctl.load.locust.shape import CourseShape
from wsctl.load.locust.users import JourneyUser
from wsctl.load.messages import Done, Failed, Ready, Second, SetUsers, Stop
from wsctl.load.plan import LoadPlan

WEB_UI_WITHIN = 10.0
"""seconds"""
LATE = 1.5
"""seconds after which a second is told without those that did not tell"""
REPORT_EVERY = 0.5
"""seconds between a worker's reports to Locust's master of how many users it has"""
CSV_EVERY = 0.5
"""seconds between two looks of Locust at what its CSV files are to hold"""
ORPHAN_PATIENCE = 10.0
"""seconds that an end in order may take when nobody waits for it any more"""


class Part:
    """One per process, made in the main greenlet. `begin` is called there when Locust has made its runner."""

    def __init__(self, plan: LoadPlan, commands: Any, reports: LineWriter) -> None:
        self.plan = plan
        self.merge = Merge()
        self.shape = CourseShape(plan.legs)
        self._commands = commands
        self._reports = reports
        self._complete = Event()
        """all have told since the latest second"""
        self._told_at = 0.0
        """the latest second, in seconds of the course"""
        self._over = False
        """it is ending, or has failed"""
        self._done = False
        """Done is told"""
        self._environment: Environment
        self._main = gevent.getcurrent()
        self.begun = False
        """Locust has made its runner: that of a worker, only once its master has taken it in"""
        events.init.add_listener(self._init)
        self.spawn(self._obey)

    def _init(self, environment: Environment, runner: Any, web_ui: Any, **_: Any) -> None:
        environment.process_exit_code = ExitCode.PASSED  # whatever failed: the verdict is the parent's
        logging.getLogger("locust.stats_logger").disabled = True  # and so are the tables
        self._environment = environment
        runner.user_greenlets = Seated()
        self.begin(environment, runner)
        self.begun = True
        events.test_stopping.add_listener(lambda **_: self.end())
        events.quitting.add_listener(lambda **_: self.end())
        # Locust hears the first only once the course is over; the second would be raised in whatever greenlet runs
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self.stop)
        self.spawn(self._tell_seconds)
        self.spawn(partial(self._tell_ready, runner, web_ui))

    def spawn(self, work: Any) -> gevent.Greenlet:
        """Have something done; an error of our own ends the run."""
        greenlet: gevent.Greenlet = gevent.spawn(work)
        greenlet.link_exception(lambda ended: self.fail(WsctlError(f"the load broke: {ended.exception!r}")))
        return greenlet

    def begin(self, environment: Environment, runner: Any) -> None:
        """Locust is about to start."""
        raise NotImplementedError

    def flush(self) -> tuple[int, ...]:
        """Have everything told that was counted; which processes did not."""
        raise NotImplementedError

    def close(self) -> None:
        """The process is about to end."""

    def report(self, report: messages.Report) -> None:
        """Tell the parent."""
        self._reports.put(messages.encode(report))

    def end(self) -> None:
        """Tell what is left, and Done; once."""
        if not self._over:
            self._over = True
            missing = self.flush()
            if self.plan.csv is not None:  # Locust writes these now and then, and not at the end
                gevent.sleep(2 * CSV_EVERY)
            self._tell_second()
            self.report(Done(flushed=not missing, missing=missing))
            self._done = True

    def stop(self) -> None:
        """End, and the process after it."""
        if not self.begun:  # there is nothing to tell
            self._over = True
            self.report(Done(flushed=True))
            self.leave(ExitCode.PASSED)
            return
        self.end()
        if self.shape.begun:
            self.shape.over = True
        else:
            self.leave(ExitCode.PASSED)

    def fail(self, error: WsctlError) -> None:
        """Tell, and end the process."""
        if not self._over:
            self._over = True
            self.report(Failed(message=error.message, hint=error.hint, exit_code=error.exit_code))
            self.leave(error.exit_code)

    def leave(self, code: int) -> None:
        """End the process as soon as the main greenlet comes to it, wherever it is."""
        gevent.kill(self._main, SystemExit(code))

    def _tell_ready(self, runner: Any, web_ui: Any) -> None:
        url = None
        if web_ui is not None:
            with gevent.Timeout(WEB_UI_WITHIN, WsctlError("Locust's web UI did not start")):
                while not getattr(getattr(web_ui, "server", None), "started", False):
                    gevent.sleep(0.02)
            url = f"http://{self.plan.web_host}:{web_ui.server.server_port}/"
        self.report(Ready(url=url, port=runner.server.port if isinstance(runner, MasterRunner) else None))

    def take_in(self, told: Told) -> None:
        """What a process that holds connections tells, about once a second."""
        self.merge.add(told)
        if self.merge.is_complete:
            self._complete.set()
        if len(self.merge) >= self.plan.expect_workers:
            self.shape.let_begin()

    def show(self, told: Told) -> None:
        """Have Locust's own statistics show the same."""
        stats = self._environment.stats
        rows.add(stats, told.delta)
        rows.trim(stats)

    def _tell_seconds(self) -> None:
        """As soon as all have told, so that no second is without what happened in it; who is late is not waited for."""
        while not self._over:
            self._complete.clear()
            self._complete.wait(LATE if self.merge else 1.0)
            if not self._over:
                self._tell_second()

    def _tell_second(self) -> None:
        shape = self.shape
        before, self._told_at = self._told_at, shape.elapsed
        second = Second(
            at=time.time(),
            elapsed=self._told_at,
            users=shape.users,
            stage=shape.stage,
            mostly=shape.stage_at((before + self._told_at) / 2),
            delta=self.merge.take(),
            processes=self.merge.processes(),
        )
        self.report(second)

    def _obey(self) -> None:
        """Do as the parent says, until it closes the pipe: then nobody is left to run for."""
        for line in self._commands:
            match messages.decode_command(line):
                case SetUsers(users=users):
                    self.shape.steer(users)
                case Stop():
                    self.stop()
        if self._over:  # what is left is to write Locust's files
            gevent.sleep(ORPHAN_PATIENCE)
        os._exit(ExitCode.INTERRUPTED)


class Single(Part):
    """Without workers."""

    def __init__(self, plan: LoadPlan, commands: Any, reports: LineWriter) -> None:
        super().__init__(plan, commands, reports)
        self._holder = JourneyUser.holder = Holder(self._told, self.fail)

    def begin(self, environment: Environment, runner: Any) -> None:
        assert isinstance(runner, LocalRunner)
        assert self.plan.work is not None
        environment.shape_class = self.shape
        environment.dispatcher_class = partial(Dispatcher, workers=1, index_of=lambda _: 0)  # type: ignore[assignment]
        self._holder.open(self.plan.work, 0, 1)

    def flush(self) -> tuple[int, ...]:
        return () if self._holder.flush() else (0,)

    def close(self) -> None:
        self._holder.close()

    def _told(self, told: Told) -> None:
        self.take_in(told)
        self.show(told)

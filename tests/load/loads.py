"""The Locust process of a load as its parent has it: told what to do, and read as it goes."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, Any, Self

import psutil
from tests.cli.program import environment, wait_until

from wsctl.client.target import Reconnect, Target
from wsctl.load import messages
from wsctl.load.course import Course
from wsctl.load.messages import Command, Report, Second
from wsctl.load.plan import Journey, LoadPlan, Work
from wsctl.load.profile import StageSpec
from wsctl.swarm.delta import Sums

WAIT = 40.0
"""seconds until what must come true is given up"""
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
CHANNELS = tuple(f"symbol:{symbol}:ticker" for symbol in SYMBOLS)
QUICK = Reconnect(attempts=100, delay=0.05, delay_max=0.2)


def work(url: str, *journeys: Journey, **given: Any) -> Work:
    """What a few users do, at once."""
    return Work(
        target=Target(url=url, direct=True, **given.pop("target", {})),
        journeys=journeys or (Journey(kind="prices"),),
        **{"symbols": SYMBOLS, "connect_rate": 0.0, "reconnect": QUICK, **given},
    )


def plan(asked: Work, users: int, *, workers: int = 0, **given: Any) -> LoadPlan:
    """So many users, at once and until it is stopped."""
    legs = Course([StageSpec(ramp=users, over=0.0), StageSpec(hold=3600.0)]).legs
    role = "master" if workers else "single"
    return LoadPlan(
        **{"role": role, "work": asked, "legs": legs, "workers": workers, "expect_workers": workers, **given}
    )


class Load:
    """A running one; whatever it started is gone at the end of the block."""

    def __init__(self, told: LoadPlan) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "wsctl.load.locust.process"],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.reports: list[Report] = []
        self.sums = Sums()
        """of all deltas"""
        self.talk = b""
        self._changed = threading.Condition()
        self._listening = threading.Thread(target=self._listen, args=(self.process.stderr,), daemon=True)
        self._reading = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._listening.start()
        self._reading.start()
        self._write(messages.encode(told))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.end()

    def tell(self, command: Command) -> None:
        """Ask something of it."""
        self._write(messages.encode(command))

    def hang_up(self) -> None:
        """As a parent that is gone."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until what was reported makes a condition true; its value."""
        with self._changed:
            met = self._changed.wait_for(lambda: condition() or not self._reading.is_alive(), WAIT)
            value = condition()
        others = [report for report in self.reports if not isinstance(report, Second)]
        levels = self.latest.delta.levels if self.latest is not None else None
        assert value, f"{met=} {levels} {self.sums.counts} {self.sums.causes} {others} {self.talk[-2000:].decode()}"
        return value

    def until_levels(self, **levels: int) -> Second:
        """Wait for a second that ended with such levels, `open` and so on."""

        def reached() -> Second | None:
            second = self.latest
            met = second is not None and all(second.delta.levels.get(name) == level for name, level in levels.items())
            return second if met else None

        second: Second = self.until(reached)
        return second

    @property
    def latest(self) -> Second | None:
        """The latest of its seconds."""
        return next((report for report in reversed(self.reports) if isinstance(report, Second)), None)

    def of(self, kind: type[Any]) -> list[Any]:
        """The reports of a kind."""
        return [report for report in self.reports if isinstance(report, kind)]

    def descendants(self) -> list[psutil.Process]:
        """Every process that it started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def shards(self) -> list[psutil.Process]:
        """Those that hold connections."""
        return [one for one in self.descendants() if "wsctl.swarm.shard_process" in one.cmdline()]

    def workers(self) -> list[psutil.Process]:
        """The Locust workers."""
        return [one for one in self.descendants() if "wsctl.load.locust.process" in one.cmdline()]

    def end(self) -> int:
        """Its exit code; nothing that it started is left."""
        code = self.process.wait(WAIT)
        self._reading.join(WAIT)
        self._listening.join(WAIT)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        return code

    def _write(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            report = messages.decode_report(line)
            with self._changed:
                self.reports.append(report)
                if isinstance(report, Second):
                    self.sums.add(report.delta)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _listen(self, stream: IO[bytes]) -> None:
        for line in stream:
            self.talk += line


def gone(processes: list[psutil.Process]) -> None:
    """Wait until none of them lives."""
    wait_until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes))

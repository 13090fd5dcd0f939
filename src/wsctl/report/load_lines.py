"""A load as it happens where there is no terminal: a line now and then, for the logs of CI."""

from collections.abc import Callable

from wsctl.load.messages import Done, Ready, Second, WorkerLost
from wsctl.load.outcome.figures import describe
from wsctl.load.outcome.result import LimitTry
from wsctl.load.run import Event, LoadRun
from wsctl.model.expectation import shown
from wsctl.report.words import counted, printable

EVERY = 5.0
"""seconds between two lines, unless something happens"""


class LoadLines:
    """Says `  12.0 s  hold 30 s: 1,000 of 1,000 open, 998 receiving, 20,000 msg/s, p95 3.1 ms`."""

    def __init__(self, run: LoadRun, say: Callable[[str], None]) -> None:
        self._run = run
        self._say = say
        self._told = -EVERY
        self._stage: int | None = None

    def listen(self, event: Event) -> None:
        """Say what happened, if it is worth a line."""
        match event:
            case Ready(url=url, port=port):
                if url is not None:
                    self._say(f"web UI at {url}")
                if port is not None and self._run.options.control.master:
                    self._say(f"workers may join at port {port}")
            case Second():
                self._second(event)
            case WorkerLost(index=index, users=users):
                self._say(f"worker {index} is lost, and {counted(users, 'user')} with it")
            case LimitTry():
                held = "held" if event.held else f"did not hold: {printable(event.reason or '')}"
                self._say(f"{event.users:,} connections {held}")
            case Done():
                pass

    def _second(self, second: Second) -> None:
        over = second.stage is None and self._run.stages
        if over or second.elapsed <= 0:
            return
        row = self._run.figures.rows[-1]
        if second.elapsed - self._told < EVERY and row.stage == self._stage:
            return
        self._told, self._stage = second.elapsed, row.stage
        stage = "" if row.stage is None else f"{describe(self._run.stages[row.stage])}: "
        rest = "" if row.p95 is None else f", p95 {shown('latency.p95', row.p95)}"
        rest += f", {counted(row.errors, 'error')}" if row.errors else ""
        self._say(
            f"{second.elapsed:6.1f} s  {stage}{row.open:,} of {row.users:,} open, {row.receiving:,} receiving, "
            f"{row.per_second(row.messages):,.0f} msg/s{rest}"
        )

"""What run does around the runner: reports that listen, files at the end, Ctrl-C at any moment."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from wsctl.cli.console import print_text, reader_may_leave, say
from wsctl.cli.drawing import drawn
from wsctl.cli.files import make_folder, write_whole
from wsctl.cli.live import redrawn
from wsctl.cli.loop import on_signals
from wsctl.clock import Clock, SystemClock
from wsctl.errors import ExitCode, UsageError
from wsctl.model.finding import Verdict
from wsctl.model.run import Listener, RunEnded, RunEvent, RunResult
from wsctl.report.junit import junit
from wsctl.report.result_json import result_json
from wsctl.report.run_lines import RunLines
from wsctl.report.run_live import RunLive
from wsctl.report.run_table import RunTable
from wsctl.scenario.aiming import check_aimed
from wsctl.scenario.options import RunOptions
from wsctl.scenario.read import Scenario
from wsctl.scenario.runner import Runner

_STOPPING = "stopping: services are ended and reports written"


async def run_scenarios(scenarios: Sequence[Scenario], options: RunOptions) -> ExitCode:
    """Run, show and write. Whatever ends the run, reports are written and no service is left behind."""
    if options.out is not None:
        make_folder(options.out)
    clock = SystemClock()
    ended: list[RunResult] = []
    stop = _Stop()
    with on_signals(stop, lambda: stop.called):
        try:
            async with _showing(clock) as show:

                def listen(event: RunEvent) -> None:
                    if isinstance(event, RunEnded):
                        ended.append(event.result)
                    show(event)

                await stop.able(Runner(options, clock, listen), scenarios)
        finally:
            for result in ended:
                _report(result, options.out)
    return _exit_code(ended[0]) if ended else ExitCode.INTERRUPTED  # before anything began


class _Stop:
    """Called, it ends a run in good order; called again, without patience for services that linger."""

    def __init__(self) -> None:
        self.called = False
        self._runner: Runner | None = None
        self._task: asyncio.Task[RunResult] | None = None

    def __call__(self) -> None:
        if self.called and self._runner is not None:
            self._runner.kill()
        elif self._task is not None and not self._task.done():
            say(_STOPPING)
            self._task.cancel()
        self.called = True

    async def able(self, runner: Runner, scenarios: Sequence[Scenario]) -> None:
        """Run until the end, or until this is called."""
        self._runner, self._task = runner, asyncio.create_task(runner.run(scenarios))
        try:
            await self._task
        except asyncio.CancelledError:
            if not self.called:
                raise
        finally:
            runner.kill()


@asynccontextmanager
async def _showing(clock: Clock) -> AsyncIterator[Listener]:
    """A live view on a terminal, lines elsewhere; both on stderr."""
    if not sys.stderr.isatty():
        yield RunLines(clock, say).listen
        return
    with RunLive(clock) as live:
        async with redrawn(live):
            yield live.listen


def check_services(scenarios: Sequence[Scenario], options: RunOptions) -> None:
    """Raise UsageError for a scenario that has nothing to aim at, or asks of --url what cannot be said in its
    dialect, before any other is run."""
    for scenario in scenarios:
        if options.target is not None:
            check_aimed(scenario, options.target)
        if options.target is None and not scenario.spec.services:
            raise UsageError(
                f"{scenario.file} has no services, and there is no --url", hint="it takes one or the other"
            )


def _report(result: RunResult, out: Path | None) -> None:
    """Files first: they are written even where stdout cannot be."""
    if out is not None:
        write_whole(out / "result.json", result_json(result))
        write_whole(out / "junit.xml", junit(result))
    with reader_may_leave():
        print_text(drawn(RunTable(result), piped_width=100))
    if out is not None:
        say(f"wrote {out / 'result.json'} and {out / 'junit.xml'}")


def _exit_code(result: RunResult) -> ExitCode:
    if result.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.PASSED if result.verdict is Verdict.PASS else ExitCode.FINDINGS

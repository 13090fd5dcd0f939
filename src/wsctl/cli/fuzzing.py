"""What fuzz does around the engine: reports that listen, files at the end, Ctrl-C at any moment."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from random import SystemRandom

from msgspec import Struct
from rich.console import RenderableType

from wsctl.cli.console import print_text, reader_may_leave, say
from wsctl.cli.drawing import drawn
from wsctl.cli.files import make_folder, write_whole
from wsctl.cli.live import redrawn
from wsctl.cli.loop import on_signals
from wsctl.cli.ready_file import announced
from wsctl.clock import Clock, SystemClock
from wsctl.errors import ExitCode
from wsctl.fuzz.catalogue import against_clients, chosen
from wsctl.fuzz.events import Event, Listener, Listening
from wsctl.fuzz.expected import check_measured, judged, measured, measured_of_clients
from wsctl.fuzz.options import FuzzOptions, ServeFuzzOptions
from wsctl.fuzz.result import FuzzResult
from wsctl.fuzz.run import FuzzRun
from wsctl.fuzz.serving.server import FuzzServer
from wsctl.model.expectation import Expectation
from wsctl.model.finding import Verdict
from wsctl.report.fuzz_lines import FuzzLines
from wsctl.report.fuzz_list import ProbeList, list_json
from wsctl.report.fuzz_live import FuzzLive
from wsctl.report.fuzz_steps import as_run
from wsctl.report.fuzz_table import FuzzTable
from wsctl.report.junit import junit
from wsctl.report.result_json import result_json

PIPED_WIDTH = 120


def seeded(seed: int | None) -> int:
    """The seed that was asked for, or any."""
    return SystemRandom().randrange(2**32) if seed is None else seed


def list_probes(probes: tuple[str, ...], groups: tuple[str, ...], *, json: bool, clients: bool) -> None:
    """Print the catalogue, or some of it; `clients`: what attacks them. Raises UsageError."""
    listed = against_clients(probes, groups) if clients else chosen(probes, groups)
    _print(list_json(listed) if json else ProbeList(listed))


class Reports(Struct, frozen=True, kw_only=True):
    """What is wanted of the result."""

    command: str
    """that plays against the same target again"""
    json: bool
    """instead of a table"""
    out: Path | None
    expected: tuple[Expectation, ...]


async def fuzz_target(options: FuzzOptions, reports: Reports) -> ExitCode:
    """Attack a server, show and write. Whatever ends it, reports are written.

    Raises UsageError for what makes no sense, and Unreachable for a target that is not there to begin with.
    """
    check_measured(reports.expected, measured(cases=options.cases > 0 or options.repro is not None))
    return await _follow(lambda clock, tell: FuzzRun(options, clock, tell), reports)


async def fuzz_clients(options: ServeFuzzOptions, reports: Reports, ready_file: Path | None) -> ExitCode:
    """Attack clients that connect, show and write. Raises UsageError for what makes no sense, a port that is taken."""
    check_measured(reports.expected, measured_of_clients())
    with ExitStack() as stack:

        def announce(event: Event) -> None:
            if isinstance(event, Listening):
                stack.enter_context(announced(ready_file, event.url))

        return await _follow(lambda clock, tell: FuzzServer(options, clock, tell), reports, announce)


async def _follow(
    make: Callable[[Clock, Listener], FuzzRun | FuzzServer], reports: Reports, *more: Listener
) -> ExitCode:
    """From beginning to end, and its reports."""
    shows = list(more)

    def tell(event: Event) -> None:
        for show in shows:
            show(event)

    clock = SystemClock()
    run = make(clock, tell)
    if reports.out is not None:
        make_folder(reports.out)
    stop = _Stop(run)
    with on_signals(stop, lambda: stop.called):
        try:
            async with _showing(clock) as show:
                shows.append(show)
                result = judged(await run.run(), reports.expected)
        except Exception:
            if run.partial is not None:
                _report(judged(run.partial, reports.expected), reports)
            raise
        _report(result, reports)
    return _exit_code(result)


class _Stop:
    """Called, it ends a run with what there is."""

    def __init__(self, run: FuzzRun | FuzzServer) -> None:
        self.called = False
        self._run = run

    def __call__(self) -> None:
        self.called = True
        self._run.stop()


@asynccontextmanager
async def _showing(clock: SystemClock) -> AsyncIterator[Listener]:
    """A live view on a terminal, lines elsewhere; both on stderr."""
    if not sys.stderr.isatty():
        yield FuzzLines(clock, say).listen
        return
    with FuzzLive(clock) as live:
        async with redrawn(live):
            yield live.listen


def _report(result: FuzzResult, reports: Reports) -> None:
    """Files first: they are written even where stdout cannot be."""
    out = reports.out
    if out is not None:
        write_whole(out / "result.json", result_json(result))
        write_whole(out / "junit.xml", junit(as_run(result)))
    _print(result_json(result) if reports.json else FuzzTable(result, reports.command))
    if out is not None:
        say(f"wrote {out / 'result.json'} and {out / 'junit.xml'}")


def _print(what: RenderableType | bytes) -> None:
    with reader_may_leave():
        print_text(what.decode().rstrip("\n") if isinstance(what, bytes) else drawn(what, piped_width=PIPED_WIDTH))


def _exit_code(result: FuzzResult) -> ExitCode:
    if result.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.PASSED if result.verdict is Verdict.PASS else ExitCode.FINDINGS

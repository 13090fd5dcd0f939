"""What ordering-check does around the check: a live feed or recorded Observations, and the report."""

import io
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from wsctl.checks.ordering import OrderingCheck
from wsctl.cli.console import print_text, reader_may_leave, say, to_json
from wsctl.cli.expecting import LEFT, Expecting
from wsctl.cli.loop import interruptible
from wsctl.cli.subscribing import start_watching, tell
from wsctl.clock import SystemClock
from wsctl.errors import ExitCode, UsageError
from wsctl.model.expectation import Expectation
from wsctl.model.finding import Verdict
from wsctl.model.observation import Observation
from wsctl.report.terminal import OrderingReport
from wsctl.watch.lines import Lines
from wsctl.watch.options import WatchOptions


async def check_feed(options: WatchOptions, expected: tuple[Expectation, ...], *, as_json: bool) -> ExitCode:
    """Listen and judge. What was seen is reported however the listening ends."""
    clock = SystemClock()
    watching = start_watching(options, clock)
    check = OrderingCheck()
    expecting = Expecting(expected, clock)
    seen = False
    try:
        async with watching:
            async for item in watching:
                expecting.add(item)
                if isinstance(item, Observation):
                    seen = True
                    check.add(item)
                else:
                    tell(item)
    except BaseException as error:
        if seen:
            _report(check, as_json=as_json)
        if isinstance(error, LEFT):
            expecting.give_up(watching, error)
        raise
    code = _report(check, as_json=as_json)
    return code if expecting.conclude(watching, options.max_silence) else ExitCode.FINDINGS


def check_tape(path: Path, *, as_json: bool) -> ExitCode:
    """Judge recorded Observations; `-` is stdin."""
    check = OrderingCheck()
    with ExitStack() as stack:
        if str(path) == "-":
            source = sys.stdin.buffer
        else:
            try:
                source = stack.enter_context(path.open("rb"))
            except OSError as error:
                raise UsageError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
        interruptible()
        lines = Lines(source, "stdin" if str(path) == "-" else str(path))
        try:
            for observation in lines:
                check.add(observation)
        except KeyboardInterrupt:
            _report(check, as_json=as_json)
            raise
    if lines.truncated:
        say("the last line was cut off; left out")
    return _report(check, as_json=as_json)


def _drawn(check: OrderingCheck) -> str:
    """The report as text: Rich's own way to stdout knows nothing of readers that leave and disks that fill."""
    terminal = sys.stdout.isatty()
    drawing = io.StringIO()
    width = shutil.get_terminal_size().columns if terminal else 120
    Console(file=drawing, width=width, force_terminal=terminal).print(OrderingReport(check))
    return drawing.getvalue().rstrip("\n")


def _report(check: OrderingCheck, *, as_json: bool) -> ExitCode:
    check.close()
    with reader_may_leave():  # the verdict stands, read or not
        if as_json:
            print_text(to_json(check.as_json()))
        else:
            print_text(_drawn(check))
    return ExitCode.PASSED if check.verdict is Verdict.PASS else ExitCode.FINDINGS

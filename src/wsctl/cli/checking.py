"""What ordering-check does around the check: a live feed or recorded Observations, and the report."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path

from wsctl.checks.ordering import OrderingCheck
from wsctl.cli.console import print_text, reader_may_leave, to_json
from wsctl.cli.drawing import drawn
from wsctl.cli.expecting import LEFT, Expecting
from wsctl.cli.loop import interruptible
from wsctl.cli.subscribing import start_watching, tell
from wsctl.cli.tapes import dialect_on, tell_cut, tell_malformed
from wsctl.clock import SystemClock
from wsctl.errors import ExitCode
from wsctl.model.expectation import Expectation
from wsctl.model.finding import Verdict
from wsctl.model.observation import Observation
from wsctl.report.terminal import OrderingReport
from wsctl.tape.observing import Observing
from wsctl.tape.opening import frames_of
from wsctl.tape.recording import Kind, kind_of
from wsctl.tape.source import Empty, Source, open_source
from wsctl.watch.judging import ordering_check
from wsctl.watch.lines import Lines
from wsctl.watch.options import WatchOptions
from wsctl.wire import dialects


async def check_feed(options: WatchOptions, expected: tuple[Expectation, ...], *, as_json: bool) -> ExitCode:
    """Listen and judge. What was seen is reported however the listening ends."""
    clock = SystemClock()
    dialect = dialects.spoken(options.target.dialect)
    watching = start_watching(options, clock)
    check = ordering_check(dialect)
    expecting = Expecting(expected, clock, dialect)
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


def check_tape(path: Path, dialect: str | None, *, as_json: bool) -> ExitCode:
    """Judge what was recorded: Observation lines, a tape, or a capture of cryptofeed's; `-` is stdin.

    `dialect` is a name or a file: for tapes that do not say, or say wrongly, and for Observation lines, which do not.
    """
    interruptible()
    try:
        source = open_source(path)
    except Empty:
        if str(path) != "-":
            raise
        return _report(OrderingCheck(), as_json=as_json)  # a feed that said nothing is a verdict
    with source:
        check = _check(source, dialect, as_json=as_json)
    return _report(check, as_json=as_json)


def _check(source: Source, dialect: str | None, *, as_json: bool) -> OrderingCheck:
    if kind_of(source) is Kind.OBSERVATIONS:
        lines = Lines(source, source.name)
        observations = iter(lines)
        began = list(islice(observations, 1))  # which says how all were spoken
        check = ordering_check(dialects.spoken(dialect or (began[0].dialect if began else None)))
        with _told(check, as_json=as_json):
            for seen in chain(began, observations):
                check.add(seen)
        tell_cut("the last line was cut off; left out" if lines.truncated else None)
        return check
    recording = frames_of(source)
    speaks = dialect_on(recording, dialect)
    check = ordering_check(speaks)
    observing = Observing(recording, speaks)
    with _told(check, as_json=as_json):
        try:
            for seen in observing:
                check.add(seen)
        finally:
            check.malformed = observing.reading.malformed_count
    tell_cut(recording.truncated)
    tell_malformed(observing.reading, speaks)
    return check


@contextmanager
def _told(check: OrderingCheck, *, as_json: bool) -> Iterator[None]:
    """Ctrl-C ends the reading with what was seen by then."""
    try:
        yield
    except KeyboardInterrupt:
        _report(check, as_json=as_json)
        raise


def _report(check: OrderingCheck, *, as_json: bool) -> ExitCode:
    check.close()
    with reader_may_leave():  # the verdict stands, read or not
        if as_json:
            print_text(to_json(check.as_json()))
        else:
            print_text(drawn(OrderingReport(check), piped_width=120))
    return ExitCode.PASSED if check.verdict is Verdict.PASS else ExitCode.FINDINGS

"""What ordering-check does around the check: a live feed or recorded Observations, and the report."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path

from wsctl.cli.console import print_text, reader_may_leave, to_json
from wsctl.cli.drawing import drawn
from wsctl.cli.expecting import LEFT, Expecting, fared, tape_can_tell
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
from wsctl.watch.judging import OF_TIMES, Judging
from wsctl.watch.lines import Lines
from wsctl.watch.options import WatchOptions
from wsctl.wire import dialects


async def check_feed(options: WatchOptions, expected: tuple[Expectation, ...], *, as_json: bool) -> ExitCode:
    """Listen and judge. What was seen is reported however the listening ends."""
    clock = SystemClock()
    dialect = dialects.spoken(options.target.dialect)
    watching = start_watching(options, clock)
    judging = Judging(dialect, times=True)
    expecting = Expecting(expected, clock, dialect)
    seen = False
    try:
        async with watching:
            async for item in watching:
                expecting.add(item)
                if isinstance(item, Observation):
                    seen = True
                    judging.add(item)
                else:
                    tell(item)
    except BaseException as error:
        if seen:
            _report(judging, as_json=as_json)
        if isinstance(error, LEFT):
            expecting.give_up(watching, error)
        raise
    code = _report(judging, as_json=as_json)
    return code if expecting.conclude(watching, options.max_silence) else ExitCode.FINDINGS


def check_tape(path: Path, dialect: str | None, expected: tuple[Expectation, ...], *, as_json: bool) -> ExitCode:
    """Judge what was recorded: Observation lines, a tape, or a capture of cryptofeed's; `-` is stdin.

    `dialect` is a name or a file: for tapes that do not say, or say wrongly, and for Observation lines, which do not.
    Raises UsageError for what cannot be read, and for expectations of what no recording tells.
    """
    interruptible()
    tape_can_tell(expected)
    times = any(expectation.metric in OF_TIMES for expectation in expected)
    try:
        source = open_source(path)
    except Empty:
        if str(path) != "-":
            raise
        judging = Judging(None, times=times)  # a feed that said nothing is a verdict
    else:
        with source:
            judging = _judge(source, dialect, times=times, as_json=as_json)
    code = _report(judging, as_json=as_json)
    return code if fared(expected, judging.metrics(), judging) else ExitCode.FINDINGS


def _judge(source: Source, dialect: str | None, *, times: bool, as_json: bool) -> Judging:
    if kind_of(source) is Kind.OBSERVATIONS:
        lines = Lines(source, source.name)
        observations = iter(lines)
        began = list(islice(observations, 1))  # which says how all were spoken
        judging = Judging(dialects.spoken(dialect or (began[0].dialect if began else None)), times=times)
        with _told(judging, as_json=as_json):
            for seen in chain(began, observations):
                judging.add(seen)
        tell_cut("the last line was cut off; left out" if lines.truncated else None)
        return judging
    recording = frames_of(source)
    speaks = dialect_on(recording, dialect)
    judging = Judging(speaks, times=times)
    observing = Observing(recording, speaks)
    with _told(judging, as_json=as_json):
        try:
            for seen in observing:
                judging.add(seen)
        finally:
            judging.ordering.malformed = observing.reading.malformed_count
    tell_cut(recording.truncated)
    tell_malformed(observing.reading, speaks)
    return judging


@contextmanager
def _told(judging: Judging, *, as_json: bool) -> Iterator[None]:
    """Ctrl-C ends the reading with what was seen by then."""
    try:
        yield
    except KeyboardInterrupt:
        _report(judging, as_json=as_json)
        raise


def _report(judging: Judging, *, as_json: bool) -> ExitCode:
    check, times = judging.ordering, judging.times
    check.close()
    with reader_may_leave():  # the verdict stands, read or not
        if as_json:
            print_text(to_json(check.as_json() | ({} if times is None else {"times": times.as_json()})))
        else:
            print_text(drawn(OrderingReport(check, times), piped_width=120))
    return ExitCode.PASSED if check.verdict is Verdict.PASS else ExitCode.FINDINGS

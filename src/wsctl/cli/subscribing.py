"""What subscribe does around the engine: the mock if need be, a table or lines, a summary at every end."""

import asyncio
import random
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack

from msgspec import structs

from wsctl.cli.console import say
from wsctl.cli.expecting import LEFT, Expecting
from wsctl.cli.output import LineOutput
from wsctl.cli.tracing import Trace
from wsctl.clock import Clock, SystemClock
from wsctl.errors import ExitCode
from wsctl.model import observation
from wsctl.model.expectation import Expectation
from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.model.observation import Observation
from wsctl.report.terminal import LiveTable, stage_line, summary
from wsctl.watch.embedded import target_or_mock
from wsctl.watch.options import WatchOptions
from wsctl.watch.tally import Tally
from wsctl.watch.watching import Watching
from wsctl.wire.dialects import spoken

REFRESH = 0.25
"""seconds between two drawings of the table"""


async def watch_feed(
    options: WatchOptions, expected: tuple[Expectation, ...], *, configured: bool, table: bool
) -> ExitCode:
    """Watch until the time or count is up, a channel is silent for too long, the feed is gone (raises), or Ctrl-C."""
    options.subscriptions()  # nothing to watch is said before anything is started
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        target, mock = await target_or_mock(
            options.target,
            configured=configured,
            symbols=options.symbols,
            channels=options.channels,
            stack=stack,
        )
        if mock is not None:
            say(f"no feed at {options.target.shown}: these are mock prices of wsctl's own (seed {mock.seed})")
            options = structs.replace(options, target=target)
        source = target.shown if mock is None else f"mock prices at {target.shown}"
        dialect = spoken(options.target.dialect)
        tally = Tally(clock, dialect, options.expected())
        watching = start_watching(options, clock)
        expecting = Expecting(expected, clock, dialect)
        try:
            await _watch(watching, tally, expecting, source if table else None)
        except LEFT as error:
            expecting.give_up(watching, error)
            raise
        held = expecting.conclude(watching, options.max_silence)
    return ExitCode.PASSED if held else ExitCode.FINDINGS


async def _watch(watching: Watching, tally: Tally, expecting: Expecting, source: str | None) -> None:
    """To the end, and sum up. `source` stands over the table; None: lines are printed instead."""
    try:
        async with watching:
            if source is not None:
                await _show_table(watching, tally, expecting, source)
            else:
                await _print_lines(watching, tally, expecting)
    finally:
        tally.close()
        if tally.subscribed or tally.messages:
            say(summary(tally, incomparable=watching.feed.incomparable))
        if (offset := watching.feed.clock_offset) is not None and offset.correction:
            say(str(offset))


def start_watching(options: WatchOptions, clock: Clock) -> Watching:
    """The engine; with --trace each frame is printed."""
    spread = random.Random()  # noqa: S311 - spreads attempts, protects nothing
    return Watching(options, clock, spread, tap=Trace() if options.trace else None)


async def _show_table(watching: Watching, tally: Tally, expecting: Expecting, source: str) -> None:
    with ExitStack() as stack:
        table = stack.enter_context(LiveTable(tally, source))
        redrawing = asyncio.create_task(_redraw(table.refresh))
        stack.callback(redrawing.cancel)
        async for item in watching:
            tally.add(item)
            expecting.add(item)
            if isinstance(item, Lifecycle) and item.stage in (Stage.JOINED, Stage.SUBSCRIBED) and item.reason:
                tell(item)  # losses show in the table; these notes would not


async def _redraw(refresh: Callable[[], None]) -> None:
    while True:
        refresh()
        await asyncio.sleep(REFRESH)


async def _print_lines(watching: Watching, tally: Tally, expecting: Expecting) -> None:
    output = LineOutput(sys.stdout.fileno())
    try:
        async for item in watching:
            tally.add(item)
            expecting.add(item)
            if isinstance(item, Observation):
                output.put(observation.encode(item))
            else:
                tell(item)
    finally:
        if sys.exc_info()[0] is not BrokenPipeError:
            output.close()


def tell(stage: Lifecycle) -> None:
    """Say what became of the connection, where people need to know."""
    line = stage_line(stage)
    if line is not None:
        say(line)

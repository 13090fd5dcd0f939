"""What replay does around the player: tapes, where they are played to, the ready file, the summary at every end."""

import math
import os
import sys
from functools import partial
from pathlib import Path

from msgspec import Struct

from wsctl.cli.console import say
from wsctl.cli.loop import until_terminated
from wsctl.cli.output import LineOutput
from wsctl.cli.outputs import server_for
from wsctl.cli.ready_file import announced
from wsctl.cli.tapes import dialect_on, tell_cut, tell_malformed
from wsctl.client.config import TOKEN_VARIABLE
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.errors import ExitCode, UsageError
from wsctl.tape.contents import Contents, contents_of
from wsctl.tape.opening import opened
from wsctl.tape.outputs.printing import Printing
from wsctl.tape.outputs.targets import normalised, target_for
from wsctl.tape.player import Output, Player
from wsctl.wire.dialect import Dialect
from wsctl.wire.dialects import SOCKETIO


class ReplayOptions(Struct, frozen=True, kw_only=True):
    """What was asked for. Times are seconds from the tape's first record on."""

    tapes: tuple[Path, ...]
    dialect: str | None
    host: str | None
    port: int
    ready_file: Path | None
    to: str | None
    printing: bool
    speed: float
    loop: bool
    since: float
    until: float
    restamp: bool
    until_stdin_ends: bool


class Prepared(Struct, frozen=True):
    """What is known before anything is played."""

    options: ReplayOptions
    dialect: Dialect | None
    named: str | None
    """the dialect as it was asked for, or as the tape says; None: Socket.IO"""
    contents: Contents


def prepare(options: ReplayOptions) -> Prepared:
    """Look through the tapes. Raises UsageError for those that cannot be played as asked."""
    if any(str(path) == "-" for path in options.tapes):
        raise UsageError("a tape is read more than once, so that stdin will not do; expected a file")
    with opened(options.tapes) as recording:
        dialect = dialect_on(recording, options.dialect)
        named = None if dialect is None else options.dialect or recording.header.dialect
        contents = contents_of(recording, dialect, restamp=options.restamp)
        tell_cut(recording.truncated)
    tell_malformed(contents.reading, dialect)
    if options.since > contents.seconds:
        raise UsageError(f"--from is after the end: the tape is {contents.seconds:.1f} s long")
    return Prepared(options, dialect, named, contents)


async def replay_it(prepared: Prepared) -> ExitCode:
    """Play until the end, SIGTERM or the end of stdin (exit 0), or Ctrl-C (exit 130)."""
    options = prepared.options
    player = Player(
        partial(opened, options.tapes),
        prepared.dialect,
        speed=options.speed,
        loop=options.loop,
        since=options.since,
        until=options.until,
        restamp=options.restamp,
        clock=SystemClock(),
    )
    if options.to is not None:
        work = _play_to(options.to, player, prepared.dialect)
    else:
        work = _print(player, prepared.named) if options.printing else _serve(player, prepared)
    await until_terminated(work, or_stdin_ends=options.until_stdin_ends)
    return ExitCode.PASSED


async def _print(player: Player, dialect: str | None) -> None:
    lines = LineOutput(sys.stdout.fileno())
    try:
        printing = Printing(lines, dialect)
        await _play(player, printing)
        await printing.close()
    finally:
        if sys.exc_info()[0] is not BrokenPipeError:
            lines.close()


async def _play_to(url: str, player: Player, dialect: Dialect | None) -> None:
    token = os.environ.get(TOKEN_VARIABLE) or None  # for Socket.IO targets, as everywhere
    output = target_for(Target(url=normalised(url), token=token), dialect)
    try:
        await output.ready()
        if output.note is not None:
            say(output.note)
        await _play(player, output)
    finally:
        await output.close()
        if player.began is not None:
            say(output.summary)


async def _serve(player: Player, prepared: Prepared) -> None:
    options = prepared.options
    hold = options.speed == math.inf
    async with server_for(
        prepared.dialect, prepared.contents, host=options.host, port=options.port, hold=hold
    ) as server:
        with announced(options.ready_file, server.url):
            _greet(prepared, server.url)
            await _play(player, server)
            say("the tape is over; serving on, silent")
            await server.stay()


async def _play(player: Player, output: Output) -> None:
    """Play, and say what was played, however it ends."""
    try:
        await player.play(output)
    finally:
        say(_summary(player))


def _summary(player: Player) -> str:
    """`played 266 frames in 31.0 s; schedule error p50 0.41 ms, p99 0.98 ms, max 1.40 ms`"""
    if player.began is None:
        return "nobody subscribed; nothing was played"
    rounds = f" in {player.laps} rounds" if player.laps > 1 else ""
    told = f"played {player.frames:,} frames{rounds} in {SystemClock.monotonic() - player.began:.1f} s"
    p50, p99 = player.schedule.percentile(50), player.schedule.percentile(99)
    if p50 is None or p99 is None:
        return told
    error = f"p50 {p50 * 1000:.2f} ms, p99 {p99 * 1000:.2f} ms, max {player.schedule.max * 1000:.2f} ms"
    return f"{told}; schedule error {error}"


def _greet(prepared: Prepared, url: str) -> None:
    contents, options = prepared.contents, prepared.options
    name = SOCKETIO if prepared.dialect is None else prepared.dialect.name
    tapes = " and ".join(path.name for path in options.tapes)
    say(f"replaying {tapes} at {url}  ({name}, {contents.seconds:.1f} s)")
    channels = sorted(contents.channels)
    more = f" and {len(channels) - 8} more" if len(channels) > 8 else ""
    say(f"channels: {', '.join(channels[:8])}{more}")
    namespaces = sorted({namespace for (namespace, _), _ in contents.messages})
    if namespaces != ["/"]:
        say(f"namespaces: {', '.join(namespaces)}")
    say("it begins with the first subscription")
    say("")

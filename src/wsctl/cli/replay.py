"""wsctl replay: recordings as they happened."""

import math
from pathlib import Path
from typing import Annotated

import typer

from wsctl.cli.options import duration, given

_OF_SERVERS = {"host", "port", "ready_file"}


def _speed(text: str) -> float:
    if text == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < math.inf:
        raise typer.BadParameter(f"{text!r} is no speed; expected a number above 0, such as 0.5 or 10, or max")
    return speed


def replay(
    context: typer.Context,
    tapes: Annotated[
        list[Path],
        typer.Argument(
            metavar="TAPE...",
            help="A tape or a capture; several of one time are played together, such as .ws and .http.",
        ),
    ],
    dialect: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="What the tape speaks, if it does not say.", show_default=False),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="Address to listen on; default: 127.0.0.1 and [::1].", show_default=False),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="Port; 0 picks a free one.")] = 3000,
    ready_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help='Write {"url", "pid"} here once listening.')
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Play into a target instead: http(s)://, ws(s):// or redis://.", show_default=False
        ),
    ] = None,
    printing: Annotated[bool, typer.Option("--print", help="Print Observations instead, as JSON Lines.")] = False,
    speed: Annotated[float, typer.Option(parser=_speed, metavar="X|max", help="2 is twice as fast.")] = "1",  # type: ignore[assignment]
    loop: Annotated[bool, typer.Option("--loop", help="Begin anew at the end, in a new epoch.")] = False,
    since: Annotated[
        float | None,
        typer.Option("--from", parser=duration, metavar="TIME", help="Begin here, such as 90s.", show_default=False),
    ] = None,
    until: Annotated[
        float | None, typer.Option(parser=duration, metavar="TIME", help="End here.", show_default=False)
    ] = None,
    restamp: Annotated[
        bool, typer.Option("--restamp", help="Times of sending become now, so that latency can be measured.")
    ] = False,
    until_stdin_ends: Annotated[bool, typer.Option("--until-stdin-ends", hidden=True)] = False,
) -> None:
    """Play a recorded feed with its own timing: as a server, into a target, or to stdout.

    As a server it waits for the first subscription, and serves on, silent, after the end.

    Example: wsctl replay binance.tape.zst --port 8765
    """
    from wsctl.cli.loop import interruptible, run
    from wsctl.cli.replaying import ReplayOptions, prepare, replay_it

    if to is not None and printing:
        raise typer.BadParameter("--to and --print are two ways to play; expected one of them")
    if to is not None or printing:
        for name in _OF_SERVERS & given(context):
            raise typer.BadParameter(
                f"--{name.replace('_', '-')} is about a server; with --to or --print there is none"
            )
    if until is not None and until <= (since or 0):
        raise typer.BadParameter("--until ends before --from begins; expected it to be later")
    options = ReplayOptions(
        tapes=tuple(tapes),
        dialect=dialect,
        host=host,
        port=port,
        ready_file=ready_file,
        to=to,
        printing=printing,
        speed=speed,
        loop=loop,
        since=since or 0.0,
        until=math.inf if until is None else until,
        restamp=restamp,
        until_stdin_ends=until_stdin_ends,
    )
    interruptible()
    raise typer.Exit(run(replay_it(prepare(options))))

"""wsctl record: what a feed says, or what somebody else's client and its server say, on tape."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsctl.cli.groups import live, reconnecting, takes, target
from wsctl.cli.options import duration, names
from wsctl.errors import UsageError

if TYPE_CHECKING:
    from wsctl.client.config import Found
    from wsctl.client.target import Reconnect


@takes(target, "found")
@takes(reconnecting, "reconnect")
def record(
    symbols: Annotated[list[str] | None, typer.Argument(metavar="SYMBOL", help="Symbols, such as BTC/USDT.")] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|-",
            help="The tape, compressed as .gz or .zst; - is stdout. If not given, named by feed and time.",
        ),
    ] = None,
    channel: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Record this channel; repeatable.")] = None,
    bots: Annotated[bool, typer.Option("--bots", help="Record the bots of the user that the token names.")] = False,
    notifications: Annotated[
        bool, typer.Option("--notifications", help="Record that user's notifications and balances, and announcements.")
    ] = False,
    duration: Annotated[
        float | None, typer.Option(parser=duration, metavar="TIME", help="Stop after this long, such as 10s.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after this many frames of the server.")
    ] = None,
    rotate: Annotated[
        str | None, typer.Option(metavar="SIZE|TIME", help="Go on in another file after 100MB, or after 10m.")
    ] = None,
    keep_secrets: Annotated[
        bool, typer.Option("--keep-secrets", help="Leave tokens, keys and signatures on the tape.")
    ] = False,
    found: "Found",
    reconnect: "Reconnect",
) -> None:
    """Record a feed: every frame in either direction, with its time, on a tape.

    Secrets that we send are left out.

    Example: wsctl record BTC/USDT -o feed.jsonl.zst --duration 1h
    """
    from wsctl.cli.loop import run
    from wsctl.cli.recording import record_feed, tape_path
    from wsctl.tape.deck import DeckOptions
    from wsctl.tape.spool import parse_rotation
    from wsctl.watch.options import WatchOptions

    if not (symbols or channel or bots or notifications):
        raise UsageError("nothing to record", hint="name a symbol (BTC/USDT) or a --channel")
    watch = WatchOptions(
        target=live(found),
        symbols=names(symbols),
        channels=names(channel),
        bots=bots,
        notifications=notifications,
        reconnect=reconnect,
        duration=duration,
    )
    options = DeckOptions(
        path=output or tape_path(watch.target, found.feed),
        keep_secrets=keep_secrets,
        rotation=None if rotate is None else parse_rotation(rotate),
        count=count,
    )
    raise typer.Exit(run(record_feed(watch, options)))

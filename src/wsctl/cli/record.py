"""wsctl record: what a feed says, or what somebody else's client and its server say, on tape."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsctl.cli.groups import reconnecting, takes, target
from wsctl.cli.options import duration, given, names
from wsctl.errors import UsageError

if TYPE_CHECKING:
    from wsctl.client.config import Found
    from wsctl.client.target import Reconnect


_ASKING = {"symbols", "channel", "bots", "notifications"}
_OF_PASS_THROUGH = {"listen", "upstream", "ready_file"}
_OF_BOTH = {"output", "duration", "count", "rotate", "keep_secrets", "dialect", "cacert", "insecure"}


@takes(target, "found")
@takes(reconnecting, "reconnect")
def record(
    context: typer.Context,
    symbols: Annotated[list[str] | None, typer.Argument(metavar="SYMBOL...", help="Symbols, such as BTC/USDT.")] = None,
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
    listen: Annotated[
        str | None,
        typer.Option(metavar="[HOST]:PORT", help="Record other clients: they connect here, and are passed on."),
    ] = None,
    upstream: Annotated[
        str | None, typer.Option(metavar="URL", help="With --listen: the server that they are passed on to.")
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help='With --listen: write {"url", "pid"} here once listening.')
    ] = None,
    found: "Found",
    reconnect: "Reconnect",
) -> None:
    """Record a feed: every frame in either direction, with its time, on a tape.

    With --listen and --upstream what somebody else's clients and their server say. Secrets that clients send are left
    out, unless --keep-secrets.

    Example: wsctl record BTC/USDT -o feed.jsonl.zst --duration 1h
    """
    from wsctl.cli.loop import run
    from wsctl.cli.recording import find_upstream, parse_listen, record_clients, record_feed, tape_path
    from wsctl.tape.deck import DeckOptions
    from wsctl.tape.spool import parse_rotation
    from wsctl.watch.options import WatchOptions
    from wsctl.wire.dialects import SOCKETIO

    chosen = given(context)
    _check_mode(chosen, passing=listen is not None and upstream is not None)
    rotation = None if rotate is None else parse_rotation(rotate)
    if listen is not None and upstream is not None:
        dialect, cacert, insecure = (context.params[name] for name in ("dialect", "cacert", "insecure"))
        server = find_upstream(upstream, dialect=dialect, cacert=cacert, insecure=insecure)
        address = parse_listen(listen)
        path = output or tape_path(server, None)
        options = DeckOptions(path=path, keep_secrets=keep_secrets, rotation=rotation, count=count)
        work = record_clients(server, dialect, address, options, duration=duration, ready=ready_file)
    else:
        if found.target.dialect == SOCKETIO and not chosen & _ASKING:  # in raw dialects the URL may ask
            raise UsageError("nothing to record", hint="name a symbol (BTC/USDT) or a --channel")
        watch = WatchOptions(
            target=found.target,
            symbols=names(symbols),
            channels=names(channel),
            bots=bots,
            notifications=notifications,
            reconnect=reconnect,
            duration=duration,
        )
        path = output or tape_path(watch.target, found.feed)
        options = DeckOptions(path=path, keep_secrets=keep_secrets, rotation=rotation, count=count)
        work = record_feed(watch, options)
    raise typer.Exit(run(work))


def _check_mode(chosen: set[str], *, passing: bool) -> None:
    """Raise for options that are about the other way to record."""
    for name in sorted(chosen - _OF_BOTH - _OF_PASS_THROUGH if passing else chosen & _OF_PASS_THROUGH):
        if not passing:
            raise typer.BadParameter(f"--{_dashed(name)} is for other clients; expected --listen and --upstream")
        what = "symbols are" if name == "symbols" else f"--{_dashed(name)} is"
        raise typer.BadParameter(f"{what} for a client of our own; with --listen others connect")


def _dashed(name: str) -> str:
    return name.replace("_", "-")

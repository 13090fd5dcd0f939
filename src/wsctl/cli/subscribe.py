"""wsctl subscribe: watch a feed."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wsctl.cli.groups import expecting, takes, target, watching
from wsctl.cli.options import duration, names

if TYPE_CHECKING:
    from wsctl.client.config import Found
    from wsctl.model.expectation import Expectation

FORMATS = ("table", "jsonl")


@takes(target, "found")
@takes(watching, "watch")
@takes(expecting, "expected")
def subscribe(
    symbols: Annotated[list[str] | None, typer.Argument(metavar="SYMBOL...", help="Symbols, such as BTC/USDT.")] = None,
    *,
    format: Annotated[
        str | None,
        typer.Option(metavar="table|jsonl", help="table on a terminal, Observations as JSON Lines otherwise."),
    ] = None,
    duration: Annotated[
        float | None, typer.Option(parser=duration, metavar="TIME", help="Stop after this long, such as 10s.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after this many messages.")] = None,
    bots: Annotated[bool, typer.Option("--bots", help="Watch the bots of the user that the token names.")] = False,
    notifications: Annotated[
        bool, typer.Option("--notifications", help="Watch that user's notifications and balances, and announcements.")
    ] = False,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Hand messages out in sequence, waiting 1 s at most for a late one.")
    ] = False,
    found: "Found",
    watch: dict[str, Any],
    expected: "tuple[Expectation, ...]",
) -> None:
    """Watch a feed: a live table on a terminal, JSON Lines when piped.

    With nothing configured and nothing listening on port 3000 it starts a mock feed of its own and says so. Exchanges
    are known by their hosts, or spoken to by --dialect.

    Example: wsctl subscribe BTC/USDT ETH/USDT --duration 10s
    """
    from wsctl.cli.loop import run
    from wsctl.cli.subscribing import watch_feed
    from wsctl.watch.options import WatchOptions

    shown = format or ("table" if sys.stdout.isatty() else "jsonl")
    if shown not in FORMATS:
        raise typer.BadParameter(f"--format is {shown!r}; expected table or jsonl")
    options = WatchOptions(
        target=found.target,
        symbols=names(symbols),
        duration=duration,
        count=count,
        bots=bots,
        notifications=notifications,
        ordered=ordered,
        **watch,
    )
    raise typer.Exit(run(watch_feed(options, expected, configured=found.configured, table=shown == "table")))

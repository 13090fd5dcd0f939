"""wsctl ordering-check: did every message come, once, and in its place?"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wsctl.cli.groups import expecting, takes, target, watching
from wsctl.cli.options import by_default, duration, given, names
from wsctl.errors import UsageError

if TYPE_CHECKING:
    from wsctl.client.config import Found
    from wsctl.model.expectation import Expectation


@takes(target, "found")
@takes(watching, "watch")
@takes(expecting, "expected")
def ordering_check(
    context: typer.Context,
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="SYMBOL... | -", help="Symbols, such as BTC/USDT; - reads Observations from stdin."),
    ] = None,
    *,
    tape: Annotated[
        Path | None,
        typer.Option(metavar="FILE|-", help="Check a tape, a capture or Observation lines instead of a feed."),
    ] = None,
    duration: Annotated[
        float, typer.Option(parser=duration, metavar="TIME", help="How long to listen to a feed.")
    ] = by_default("10s"),
    format: Annotated[str, typer.Option(metavar="table|json", help="How to print the report.")] = "table",
    found: "Found",
    watch: dict[str, Any],
    expected: "tuple[Expectation, ...]",
) -> None:
    """Check that every message of a feed came, once, and in its place.

    Reports gaps, duplicates, reorders, regressions and resets per channel.
    Exit 0 when all is in order, 1 when something is not or nothing could be verified.

    Example: wsctl subscribe BTC/USDT --duration 10s | wsctl ordering-check -
    """
    from wsctl.cli.checking import check_feed, check_tape
    from wsctl.cli.loop import run
    from wsctl.watch.options import WatchOptions

    if format not in ("table", "json"):
        raise typer.BadParameter(f"--format is {format!r}; expected table or json")
    asked = names(symbols)
    if asked == ("-",) and tape is None:
        asked, tape = (), Path("-")
    if tape is None:
        _no_files(asked)
        options = WatchOptions(target=found.target, symbols=asked, duration=duration, **watch)
        raise typer.Exit(run(check_feed(options, expected, as_json=format == "json")))
    if asked:
        raise typer.BadParameter("give symbols to check a feed, or --tape to check a recording, not both")
    for name in given(context) - {"symbols", "tape", "format", "dialect", "expect"}:
        raise typer.BadParameter(f"--{name.replace('_', '-')} is about a live feed; a recording is judged as it is")
    raise typer.Exit(check_tape(tape, found.dialect, expected, as_json=format == "json"))


def _no_files(symbols: tuple[str, ...]) -> None:
    """Whoever names a recording means it, and no symbol. Raises UsageError."""
    file = next(filter(os.path.isfile, symbols), None)  # Path's raises for what is too long for a name
    if file is not None:
        raise UsageError(f"{file} is a file; expected a symbol", hint=f"--tape {file} checks a recording")

"""wsctl emit: send one event."""

from typing import TYPE_CHECKING, Annotated

import typer

from wsctl.cli.groups import takes, target
from wsctl.cli.options import by_default, duration

if TYPE_CHECKING:
    from wsctl.client.config import Found


@takes(target, "found")
def emit(
    event: Annotated[str, typer.Argument(metavar="EVENT", help="Event name, such as price:subscribe.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="JSON...", help="Arguments; what is not JSON is taken as text.")
    ] = None,
    *,
    wait: Annotated[
        float, typer.Option(parser=duration, metavar="TIME", help="How long to wait for what comes back.")
    ] = by_default("2s"),
    found: "Found",
) -> None:
    """Send one event and print what comes back.

    That is its acknowledgement and the events meanwhile, one JSON object a line.

    Example: wsctl emit price:subscribe '["BTC/USDT"]' --wait 2s
    """
    from wsctl.cli.emitting import emit_event
    from wsctl.cli.loop import run

    raise typer.Exit(run(emit_event(found.target, event, arguments or [], wait)))

"""wsctl load: many connections, over time."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsctl.cli.groups import aiming, expected, takes
from wsctl.cli.options import duration, names

if TYPE_CHECKING:
    from wsctl.cli.groups import Aim
    from wsctl.model.expectation import Expectation

MASTER_PORT = 5557
"""Locust's own"""


@takes(aiming, "aim")
@takes(expected, "expectations")
def load(
    context: typer.Context,
    profile: Annotated[
        Path | None, typer.Argument(metavar="PROFILE", help="A load profile (YAML); options come before what it says.")
    ] = None,
    *,
    users: Annotated[int | None, typer.Option(min=1, metavar="N", help="So many connections.")] = None,
    symbols: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Prices of these symbols; each connection takes one of them, in turn."),
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Subscribe to this channel; repeatable.")
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            parser=duration, metavar="TIME", help="How long they stay once all have set out; 30s if not given."
        ),
    ] = None,
    ramp: Annotated[
        float | None,
        typer.Option(
            parser=duration, metavar="TIME", help="Over how long they set out; else as --connect-rate allows."
        ),
    ] = None,
    warmup: Annotated[
        float | None,
        typer.Option(parser=duration, metavar="TIME", help="Left out of latencies and rates; else the first ramp."),
    ] = None,
    connect_rate: Annotated[
        float | None, typer.Option(min=0.1, metavar="N", help="New connections per second, evenly paced; 1000.")
    ] = None,
    mint: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Mint tokens of so many users, and use them in turn.")
    ] = None,
    tokens: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Use the tokens of this file, one a line, in turn.")
    ] = None,
    jwt_secret: Annotated[
        str | None,
        typer.Option(envvar="WSCTL_JWT_SECRET", metavar="SECRET", help="What minted tokens are signed with."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Hold the connections in so many processes; 0: in one.")
    ] = None,
    master: Annotated[bool, typer.Option("--master", help="Let workers of other machines join.")] = False,
    worker: Annotated[bool, typer.Option("--worker", help="Be one of them; the master says what to do.")] = False,
    master_host: Annotated[
        str | None, typer.Option(metavar="HOST", help="Of --worker: where the master is; 127.0.0.1.")
    ] = None,
    master_port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="PORT", help="Of the master; 5557.")
    ] = None,
    master_bind: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Of --master: where workers find it; 127.0.0.1. Others than loopback can read the tokens; * is all.",
        ),
    ] = None,
    expect_workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of --master: begin when so many workers are there.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write result.json and junit.xml there.")] = None,
    abort_after: Annotated[
        float | None,
        typer.Option(parser=duration, metavar="TIME", help="End early once an expectation was missed for this long."),
    ] = None,
    find_limit: Annotated[
        str | None,
        typer.Option(
            metavar="'METRIC BOUND'",
            help="Find the most connections, up to --users, that keep it; each held --duration.",
        ),
    ] = None,
    target_metrics: Annotated[
        str | None, typer.Option(metavar="URL", help="The target's own figures, in Prometheus' form; such as /metrics.")
    ] = None,
    web_ui: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="PORT", help="Locust's web UI, on loopback; 0 picks a port.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write Locust's HTML report.")] = None,
    csv: Annotated[Path | None, typer.Option(metavar="PREFIX", help="Write Locust's CSV files.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of everything that chance decides.")] = None,
    aim: "Aim",
    expectations: "tuple[Expectation, ...]",
) -> None:
    """Put a feed under load with thousands of connections, every message measured.

    Straight from options, or from a profile. Driven by Locust, over several processes and machines. It takes --url,
    --feed or a profile that says where: $WSCTL_URL and wsctl.yaml do not aim a load by themselves.

    Example: wsctl load --url http://127.0.0.1:3000 --users 1000 --symbols BTC/USDT --duration 30s
    """
    from wsctl.cli.loading import Asked, be_worker, run_load
    from wsctl.cli.loop import run
    from wsctl.load.options import Control

    port = MASTER_PORT if master_port is None else master_port
    if worker:
        _check_worker(context)
        raise typer.Exit(run(be_worker("127.0.0.1" if master_host is None else master_host, port)))
    _check_not_worker(context, master=master)
    if mint is not None and tokens is not None:
        raise typer.BadParameter("--mint and --tokens both say who the connections are; give one of them")
    asked = Asked(
        profile=profile,
        spec={
            "users": users,
            "symbols": names(symbols) or None,
            "channels": names(channel) or None,
            "duration": duration,
            "ramp": ramp,
            "warmup": warmup,
            "connect_rate": connect_rate,
            "workers": workers,
            "seed": seed,
        },
        mint=mint,
        tokens=tokens,
        jwt_secret=jwt_secret,
        control=Control(
            master=master,
            expect_workers=expect_workers or (1 if master else 0),
            bind="127.0.0.1" if master_bind is None else master_bind,
            port=port if master else 0,
            web_port=web_ui,
            html=html,
            csv=csv,
        ),
        expected=expectations,
        abort_after=abort_after,
        find_limit=find_limit,
        target_metrics=target_metrics,
        out=out,
    )
    raise typer.Exit(run(run_load(asked, aim)))


_WORKERS = ("worker", "master_host", "master_port")
"""options that make sense for a worker"""
_MASTERS = {
    "expect_workers": "how many a --master waits for",
    "master_bind": "where workers find a --master",
    "master_port": "where workers find a --master",
}
"""options that make sense for a master, and what they are"""


def _check_worker(context: typer.Context) -> None:
    """Raise for options that are the master's; what the environment says is about other commands, too."""
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name not in _WORKERS and source is not None and source.name == "COMMANDLINE":
            shown = parameter.opts[0] if parameter.param_type_name == "option" else f"a {name.upper()}"
            raise typer.BadParameter(f"{shown} is for the master; a --worker does as it is told")
    if context.params["master_port"] == 0:
        raise typer.BadParameter("--master-port 0 is a master's, which then says what it took; expected that port")
    if context.params["master_host"] == "":
        raise typer.BadParameter("--master-host is empty; expected where the master is")


def _check_not_worker(context: typer.Context, *, master: bool) -> None:
    """Raise for options that are a worker's, and where there is no master for its own."""
    given = {name for name, value in context.params.items() if value is not None}
    if "master_host" in given:
        raise typer.BadParameter("--master-host is where a --worker finds its master")
    for name, what in _MASTERS.items():
        if name in given and not master:
            raise typer.BadParameter(f"--{name.replace('_', '-')} is {what}")
    if context.params["master_bind"] == "":
        raise typer.BadParameter("--master-bind is empty; expected an address, or * for all")

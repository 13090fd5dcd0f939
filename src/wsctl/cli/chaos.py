"""wsctl chaos: a proxy that harms a stream on purpose; chaos ctl: one that runs is asked and told."""

from pathlib import Path
from typing import Annotated

import typer

from wsctl.cli import chaos_ctl
from wsctl.cli.options import given

app = typer.Typer(
    invoke_without_command=True,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(chaos_ctl.app, name="ctl")


@app.callback()
def chaos(
    context: typer.Context,
    upstream: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="The server behind the proxy; several are taken in turn.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC", help="Harm from the start, such as drop:p=0.01,symbol=BTC/USDT; repeatable."),
    ] = None,
    faults: Annotated[
        Path | None, typer.Option(metavar="FILE", help="More of them out of a YAML file: a list of TYPE: {OPTIONS}.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Faults that go together; --list shows them.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Of everything that chance decides; else one is picked, and told.")
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="Address to listen on; default: 127.0.0.1 and [::1].", show_default=False),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="Port; 0 picks a free one.")] = 3001,
    control_port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="Of the control API, on loopback; 0 picks a free one.")
    ] = chaos_ctl.PORT,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE|-", help="Write what strikes, and whom, as JSON Lines.")
    ] = None,
    dialect: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="How the feed speaks; else known by its host.")
    ] = None,
    cacert: Annotated[
        str | None, typer.Option(metavar="FILE", help="Trust these certificate authorities (PEM).")
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Accept any certificate.")] = False,
    ready_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help='Write {"url", "pid", "control"} here once listening.')
    ] = None,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="The upstream may be another machine: you may do that to it.")
    ] = False,
    list_all: Annotated[bool, typer.Option("--list", help="Show the faults, their options and the presets.")] = False,
    until_stdin_ends: Annotated[bool, typer.Option("--until-stdin-ends", hidden=True)] = False,
) -> None:
    """Stand between clients and their server, and harm the stream on purpose, message by message.

    Example: wsctl chaos --upstream http://127.0.0.1:3000 --fault drop:p=0.01
    """
    if context.invoked_subcommand is not None:
        if given(context):
            raise typer.BadParameter("chaos ctl talks to a proxy that runs; expected no options before ctl")
        return
    from wsctl.cli.chaosing import ChaosOptions, run_chaos, show_faults
    from wsctl.cli.loop import run

    if list_all:
        show_faults()
        return
    if not upstream or "" in upstream:
        raise typer.BadParameter("nobody says where the server is; expected --upstream URL")
    options = ChaosOptions(
        upstreams=tuple(upstream),
        faults=tuple(fault or ()),
        file=faults,
        preset=preset,
        seed=seed,
        host=host,
        port=port,
        control_port=control_port,
        log=log,
        dialect=dialect,
        cacert=cacert,
        insecure=insecure,
        ready_file=ready_file,
        allow_remote=allow_remote,
        until_stdin_ends=until_stdin_ends,
    )
    raise typer.Exit(run(run_chaos(options)))

"""The commands, put together. Importing this must stay cheap: `wsctl --help` imports nothing heavy."""

from typing import Annotated

import typer

from wsctl import __version__
from wsctl.cli import (
    chaos,
    doctor,
    emit,
    fuzz,
    load,
    ordering_check,
    record,
    replay,
    run,
    schema,
    serve,
    subscribe,
    token,
)
from wsctl.errors import EXIT_MEANINGS

app = typer.Typer(
    help="Stand in for, watch and test real-time trading feeds.",
    epilog="Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_MEANINGS.items()) + ".",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("serve")(serve.serve)
app.command("subscribe")(subscribe.subscribe)
app.command("ordering-check")(ordering_check.ordering_check)
app.command("emit")(emit.emit)
app.command("record")(record.record)
app.command("replay")(replay.replay)
app.command("load")(load.load)
app.command("fuzz")(fuzz.fuzz)
app.add_typer(chaos.app, name="chaos")
app.command("run")(run.run)
app.command("doctor")(doctor.doctor)
app.command("schema")(schema.schema)
app.command("token")(token.token)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wsctl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Stand in for, watch and test real-time trading feeds."""

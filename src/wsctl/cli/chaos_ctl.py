"""wsctl chaos ctl: ask and tell a proxy that runs."""

from typing import Annotated

import typer

PORT = 8474
"""Toxiproxy's own"""

app = typer.Typer(
    help="Ask and tell a chaos proxy that runs.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Url = Annotated[
    str,
    typer.Option(
        "--control", envvar="WSCTL_CHAOS", metavar="URL", help="Where the proxy's control API is.", show_default=True
    ),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the fault.")]
_HERE = f"http://127.0.0.1:{PORT}"


@app.command("list")
def list_(control: Url = _HERE) -> None:
    """Show the faults in force, and what each did."""
    _do(control, "list")


@app.command()
def add(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="Such as drop:p=0.01,name=loss.")], control: Url = _HERE
) -> None:
    """Put a fault in force."""
    _do(control, "add", spec)


@app.command()
def update(
    name: Name,
    options: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="What is to be different.")],
    control: Url = _HERE,
) -> None:
    """Change options of a fault; it begins anew."""
    _do(control, "update", name, *options)


@app.command()
def remove(name: Name, control: Url = _HERE) -> None:
    """Take a fault away."""
    _do(control, "remove", name)


@app.command()
def populate(
    file: Annotated[str, typer.Argument(metavar="FILE", help="YAML: a list of TYPE: {OPTIONS}.")], control: Url = _HERE
) -> None:
    """Put the faults of a file in force, and no others, at once."""
    _do(control, "populate", file)


@app.command()
def reset(control: Url = _HERE) -> None:
    """Take all faults away, and let everybody in."""
    _do(control, "reset")


@app.command()
def toggle(control: Url = _HERE) -> None:
    """Take the proxy down, or up again.

    Down, it cuts who is there and resets who comes.
    """
    _do(control, "toggle")


@app.command()
def connections(control: Url = _HERE) -> None:
    """Show the connections that are open."""
    _do(control, "connections")


def _do(control: str, what: str, *arguments: str) -> None:
    from wsctl.cli.chaos_asking import ask
    from wsctl.cli.loop import run

    raise typer.Exit(run(ask(control, what, arguments)))

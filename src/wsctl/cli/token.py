"""wsctl token: mint a test token."""

import time
from typing import Annotated

import typer

from wsctl.cli.options import duration
from wsctl.errors import UsageError
from wsctl.model.channel import is_name
from wsctl.server import defaults


def token(
    user: Annotated[str, typer.Option("--user", metavar="ID", help="User id the token names.")],
    admin: Annotated[bool, typer.Option("--admin", help="Give the user admin rights.")] = False,
    ttl: Annotated[
        float | None,
        typer.Option("--ttl", parser=duration, metavar="TIME", help="How long it is valid; for ever if not given."),
    ] = None,
    jwt_secret: Annotated[
        str,
        typer.Option(
            "--jwt-secret", envvar="WSCTL_JWT_SECRET", metavar="SECRET", help="Secret that the server checks it with."
        ),
    ] = defaults.JWT_SECRET,
) -> None:
    """Mint a test token for a user of the mock feed, and print it.

    Example: wsctl subscribe BTC/USDT --token "$(wsctl token --user alice)"
    """
    from wsctl.server.auth import mint

    if not is_name(user):
        raise typer.BadParameter(f"{user!r} is not a user id; letters, digits and . _ / - are taken")
    if not jwt_secret:
        raise UsageError("the JWT secret is empty; expected some text")
    expires_at = None if ttl is None else time.time() + ttl
    typer.echo(mint(user, jwt_secret, admin=admin, expires_at=expires_at))

"""Options that several commands share."""

from typing import Annotated, Any

import typer

from wsctl.errors import UsageError
from wsctl.spec.units import parse_duration


def duration(text: str) -> float:
    """A duration option's value in seconds."""
    try:
        return parse_duration(text)
    except UsageError as error:
        raise typer.BadParameter(error.message) from error


def by_default(text: str) -> Any:
    """The default of a duration option as people write it; Typer reads it like a typed one."""
    return text


def names(values: list[str] | None) -> tuple[str, ...]:
    """The names in repeated or comma-separated values, each once."""
    return tuple(dict.fromkeys(name for value in values or () for name in value.split(",") if name))


Url = Annotated[
    str | None,
    typer.Option("--url", help="Where the feed is; default: $WSCTL_URL, wsctl.yaml, http://127.0.0.1:3000."),
]
Feed = Annotated[str | None, typer.Option("--feed", help="A feed named in wsctl.yaml.")]
Path = Annotated[str | None, typer.Option("--path", help="Where Socket.IO is on the server.  [default: /socket.io/]")]
Namespace = Annotated[str | None, typer.Option("--namespace", help="Socket.IO namespace.  [default: /]")]
Token = Annotated[str | None, typer.Option("--token", help="Token for the handshake; default: $WSCTL_TOKEN.")]
TokenFile = Annotated[str | None, typer.Option("--token-file", metavar="FILE", help="File that holds the token.")]
Auth = Annotated[str | None, typer.Option("--auth", metavar="JSON", help="Further keys of the handshake auth.")]
Header = Annotated[list[str] | None, typer.Option("--header", metavar="'K: V'", help="HTTP header (repeatable).")]
Transport = Annotated[
    str | None,
    typer.Option("--transport", metavar="websocket|polling|auto", help="auto: WebSocket, else long-polling."),
]
CaCert = Annotated[str | None, typer.Option("--cacert", metavar="FILE", help="Trust these certificate authorities.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Accept any certificate.")]
Attempts = Annotated[
    int, typer.Option("--reconnect-attempts", min=0, help="Failed attempts in a row before giving up; 0: never again.")
]
Delay = Annotated[
    float, typer.Option("--reconnect-delay", parser=duration, metavar="TIME", help="First limit of the back-off.")
]
DelayMax = Annotated[
    float, typer.Option("--reconnect-delay-max", parser=duration, metavar="TIME", help="Last limit of the back-off.")
]
Trace = Annotated[bool, typer.Option("--trace", help="Print raw frames in both directions on stderr.")]

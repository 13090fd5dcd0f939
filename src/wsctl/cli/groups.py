"""Option groups that several commands take: reaching a target, watching a feed."""

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from typer import BadParameter, Option

from wsctl.cli.options import by_default, duration, names

if TYPE_CHECKING:
    from wsctl.client.config import Found
    from wsctl.client.target import Reconnect
    from wsctl.model.expectation import Expectation

Command = TypeVar("Command", bound=Callable[..., Any])


def takes(group: Callable[..., Any], name: str) -> Callable[[Command], Command]:
    """Add a group's options to a command; the command gets what the group makes of them as argument `name`.

    A group may take another one, too.
    """

    def decorate(command: Command) -> Command:
        own = inspect.signature(command)
        shared = inspect.signature(group).parameters

        @functools.wraps(command)
        def wrapper(**arguments: Any) -> Any:
            options = {key: arguments.pop(key) for key in shared}
            return command(**arguments, **{name: group(**options)})

        kept = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for key, parameter in own.parameters.items()
            if key != name
        ]
        # Typer sees the options, and not the argument they make
        wrapper.__signature__ = inspect.Signature([*kept, *shared.values()])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in (*kept, *shared.values())}
        return wrapper  # type: ignore[return-value]

    return decorate


def target(
    *,
    url: Annotated[
        str | None, Option(metavar="URL", help="Where the feed is; else $WSCTL_URL, wsctl.yaml, http://127.0.0.1:3000.")
    ] = None,
    feed: Annotated[str | None, Option(metavar="NAME", help="A feed named in wsctl.yaml.")] = None,
    dialect: Annotated[
        str | None,
        Option(
            metavar="NAME|FILE",
            help="How the feed speaks: socketio, binance, … or a file; else known by its host, a tape's by itself.",
        ),
    ] = None,
    path: Annotated[
        str | None, Option(metavar="PATH", help="Where Socket.IO is on the server; /socket.io/ if not given.")
    ] = None,
    namespace: Annotated[str | None, Option(metavar="NAME", help="Socket.IO namespace; / if not given.")] = None,
    token: Annotated[str | None, Option(metavar="TOKEN", help="Token for the handshake; else $WSCTL_TOKEN.")] = None,
    token_file: Annotated[str | None, Option(metavar="FILE", help="File that holds the token.")] = None,
    auth: Annotated[str | None, Option(metavar="JSON", help="Further keys of the handshake auth.")] = None,
    header: Annotated[list[str] | None, Option(metavar="'K: V'", help="HTTP header; repeatable.")] = None,
    transport: Annotated[
        str | None,
        Option(metavar="websocket|polling|auto", help="auto, if not given: WebSocket, else long-polling."),
    ] = None,
    cacert: Annotated[str | None, Option(metavar="FILE", help="Trust these certificate authorities (PEM).")] = None,
    insecure: Annotated[bool, Option("--insecure", help="Accept any certificate.")] = False,
) -> "Found":
    """The target that the options, the environment and wsctl.yaml mean. Raises UsageError."""
    return _find(
        os.environ,
        url=url,
        feed=feed,
        path=path,
        namespace=namespace,
        token=token,
        token_file=token_file,
        auth=auth,
        header=header,
        transport=transport,
        cacert=cacert,
        insecure=insecure,
        dialect=dialect,
    )


def _find(environ: Mapping[str, str], *, header: list[str] | None, **options: Any) -> "Found":
    from wsctl.client.config import TargetOptions, find_target

    asked = TargetOptions(headers=tuple(header or ()), **options)
    return find_target(asked, environ=environ, directory=Path.cwd())


@functools.wraps(target)  # the same options
def aimed(*, url: str | None, feed: str | None, **others: Any) -> "Found | None":
    """The target that --url or --feed names, and nothing else; None: neither does.

    Not even $WSCTL_TOKEN is looked at: whoever connects without a name is to be nobody.
    """
    return None if url is None and feed is None else _find({}, url=url, feed=feed, **others)


Aim = Callable[[str | None, str | None, str | None], "Found | None"]
"""takes the url, feed and dialect that a file names; makes the target that --url or --feed, or else these, mean"""


@functools.wraps(target)  # the same options
def aiming(*, url: str | None, feed: str | None, dialect: str | None, **others: Any) -> Aim:
    """As `aimed`, for commands whose file may say where as well: None where nobody does."""

    def aim(its_url: str | None, its_feed: str | None, its_dialect: str | None) -> "Found | None":
        if url is not None or feed is not None:
            return aimed(url=url, feed=feed, dialect=dialect, **others)
        return aimed(url=its_url, feed=its_feed, dialect=dialect or its_dialect, **others)

    return aim


def reconnecting(
    *,
    reconnect: Annotated[
        str, Option(metavar="auto|always", help="always: even where the server says not to come back.")
    ] = "auto",
    reconnect_attempts: Annotated[
        int, Option(min=0, metavar="N", help="Failed attempts in a row before giving up; 0: a loss ends it.")
    ] = 10,
    reconnect_delay: Annotated[
        float, Option(parser=duration, metavar="TIME", help="First limit of the back-off.")
    ] = by_default("1s"),
    reconnect_delay_max: Annotated[
        float, Option(parser=duration, metavar="TIME", help="Last limit of the back-off.")
    ] = by_default("30s"),
) -> "Reconnect":
    """What is done after a loss."""
    from wsctl.client.target import Reconnect

    if reconnect not in ("auto", "always"):
        raise BadParameter(f"--reconnect is {reconnect!r}; expected auto or always")
    return Reconnect(
        attempts=reconnect_attempts,
        delay=reconnect_delay,
        delay_max=reconnect_delay_max,
        always=reconnect == "always",
    )


@takes(reconnecting, "reconnect")
def watching(
    *,
    channel: Annotated[list[str] | None, Option(metavar="NAME", help="Watch this channel; repeatable.")] = None,
    event: Annotated[
        list[str] | None, Option(metavar="NAME", help="Look at events of this name only; repeatable.")
    ] = None,
    seq_path: Annotated[str | None, Option(metavar="PATH", help="Where the sequence number is (JMESPath).")] = None,
    time_path: Annotated[str | None, Option(metavar="PATH", help="Where the time of sending is.")] = None,
    channel_path: Annotated[str | None, Option(metavar="PATH", help="Where the channel is.")] = None,
    max_silence: Annotated[
        float | None,
        Option(parser=duration, metavar="TIME", help="End with exit 1 once a channel was silent for this long."),
    ] = None,
    trace: Annotated[bool, Option("--trace", help="Print raw frames in both directions on stderr.")] = False,
    reconnect: "Reconnect",
) -> dict[str, Any]:
    """The fields of WatchOptions that every command which watches a feed takes."""
    if max_silence == 0:
        raise BadParameter("--max-silence is 0; expected more")
    return {
        "channels": names(channel),
        "events": names(event),
        "seq_path": seq_path,
        "time_path": time_path,
        "channel_path": channel_path,
        "reconnect": reconnect,
        "max_silence": max_silence,
        "trace": trace,
    }


def expected(
    *,
    expect: Annotated[
        list[str] | None,
        Option(metavar="'METRIC BOUND'", help="Exit 1 unless it holds, such as 'latency.p95 < 50 ms'; repeatable."),
    ] = None,
) -> "tuple[Expectation, ...]":
    """What is expected of what is measured, whatever that is. Raises UsageError for what cannot be read."""
    if not expect:
        return ()
    from wsctl.model.expectation import parse_expectation

    return tuple(map(parse_expectation, expect))


@takes(expected, "asked")
def expecting(*, asked: "tuple[Expectation, ...]") -> "tuple[Expectation, ...]":
    """The same, of what one client that watches can measure. Raises UsageError for anything else."""
    if asked:
        from wsctl.cli.expecting import check_watched

        check_watched(asked)
    return asked

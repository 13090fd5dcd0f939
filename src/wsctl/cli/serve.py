"""wsctl serve: the mock feed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from wsctl.cli.options import by_default, duration, given, names
from wsctl.server import defaults

AROUND = {"config", "ready_file", "metrics", "metrics_file", "until_stdin_ends"}
"""options of the command that are none of the feed's"""


def serve(
    context: typer.Context,
    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="Address to listen on; default: 127.0.0.1 and [::1].", show_default=False),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="Port; 0 picks a free one.")
    ] = defaults.PORT,
    symbols: Annotated[
        list[str] | None, typer.Option("--symbols", metavar="A,B", help="Symbols to serve.", show_default=False)
    ] = None,
    rate: Annotated[float, typer.Option(metavar="N", help="Price updates per second and symbol.")] = defaults.RATE,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", help="Seed of the simulated prices; told at start if not given.", show_default=False),
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Play real trades: CSV time_ms,symbol,price,quantity.", show_default=False),
    ] = None,
    price_speed: Annotated[float, typer.Option(metavar="X", help="How fast to play them; 2 is twice as fast.")] = 1.0,
    price_loop: Annotated[bool, typer.Option("--price-loop", help="Start again after the last one.")] = False,
    throttle: Annotated[
        float,
        typer.Option(parser=duration, metavar="TIME", help="Send only the newest price of each interval per symbol."),
    ] = by_default("0"),
    transports: Annotated[
        list[str] | None,
        typer.Option(
            "--transports",
            metavar="A,B",
            help="What clients may connect over, such as polling alone, as where WebSocket is blocked.",
            show_default="polling,websocket",
        ),
    ] = None,
    ping_interval: Annotated[
        float, typer.Option(parser=duration, metavar="TIME", help="Heartbeat interval.")
    ] = by_default("25s"),
    ping_timeout: Annotated[
        float, typer.Option(parser=duration, metavar="TIME", help="How long a heartbeat's answer may take.")
    ] = by_default("60s"),
    connect_timeout: Annotated[
        float, typer.Option(parser=duration, metavar="TIME", help="How long a client may take to join.")
    ] = by_default("45s"),
    max_payload: Annotated[
        int, typer.Option(min=100, metavar="BYTES", help="Largest message taken, in bytes.")
    ] = defaults.MAX_PAYLOAD,
    max_events: Annotated[
        int, typer.Option(min=1, metavar="N", help="Events a second taken from one client; more ends its connection.")
    ] = defaults.MAX_EVENTS,
    max_subscriptions: Annotated[
        int, typer.Option(min=1, metavar="N", help="Channels that one client may listen to.")
    ] = defaults.MAX_SUBSCRIPTIONS,
    max_per_user: Annotated[
        int, typer.Option(min=0, metavar="N", help="Live connections of one user; 0: any number.")
    ] = defaults.MAX_PER_USER,
    limit_policy: Annotated[
        str,
        typer.Option(metavar="evict-oldest|reject-newest", help="What happens to one connection too many of a user."),
    ] = "evict-oldest",
    max_connections: Annotated[
        int, typer.Option(min=0, metavar="N", help="Live connections in all; 0: any number.")
    ] = 0,
    auth: Annotated[
        str, typer.Option(metavar="optional|required", help="Whether clients without a token are let in.")
    ] = "optional",
    accept_any_token: Annotated[
        bool, typer.Option("--accept-any-token", help="Take any token as the user of its unverified `sub`.")
    ] = False,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Let pages of this origin connect, besides those of loopback; repeatable."),
    ] = None,
    compress: Annotated[
        bool, typer.Option("--compress", help="Offer permessage-deflate; one compressed frame serves all.")
    ] = False,
    conformance: Annotated[bool, typer.Option("--conformance", hidden=True)] = False,
    jwt_secret: Annotated[
        str, typer.Option(envvar="WSCTL_JWT_SECRET", metavar="SECRET", help="Secret that tokens are checked with.")
    ] = defaults.JWT_SECRET,
    control: Annotated[
        bool, typer.Option("--control", help="Answer /control (loopback only): disconnect, flash, pause, sent, ….")
    ] = False,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate chain (PEM): serve https and wss.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Private key of the certificate (PEM).")] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YAML with the options above, underscored; the command line wins."),
    ] = None,
    metrics: Annotated[bool, typer.Option("--metrics", help="Say once a second how it is doing.")] = False,
    metrics_file: Annotated[
        Path | None, typer.Option(metavar="FILE|-", help="Write a metrics sample a second here, as JSON Lines.")
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help='Write {"url", "pid"} here once listening.')
    ] = None,
    until_stdin_ends: Annotated[bool, typer.Option("--until-stdin-ends", hidden=True)] = False,
) -> None:
    """Run a mock price feed that speaks Socket.IO like the real platform.

    Example: wsctl serve --symbols BTC/USDT,ETH/USDT --rate 10
    """
    from wsctl.cli.loop import run
    from wsctl.cli.serve_config import serve_options
    from wsctl.cli.serving import serve_until_stopped

    chosen: dict[str, Any] = {name: context.params[name] for name in given(context) - AROUND}
    if "cors_origin" in chosen:
        chosen["cors_origin"] = names(cors_origin)
    if conformance:
        from wsctl.server import conformance as suites

        timing = ("ping_interval", "ping_timeout", "connect_timeout")
        chosen = {**{name: getattr(suites, name.upper()) for name in timing}, **chosen}
    if "symbols" in chosen:
        chosen["symbols"] = names(symbols)
        if not chosen["symbols"]:
            raise typer.BadParameter("--symbols names none; expected something like BTC/USDT,ETH/USDT")
    if "transports" in chosen:
        chosen["transports"] = names(transports)
    for name in ("prices", "tls_cert", "tls_key"):
        if name in chosen:
            chosen[name] = str(chosen[name])
    options = serve_options(config, chosen)
    raise typer.Exit(
        run(
            serve_until_stopped(
                options,
                ready_file=ready_file,
                metrics=metrics,
                metrics_file=metrics_file,
                until_stdin_ends=until_stdin_ends,
            )
        )
    )

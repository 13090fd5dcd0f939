"""Where replay plays to, by what was asked for. What each needs is imported only when it is meant."""

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wsctl.cli.console import say
from wsctl.clock import SystemClock
from wsctl.tape.contents import Contents
from wsctl.wire.dialect import Dialect

if TYPE_CHECKING:
    from wsctl.tape.outputs.raw_server import RawServer
    from wsctl.tape.outputs.socketio_server import SocketIOServer
    from wsctl.tape.outputs.target import TargetOutput


def server_for(
    dialect: Dialect | None, contents: Contents, *, host: str | None, port: int, hold: bool
) -> "RawServer | SocketIOServer":
    """A server in the tape's own dialect."""
    if dialect is None or dialect.over == "socketio":
        from wsctl.tape.outputs.socketio_server import SocketIOServer

        return SocketIOServer(contents, host=host, port=port, hold=hold, clock=SystemClock(), tell=say)
    from wsctl.tape.outputs.raw_server import RawServer

    return RawServer(dialect, contents, host=host, port=port, hold=hold, clock=SystemClock(), tell=say)


def target_for(url: str, dialect: Dialect | None) -> "TargetOutput":
    """`redis://`; `ws://`, a WebSocket unless the tape speaks Socket.IO; else Socket.IO. Raises UsageError.

    $WSCTL_TOKEN is for Socket.IO targets, as everywhere.
    """
    scheme = urlsplit(url).scheme
    if scheme in ("redis", "rediss"):
        from wsctl.tape.outputs.redis_target import RedisTarget

        return RedisTarget(url, dialect)
    from wsctl.client.config import TOKEN_VARIABLE
    from wsctl.client.target import Target, normalise_url

    target = Target(url=normalise_url(url), token=os.environ.get(TOKEN_VARIABLE) or None)
    if scheme in ("ws", "wss") and dialect is not None and dialect.over == "websocket":
        from wsctl.tape.outputs.websocket_target import WebSocketTarget

        return WebSocketTarget(target, dialect)
    from wsctl.tape.outputs.socketio_target import SocketIOTarget

    return SocketIOTarget(target, dialect)

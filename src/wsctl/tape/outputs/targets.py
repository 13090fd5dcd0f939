"""What plays a tape into a target, by the target's URL. What each needs is imported only when it is meant."""

from typing import Final

from wsctl.client.target import Target, normalise_url
from wsctl.errors import UsageError
from wsctl.tape.outputs.target import TargetOutput
from wsctl.wire.dialect import Dialect

SCHEMES: Final = ("http", "https", "ws", "wss", "redis", "rediss")


def target_for(target: Target, dialect: Dialect | None) -> TargetOutput:
    """`redis://`; `ws://`, a WebSocket unless the tape speaks Socket.IO; else Socket.IO. `dialect` is the tape's.

    Raises UsageError for a bad URL of Redis; others are to be as `normalised` answers them.
    """
    scheme = _scheme(target.url)
    if scheme in ("redis", "rediss"):
        from wsctl.tape.outputs.redis_target import RedisTarget

        return RedisTarget(target.url, dialect)
    if scheme in ("ws", "wss") and dialect is not None and dialect.over == "websocket":
        from wsctl.tape.outputs.websocket_target import WebSocketTarget

        return WebSocketTarget(target, dialect)
    from wsctl.tape.outputs.socketio_target import SocketIOTarget

    return SocketIOTarget(target, dialect)


def normalised(url: str) -> str:
    """A target's URL in full; that of Redis as it is. Raises UsageError as `normalise_url`."""
    scheme = _scheme(url)
    if scheme is not None and scheme not in SCHEMES:
        raise UsageError(f"bad URL scheme {scheme!r}; expected {', '.join(SCHEMES)}")
    return url if scheme in ("redis", "rediss") else normalise_url(url)


def _scheme(url: str) -> str | None:
    """None where there is none."""
    scheme, separator, _ = url.strip().partition("://")
    return scheme.lower() if separator else None

"""What plays a tape into a target, by the target's URL."""

from wsctl.client.target import Target
from wsctl.tape.outputs.target import TargetOutput
from wsctl.wire.dialect import Dialect


def into(target: Target, dialect: Dialect | None) -> TargetOutput:
    """`redis://` is Redis, `ws://` a WebSocket, `http://` a Socket.IO server; `dialect` is the tape's."""
    scheme = target.url.partition("://")[0]
    if scheme in ("redis", "rediss"):
        from wsctl.tape.outputs.redis_target import RedisTarget  # slow imports, each needed where it is meant

        return RedisTarget(target.url, dialect)
    if scheme in ("ws", "wss"):
        from wsctl.tape.outputs.websocket_target import WebSocketTarget

        return WebSocketTarget(target, dialect)
    from wsctl.tape.outputs.socketio_target import SocketIOTarget

    return SocketIOTarget(target, dialect)

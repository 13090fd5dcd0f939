"""Which server plays a tape, by what the tape speaks. What each needs is imported only when it is meant."""

from typing import TYPE_CHECKING

from wsctl.cli.console import say
from wsctl.clock import SystemClock
from wsctl.tape.contents import Contents
from wsctl.wire.dialect import Dialect

if TYPE_CHECKING:
    from wsctl.tape.outputs.raw_server import RawServer
    from wsctl.tape.outputs.socketio_server import SocketIOServer


def server_for(
    dialect: Dialect | None, contents: Contents, *, host: str | None, port: int, hold: bool
) -> "RawServer | SocketIOServer":
    """A server in the tape's own dialect."""
    if dialect is None or dialect.over == "socketio":
        from wsctl.tape.outputs.socketio_server import SocketIOServer

        return SocketIOServer(dialect, contents, host=host, port=port, hold=hold, clock=SystemClock(), tell=say)
    from wsctl.tape.outputs.raw_server import RawServer

    return RawServer(dialect, contents, host=host, port=port, hold=hold, clock=SystemClock(), tell=say)

"""Which machine draws a target's cases."""

from wsctl.fuzz.generate.machine import Conversation
from wsctl.fuzz.generate.raw_machine import RawMachine
from wsctl.fuzz.generate.socketio_machine import SocketIOMachine
from wsctl.fuzz.options import FuzzOptions
from wsctl.wire.dialects import spoken


def machine_for(options: FuzzOptions) -> type[Conversation]:
    """By the target's dialect and what was recorded."""
    dialect = spoken(options.target.dialect)
    return RawMachine if dialect is not None and dialect.over == "websocket" else SocketIOMachine

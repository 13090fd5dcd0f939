"""Dialects that Socket.IO carries: a message is the first argument of an event, a request an event of the client's."""

from collections.abc import Sequence
from typing import Any

from wsctl.errors import UsageError, WireError
from wsctl.model.event import Event
from wsctl.wire.dialect import Dialect, Frame, as_event
from wsctl.wire.generic import Generic
from wsctl.wire.values import decode_json

_REQUEST = "over Socket.IO a frame of `subscribe` is a list [event, argument, …]"


class DialectReader:
    """Reads (event name, arguments) as an Event, by a dialect whose `over` is `socketio`."""

    def __init__(self, dialect: Dialect) -> None:
        assert isinstance(dialect, Generic), "no other is carried by Socket.IO"
        self._dialect = dialect

    def read(self, name: str, args: Sequence[Any]) -> Event:
        """The Event in one Socket.IO event; what is not there stays None."""
        return as_event(self._dialect.read(args[0] if args else None, name))


def request(frame: Frame) -> tuple[str, tuple[Any, ...]]:
    """The event and its arguments that a client's frame stands for. Raises UsageError when it stands for none."""
    try:
        message = decode_json(frame)
    except WireError:
        message = None
    match message:
        case [str(event), *arguments] if event:
            return event, tuple(arguments)
    raise UsageError(f"{frame!r:.60} is no event to send", hint=_REQUEST)

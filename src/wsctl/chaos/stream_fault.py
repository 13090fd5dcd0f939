"""StreamFault: a fault that is put on whole streams while it is on, and taken off again."""

from typing import ClassVar

from wsctl.chaos.connection import Connection
from wsctl.chaos.fault import OF_MESSAGES, Fault, FaultSpec, Spec
from wsctl.chaos.stream import Stream


class StreamFaultSpec(FaultSpec, frozen=True, kw_only=True):
    """Options of a fault that is put on streams."""

    unheeded = (*OF_MESSAGES, "p", "nth")
    instead = "whole streams are harmed; expected p_connection, for a share of the connections"


class StreamFault(Fault[Spec]):
    """Subclasses say what they do to a stream."""

    action: ClassVar[str]

    def put_on(self, stream: Stream) -> None:
        """Harm it."""
        raise NotImplementedError

    def take_off(self, stream: Stream) -> None:
        """Harm it no longer; also where it was not harmed."""
        raise NotImplementedError

    def begin(self) -> None:
        """All that are open; those that come, as they come."""
        for connection in tuple(self.proxy.connections.values()):
            self.opened(connection)

    def opened(self, connection: Connection) -> None:
        """One that comes while it is on."""
        for stream in connection.streams:
            if self.means_direction(stream.direction) and self.means_connection(connection):
                self.matched += 1
                self.put_on(stream)
                self.fire(self.action, connection, detail=stream.direction)

    def end(self) -> None:
        """All go on as they were."""
        for connection in tuple(self.proxy.connections.values()):
            for stream in connection.streams:
                self.take_off(stream)

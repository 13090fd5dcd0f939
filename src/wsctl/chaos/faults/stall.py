"""stall: nothing is handed on while sockets stay open: a half-open connection, as far as a proxy can make one.

The kernel still acknowledges what comes: a black hole without acknowledgements takes netem.
"""

from wsctl.chaos.connection import Connection
from wsctl.chaos.fault import Fault, FaultSpec


class StallSpec(FaultSpec, frozen=True, kw_only=True):
    """Connections stay open and fall silent. What comes meanwhile goes on when it is over."""


class Stall(Fault[StallSpec]):
    """Holds streams."""

    type_name = "stall"
    options = StallSpec

    def begin(self) -> None:
        """All that are open; those that come, as they come."""
        for connection in tuple(self.proxy.connections.values()):
            self.opened(connection)

    def opened(self, connection: Connection) -> None:
        """One that comes while it is on."""
        if not self.means_connection(connection):
            return
        for stream in connection.streams:
            if self.means_direction(stream.direction):
                stream.stall(self, stalled=True)
                self.fire("stalled", connection, detail=stream.direction)

    def end(self) -> None:
        """They go on."""
        for connection in tuple(self.proxy.connections.values()):
            for stream in connection.streams:
                stream.stall(self, stalled=False)

"""slow-reader: one side is read slowly or not at all, so that what it has to say piles up where it says it.

With a `rate` it is a thin line as well: what Toxiproxy calls bandwidth.
"""

from typing import Annotated

from msgspec import Meta

from wsctl.chaos.connection import Connection
from wsctl.chaos.fault import Fault, FaultSpec


class SlowReaderSpec(FaultSpec, frozen=True, kw_only=True):
    """The side that a direction comes from is read slowly, with a small receive buffer, so that its queue fills."""

    rate: Annotated[float, Meta(ge=0, description="Bytes a second; 0: not at all.")] = 0.0


class SlowReader(Fault[SlowReaderSpec]):
    """Reads slowly."""

    type_name = "slow-reader"
    options = SlowReaderSpec

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
                stream.source.throttle(self, self.spec.rate)
                self.fire("slowed", connection, detail=stream.direction)

    def end(self) -> None:
        """They are read as fast as they come."""
        for connection in tuple(self.proxy.connections.values()):
            for stream in connection.streams:
                stream.source.unthrottle(self)

"""slow-open: handshakes take long."""

from typing import Annotated

from msgspec import Meta

from wsctl.chaos.connection import Connection
from wsctl.chaos.door import Door, Slow
from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.spec.kinds import Duration


class SlowOpenSpec(FaultSpec, frozen=True, kw_only=True):
    """Who wants in waits. Engine.IO's OPEN packet by itself is delayed by `delay` with `kind: transport`."""

    delay: Annotated[Duration, Meta(gt=0, description="For so long.")] = 5.0


class SlowOpen(Fault[SlowOpenSpec]):
    """Lets them wait."""

    type_name = "slow-open"
    options = SlowOpenSpec

    def at_door(self, connection: Connection) -> Door | None:
        """Wait."""
        if not self.strikes_at_door(connection):
            return None
        self.fire("slowed", connection)
        return Slow(self.spec.delay)

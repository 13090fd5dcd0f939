"""flash: a part of all connections is cut in one tick, and nobody gets in for a while."""

from typing import Annotated

from msgspec import Meta

from wsctl.chaos.connection import Connection
from wsctl.chaos.door import Door, Reset
from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.spec.kinds import Duration


class FlashSpec(FaultSpec, frozen=True, kw_only=True):
    """A network flash: connections are cut at once; during the outage whoever comes is reset."""

    percent: Annotated[float, Meta(ge=0, le=100, description="Share of the connections, to the connection.")] = 100.0
    outage: Annotated[Duration, Meta(ge=0, description="For so long nobody gets in.")] = 3.0


class Flash(Fault[FlashSpec]):
    """Cuts them all, and keeps them out."""

    type_name = "flash"
    options = FlashSpec

    def begin(self) -> None:
        """Cut. Resets go out before anything else runs."""
        self._out_until = self.proxy.clock.monotonic() + self.spec.outage
        there = sorted(self.proxy.connections.values(), key=lambda one: one.number)
        share = round(len(there) * self.spec.percent / 100)
        for connection in self.own_dice.sample(there, share):
            self.fire("cut", connection, detail="flash")
            connection.cut(reset=True)

    def at_door(self, connection: Connection) -> Door | None:
        """Nobody gets in while it lasts; refusals are no strikes: each client comes as often as it likes."""
        return Reset() if self.proxy.clock.monotonic() < self._out_until else None

    _out_until = 0.0

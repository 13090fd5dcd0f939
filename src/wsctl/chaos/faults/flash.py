"""flash: a part of all connections is cut in one tick, and nobody gets in for a while."""

from typing import Annotated, Any

from msgspec import Meta

from wsctl.chaos.fault import OF_MESSAGES, Fault, FaultSpec
from wsctl.spec.kinds import Duration


class FlashSpec(FaultSpec, frozen=True, kw_only=True):
    """A network flash: WebSockets are cut at once; during the outage whoever comes is reset, polls included."""

    unheeded = ("direction", *OF_MESSAGES, "p", "p_connection", "nth", "for")
    instead = "a flash cuts a share of all WebSockets, for the time of its outage; expected percent, outage"

    percent: Annotated[float, Meta(ge=0, le=100, description="Share of the WebSockets, to the connection.")] = 100.0
    outage: Annotated[Duration, Meta(ge=0, description="For so long nobody gets in.")] = 3.0


class Flash(Fault[FlashSpec]):
    """Cuts them all, and keeps them out."""

    type_name = "flash"
    options = FlashSpec

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._out_until = 0.0

    def begin(self) -> None:
        """Cut. Resets go out before anything else runs. One that is spent does nothing more, not even an outage."""
        if not self.is_on:
            return
        self._out_until = self.proxy.clock.monotonic() + self.spec.outage
        there = sorted(self.proxy.connections.values(), key=lambda one: one.number)
        share = round(len(there) * self.spec.percent / 100)
        for connection in self.own_dice.sample(there, share):
            if self.is_on:
                self.matched += 1
                self.fire("cut", connection, detail="flash")
                connection.cut(reset=True)

    @property
    def shuts(self) -> bool:
        """While the outage lasts. Who is refused is not struck: each comes as often as it likes."""
        return self.proxy.clock.monotonic() < self._out_until

"""rolling-restart: one upstream after another is taken away and comes back."""

import asyncio
from typing import Annotated

from msgspec import Meta

from wsctl.chaos import goodbye
from wsctl.chaos.fault import OF_MESSAGES, Fault, FaultSpec
from wsctl.chaos.upstream import Upstream
from wsctl.spec.kinds import Duration


class RollingRestartSpec(FaultSpec, frozen=True, kw_only=True):
    """Each upstream in turn is taken away: its connections are closed, and it takes nobody until it is back.

    Clients are led to the others meanwhile; where there is no other, they are answered with 503.
    """

    unheeded = ("direction", *OF_MESSAGES, "p", "p_connection", "nth", "times")
    instead = "upstreams are taken away in turn, each with all its connections; expected down or pause"

    code: Annotated[int, Meta(ge=1000, le=4999, description="What connections are closed with.")] = 1012
    notice: Annotated[str | None, Meta(description="A text message that each connection is sent before.")] = None
    down: Annotated[Duration, Meta(gt=0, description="How long each is away.")] = 2.0
    pause: Annotated[Duration, Meta(ge=0, description="From one's return to the next one's leaving.")] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        goodbye.check(self.code)


class RollingRestart(Fault[RollingRestartSpec]):
    """Takes upstreams away, one at a time. What it strikes are the connections that it closes."""

    type_name = "rolling-restart"
    options = RollingRestartSpec
    _rolling: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Roll, unless it still does."""
        if self._rolling is None or self._rolling.done():
            self._rolling = self.proxy.spawn(self._roll())

    def end(self) -> None:
        """All are up again."""
        if self._rolling is not None:
            self._rolling.cancel()
        for upstream in self.proxy.upstreams:
            upstream.is_up = True

    async def _roll(self) -> None:
        for upstream in self.proxy.upstreams:
            if self.is_on:
                self._take_away(upstream)
                await asyncio.sleep(self.spec.down)
                upstream.is_up = True
                await asyncio.sleep(self.spec.pause)

    def _take_away(self, upstream: Upstream) -> None:
        upstream.is_up = False
        self.proxy.tell(self, "taken away", None, None, f"{upstream.shown} for {self.spec.down:g} s")
        for connection in tuple(self.proxy.connections.values()):
            if connection.upstream is upstream:
                self.matched += 1
                self.fire("closed", connection, detail=f"{self.spec.code} {upstream.shown} restarts")
                if self.spec.notice is not None:
                    connection.text(self.spec.notice)
                connection.close(self.spec.code, "restart")

"""slow-reader: one side is read slowly or not at all, so that what it has to say piles up where it says it."""

from typing import Annotated

from msgspec import Meta

from wsctl.chaos.side import SMALL_WINDOW
from wsctl.chaos.stream import Stream
from wsctl.chaos.stream_fault import StreamFault, StreamFaultSpec

_LARGE_WINDOW = 2**30
"""bytes; setsockopt takes a C int, and the kernel grants less anyway"""


class SlowReaderSpec(StreamFaultSpec, frozen=True, kw_only=True):
    """The side that a direction comes from is read slowly, and may send little ahead, so that its queue fills."""

    rate: Annotated[float, Meta(ge=0, description="Bytes a second; 0: not at all.")] = 0.0


class SlowReader(StreamFault[SlowReaderSpec]):
    """Reads slowly."""

    type_name = "slow-reader"
    options = SlowReaderSpec
    action = "slowed"

    def put_on(self, stream: Stream) -> None:
        """The kernel is to take little of it, too: a second's worth at most."""
        stream.source.throttle(self, self.spec.rate, window=int(min(max(SMALL_WINDOW, self.spec.rate), _LARGE_WINDOW)))

    def take_off(self, stream: Stream) -> None:
        """As fast as it comes."""
        stream.source.throttle(self, None)

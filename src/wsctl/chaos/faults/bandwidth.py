"""bandwidth: a thin line: bytes of a direction are handed on at a rate."""

from typing import Annotated

from msgspec import Meta

from wsctl.chaos.stream import Stream
from wsctl.chaos.stream_fault import StreamFault, StreamFaultSpec


class BandwidthSpec(StreamFaultSpec, frozen=True, kw_only=True):
    """Bytes are handed on at a rate, each connection and direction by itself."""

    rate: Annotated[float, Meta(gt=0, description="Bytes a second.")] = 10_000.0


class Bandwidth(StreamFault[BandwidthSpec]):
    """Makes the line thin."""

    type_name = "bandwidth"
    options = BandwidthSpec
    action = "narrowed"

    def put_on(self, stream: Stream) -> None:
        """It is read at that rate."""
        stream.source.throttle(self, self.spec.rate)

    def take_off(self, stream: Stream) -> None:
        """As fast as it comes."""
        stream.source.throttle(self, None)

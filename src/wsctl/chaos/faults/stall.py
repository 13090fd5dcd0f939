"""stall: nothing is handed on while sockets stay open: a half-open connection, as far as a proxy can make one.

The kernel still acknowledges what comes, until its buffers are full: a black hole without acknowledgements takes netem.
"""

from wsctl.chaos.stream import Stream
from wsctl.chaos.stream_fault import StreamFault, StreamFaultSpec


class StallSpec(StreamFaultSpec, frozen=True, kw_only=True):
    """Connections stay open and fall silent: even an end is not handed on. What comes meanwhile goes on afterwards."""


class Stall(StreamFault[StallSpec]):
    """Hands nothing on."""

    type_name = "stall"
    options = StallSpec
    action = "stalled"

    def put_on(self, stream: Stream) -> None:
        """What comes is kept: a little of it here, the rest in the kernel."""
        stream.stall(self, stalled=True)

    def take_off(self, stream: Stream) -> None:
        """It comes after all."""
        stream.stall(self, stalled=False)

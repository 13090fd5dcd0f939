"""noop: counts and tells of what it matches, and harms nothing. A template for faults."""

from collections.abc import Sequence

from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream


class NoopSpec(FaultSpec, frozen=True, kw_only=True):
    """Matches are told in the log; nothing is harmed."""


class Noop(Fault[NoopSpec]):
    """Lets everything through."""

    type_name = "noop"
    options = NoopSpec

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """As it came."""
        self.fire("seen", stream.connection, message)
        return (message,)

"""drop: messages are withheld."""

from collections.abc import Sequence

from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream


class DropSpec(FaultSpec, frozen=True, kw_only=True):
    """Messages are withheld: what TCP never does to them, and servers do."""


class Drop(Fault[DropSpec]):
    """Withholds."""

    type_name = "drop"
    options = DropSpec

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """Nothing."""
        self.fire("dropped", stream.connection, message)
        return ()

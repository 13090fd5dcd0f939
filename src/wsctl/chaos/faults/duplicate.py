"""duplicate: messages come again."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream


class DuplicateSpec(FaultSpec, frozen=True, kw_only=True):
    """Messages come again, right away."""

    copies: Annotated[int, Meta(ge=1, le=100, description="How often again.")] = 1


class Duplicate(Fault[DuplicateSpec]):
    """Sends again."""

    type_name = "duplicate"
    options = DuplicateSpec

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """It, and its copies."""
        self.fire("duplicated", stream.connection, message)
        return (message,) * (1 + self.spec.copies)

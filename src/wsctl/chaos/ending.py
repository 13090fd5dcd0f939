"""Ending: what faults that end connections have in common: all at once, or each at the first message that they mean."""

from collections.abc import Sequence

from wsctl.chaos.connection import Connection
from wsctl.chaos.fault import Fault, FaultSpec, Spec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream
from wsctl.errors import UsageError


class EndingSpec(FaultSpec, frozen=True, kw_only=True):
    """Options of a fault that ends connections."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.names_messages and (self.direction != "down" or self.lasts is not None):
            key = "for" if self.lasts is not None else "direction"
            raise UsageError(
                f"{key} means nothing here: connections end all at once; expected which messages are meant, such as nth"
            )


class Ending(Fault[Spec]):
    """Subclasses say how a connection ends."""

    def strike(self, connection: Connection, message: Message | None = None) -> None:
        """End it, and tell."""
        raise NotImplementedError

    def begin(self) -> None:
        """All that are open, unless a message is to be waited for."""
        if self.spec.names_messages:
            return
        for connection in tuple(self.proxy.connections.values()):
            if self.means_connection(connection):
                self.matched += 1
                self.strike(connection)

    def means(self, message: Message, stream: Stream) -> bool:
        """Only where messages are waited for."""
        return self.spec.names_messages and super().means(message, stream)

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """What came before it is handed on; it and all after it only where its stream is not what ended."""
        self.strike(stream.connection, message)
        return (message,)

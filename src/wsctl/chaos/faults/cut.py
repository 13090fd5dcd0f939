"""cut: connections end without a word of WebSocket: by RST, by FIN, or on one side only."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from wsctl.chaos.connection import Connection
from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream


class CutSpec(FaultSpec, frozen=True, kw_only=True):
    """Connections end without a close frame: all at once; told which messages it means, each at the first of those."""

    how: Annotated[
        Literal["rst", "fin", "half-close"],
        Meta(description="rst: reset; fin: ended in order; half-close: we write no more, and read on."),
    ] = "rst"


class Cut(Fault[CutSpec]):
    """Cuts."""

    type_name = "cut"
    options = CutSpec

    def begin(self) -> None:
        """All that are open, unless a message is to be waited for."""
        if self.waits_for_message:
            return
        for connection in tuple(self.proxy.connections.values()):
            if self.means_connection(connection):
                self.matched += 1
                self._cut(connection)

    def means(self, message: Message, stream: Stream) -> bool:
        """Only where messages are waited for."""
        return self.waits_for_message and super().means(message, stream)

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """What came before it is handed on (where a reset leaves it the time), it and all after it are not."""
        self._cut(stream.connection, message)
        return ()

    def _cut(self, connection: Connection, message: Message | None = None) -> None:
        self.fire("cut", connection, message, detail=self.spec.how)
        if self.spec.how == "half-close":
            connection.half_close()
        else:
            connection.cut(reset=self.spec.how == "rst")

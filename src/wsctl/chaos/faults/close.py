"""close: connections are closed with a code, as a server closes them."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from wsctl.chaos import goodbye
from wsctl.chaos.connection import Connection
from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream


class CloseSpec(FaultSpec, frozen=True, kw_only=True):
    """Connections are closed with a code: all at once; told which messages it means, each at the first of those."""

    code: Annotated[int, Meta(ge=1000, le=4999, description="Such as 1001, 1008, 1011, 1012, 1013, 4000.")] = 1001
    reason: Annotated[str, Meta(description="In words.")] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        goodbye.check(self.code, self.reason)


class Close(Fault[CloseSpec]):
    """Closes."""

    type_name = "close"
    options = CloseSpec

    def begin(self) -> None:
        """All that are open, unless a message is to be waited for."""
        if self.waits_for_message:
            return
        for connection in tuple(self.proxy.connections.values()):
            if self.means_connection(connection):
                self.matched += 1
                self._close(connection)

    def means(self, message: Message, stream: Stream) -> bool:
        """Only where messages are waited for."""
        return self.waits_for_message and super().means(message, stream)

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """What came before it is handed on, it and all after it are not."""
        self._close(stream.connection, message)
        return ()

    def _close(self, connection: Connection, message: Message | None = None) -> None:
        self.fire("closed", connection, message, detail=f"{self.spec.code} {self.spec.reason}".rstrip())
        connection.close(self.spec.code, self.spec.reason)

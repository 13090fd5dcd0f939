"""close: connections are closed with a code, as a server closes them."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from wsctl.chaos.connection import Connection
from wsctl.chaos.fault import Fault, FaultSpec
from wsctl.chaos.message import Message
from wsctl.chaos.stream import Stream
from wsctl.errors import UsageError

_NEVER_SENT = {1005, 1006, 1015}


class CloseSpec(FaultSpec, frozen=True, kw_only=True):
    """Connections are closed with a code: all at once; told which messages it means, each at the first of those."""

    code: Annotated[int, Meta(ge=1000, le=4999, description="Such as 1001, 1008, 1011, 1012, 1013, 4000.")] = 1001
    reason: Annotated[str, Meta(max_length=123, description="In words.")] = ""

    def __post_init__(self) -> None:
        if self.code in _NEVER_SENT:
            raise UsageError(
                f"close code {self.code} never stands on the wire (RFC 6455, 7.4.1); the fault cut ends without one"
            )
        if len(self.reason.encode()) > 123:
            raise UsageError("a close reason has at most 123 bytes (RFC 6455, 5.5)")


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
                self._close(connection)

    def on_message(self, message: Message, stream: Stream) -> Sequence[Message]:
        """It goes on, and is the last."""
        if not self.waits_for_message:
            return (message,)
        self._close(stream.connection, message)
        return ()

    def _close(self, connection: Connection, message: Message | None = None) -> None:
        self.fire("closed", connection, message, detail=f"{self.spec.code} {self.spec.reason}".rstrip())
        connection.close(self.spec.code, self.spec.reason)

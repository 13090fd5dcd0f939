"""close: connections are closed with a code, as a server closes them."""

from typing import Annotated

from msgspec import Meta

from wsctl.chaos import goodbye
from wsctl.chaos.connection import Connection
from wsctl.chaos.ending import Ending, EndingSpec
from wsctl.chaos.message import Message


class CloseSpec(EndingSpec, frozen=True, kw_only=True):
    """Connections are closed with a code: all at once; told which messages it means, each at the first of those."""

    code: Annotated[int, Meta(ge=1000, le=4999, description="Such as 1001, 1008, 1011, 1012, 1013, 4000.")] = 1001
    reason: Annotated[str, Meta(description="In words.")] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        goodbye.check(self.code, self.reason)


class Close(Ending[CloseSpec]):
    """Closes."""

    type_name = "close"
    options = CloseSpec

    def strike(self, connection: Connection, message: Message | None = None) -> None:
        """With the code."""
        self.fire("closed", connection, message, detail=f"{self.spec.code} {self.spec.reason}".rstrip())
        connection.close(self.spec.code, self.spec.reason)

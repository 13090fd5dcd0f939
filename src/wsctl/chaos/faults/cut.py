"""cut: connections end without a word of WebSocket: by RST, by FIN, or on one side only."""

from typing import Annotated, Literal

from msgspec import Meta

from wsctl.chaos.connection import Connection
from wsctl.chaos.ending import Ending, EndingSpec
from wsctl.chaos.message import Message


class CutSpec(EndingSpec, frozen=True, kw_only=True):
    """Connections end without a close frame: all at once; told which messages it means, each at the first of those."""

    how: Annotated[
        Literal["rst", "fin", "half-close"],
        Meta(description="rst: reset; fin: ended in order; half-close: we write no more to clients, and read on."),
    ] = "rst"


class Cut(Ending[CutSpec]):
    """Cuts."""

    type_name = "cut"
    options = CutSpec

    def strike(self, connection: Connection, message: Message | None = None) -> None:
        """What was said before is still handed on, where a reset leaves it the time."""
        self.fire("cut", connection, message, detail=self.spec.how)
        if self.spec.how == "half-close":
            self.spare(connection)
            connection.half_close()
        else:
            connection.cut(reset=self.spec.how == "rst")

"""reject: who wants in is answered with another HTTP status than 101, or with a 101 that is not for it."""

from typing import Annotated, Literal

from msgspec import Meta

from wsctl.chaos.connection import Connection
from wsctl.chaos.door import Door, Reject
from wsctl.chaos.fault import OF_MESSAGES, Fault, FaultSpec
from wsctl.errors import UsageError

_NOBODYS = (
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Accept", "bm90IHlvdXIga2V5IGF0IGFsbCE="),
)


class RejectSpec(FaultSpec, frozen=True, kw_only=True):
    """Handshakes are refused: of WebSocket, and of Engine.IO by polling."""

    unheeded = ("direction", *OF_MESSAGES)
    instead = "handshakes are refused, no messages; expected p or nth, which count handshakes"

    how: Annotated[
        Literal["status", "bad-accept"],
        Meta(description="status: an HTTP status; bad-accept: 101 with a Sec-WebSocket-Accept for another key."),
    ] = "status"
    status: Annotated[int, Meta(ge=300, le=599, description="Such as 401, 403, 429, 503, or a redirection.")] = 503
    retry_after: Annotated[Annotated[int, Meta(ge=0)] | None, Meta(description="Seconds, as a header.")] = None
    location: Annotated[str | None, Meta(description="Of a redirection.")] = None
    body: Annotated[str, Meta(description="In words.")] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.location is not None and not (self.location.isascii() and self.location.isprintable()):
            hint = "percent-encode the rest"
            raise UsageError(f"location is {self.location!r}; expected printable ASCII, as in a header", hint=hint)


class RejectHandshake(Fault[RejectSpec]):
    """Refuses."""

    type_name = "reject"
    options = RejectSpec

    def at_door(self, connection: Connection) -> Door | None:
        """No."""
        if not self.strikes_at_door(connection):
            return None
        if self.spec.how == "bad-accept":
            self.fire("rejected", connection, detail="101 with a bad Sec-WebSocket-Accept")
            return Reject(101, _NOBODYS)
        self.fire("rejected", connection, detail=str(self.spec.status))
        given = (("Retry-After", self.spec.retry_after), ("Location", self.spec.location))
        headers = tuple((name, str(value)) for name, value in given if value is not None)
        return Reject(self.spec.status, headers, self.spec.body)

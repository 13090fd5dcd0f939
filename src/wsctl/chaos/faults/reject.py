"""reject: who wants in is answered with another HTTP status than 101."""

from typing import Annotated

from msgspec import Meta

from wsctl.chaos.connection import Connection
from wsctl.chaos.door import Door, Reject
from wsctl.chaos.fault import Fault, FaultSpec


class RejectSpec(FaultSpec, frozen=True, kw_only=True):
    """Handshakes are refused."""

    status: Annotated[int, Meta(ge=300, le=599, description="Such as 401, 403, 429, 503, or a redirection.")] = 503
    retry_after: Annotated[Annotated[int, Meta(ge=0)] | None, Meta(description="Seconds, as a header.")] = None
    location: Annotated[str | None, Meta(description="Of a redirection.")] = None
    body: Annotated[str, Meta(description="In words.")] = ""


class RejectHandshake(Fault[RejectSpec]):
    """Refuses."""

    type_name = "reject"
    options = RejectSpec

    def at_door(self, connection: Connection) -> Door | None:
        """No."""
        if not self.strikes_at_door(connection):
            return None
        self.fire("rejected", connection, detail=str(self.spec.status))
        given = (("Retry-After", self.spec.retry_after), ("Location", self.spec.location))
        headers = tuple((name, str(value)) for name, value in given if value is not None)
        return Reject(self.spec.status, headers, self.spec.body)

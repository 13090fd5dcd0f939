"""Door: what a client meets that wants in, instead of the server."""

from msgspec import Struct


class Reject(Struct, frozen=True):
    """An HTTP answer, and the end."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


class Slow(Struct, frozen=True):
    """So many seconds until it is let through."""

    seconds: float


Door = Reject | Slow

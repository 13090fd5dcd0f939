"""Firings: what a fault did, and to whom. The proxy's log of them is the truth about what went wrong on purpose."""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from wsctl.chaos.message import Direction


class Firing(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fault that struck, once. As JSON a line of the log."""

    at: int
    """monotonic nanoseconds"""
    time: float
    """unix seconds"""
    fault: str
    """its name"""
    type: str
    action: str
    """what was done: dropped, duplicated, held …"""
    conn: str | None = None
    client: str | None = None
    """the `client` of the handshake auth, where it says one"""
    port: int | None = None
    """of the client's socket: what it may know itself by, where it has no name"""
    direction: Direction | None = None
    event: str | None = None
    channel: str | None = None
    epoch: str | None = None
    seq: int | None = None
    detail: str | None = None
    """such as a close code"""


Listener = Callable[[Firing], None]
encode = msgspec.json.Encoder().encode

"""One connection before the load: is anything there, does it let us in, and whose clock does it go by?"""

import ipaddress
import uuid
from urllib.parse import urlsplit

from msgspec import Struct, structs

from wsctl.client.clock_offset import ClockOffset
from wsctl.client.dial import Dialler
from wsctl.client.target import Target
from wsctl.clock import Clock

SAME_HOST = "same host, one clock: exact"
NOT_COMPARED = "the feed cannot be asked for its time: latencies are right as far as both clocks are"


class Scouted(Struct, frozen=True):
    """What was found."""

    clock: str
    """what latencies rest on, for people"""


async def scout(target: Target, token: str | None, clock: Clock) -> Scouted:
    """Connect once, and leave. Raises Unreachable or Refused, UsageError for options that cannot be used."""
    asked = structs.replace(target, transport="websocket", token=token if token is not None else target.token)
    connection, _ = await Dialler(asked, asked.handshake(uuid.uuid4().hex)).open(lambda *_: None, lambda _: None)
    try:
        offset = None if is_here(target) else await connection.clock_offset(clock)
    finally:
        await connection.close()
    return Scouted(SAME_HOST if is_here(target) else _told(offset))


def is_here(target: Target) -> bool:
    """Whether the target is surely this machine."""
    host = urlsplit(target.url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _told(offset: ClockOffset | None) -> str:
    return NOT_COMPARED if offset is None else f"by time:sync: {offset}"

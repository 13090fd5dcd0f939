"""One connection before the load: is anything there, and does it let us in?"""

import uuid

from msgspec import structs

from wsctl.client.dial import Dialler
from wsctl.client.target import Target


async def scout(target: Target, token: str | None) -> None:
    """Connect once, and leave. Raises Unreachable or Refused, UsageError for options that cannot be used."""
    asked = structs.replace(target, transport="websocket", token=token if token is not None else target.token)
    connection, _ = await Dialler(asked, asked.handshake(uuid.uuid4().hex)).open(lambda *_: None, lambda _: None)
    await connection.close()

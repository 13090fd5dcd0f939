"""Last words: what a server says before it ends a connection itself."""

import math
from collections.abc import Sequence
from typing import Any

from msgspec import Struct


class Closing(Struct, frozen=True):
    """The server's `connection:closing {reason, retry, retryAfterMs?}`; `after` in seconds."""

    reason: str
    retry: bool
    after: float


def read_closing(args: Sequence[Any]) -> Closing | None:
    """The notice in an event's arguments; None when they are something else."""
    body = args[0] if args else None
    if not isinstance(body, dict):
        return None
    after = body.get("retryAfterMs")
    number = isinstance(after, int | float) and not isinstance(after, bool) and math.isfinite(after) and after > 0
    return Closing(
        reason=str(body.get("reason") or "no reason given"),
        retry=body.get("retry") is not False,
        after=after / 1000 if number and after else 0.0,
    )

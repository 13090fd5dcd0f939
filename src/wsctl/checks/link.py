"""How a message ties to the one before it, where its scheme needs more than its seq."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from wsctl.checks.sequence import integer


class Link(Protocol):
    """What a dialect says of a message; None where it says nothing."""

    @property
    def first(self) -> int | None:
        """The first number that it covers, its seq being the last."""

    @property
    def previous(self) -> int | None:
        """The seq of the message before it."""


LinkOf = Callable[[str, Any], Link]
"""Reads the link out of a channel's payload."""


class _Known(NamedTuple):
    first: int | None = None
    previous: int | None = None


def known_link(channel: str, data: Any) -> Link:
    """The link by the names that exchanges give it: `U` and `pu` (Binance), `prevSeqId` (OKX, in a list of one)."""
    if isinstance(data, dict) and "data" in data:
        data = data["data"]
    if isinstance(data, list) and data:
        data = data[0]
    if not isinstance(data, dict):
        return _Known()
    return _Known(integer(data.get("U")), integer(data.get("pu", data.get("prevSeqId"))))

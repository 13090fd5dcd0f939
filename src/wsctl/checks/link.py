"""How a message ties to the one before it, where its scheme needs more than its seq."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol


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


class _Nothing(NamedTuple):
    first: None = None
    previous: None = None


def no_link(channel: str, data: Any) -> Link:
    """Where nobody knows the payloads: a message covers its seq alone."""
    return _Nothing()

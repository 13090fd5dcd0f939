"""WholeStates: what a client that asks late for a channel must have heard to make sense of the rest."""

from typing import Final, Generic, TypeVar

KEPT: Final = 5_000
"""messages after a whole state that are remembered, of each channel"""

T = TypeVar("T")
"""what a message is carried in"""


class WholeStates(Generic[T]):
    """The latest whole state of each channel that has such, a book's snapshot, and what has changed it since."""

    def __init__(self) -> None:
        self._since: dict[str, list[T] | None] = {}
        """None where too much came since"""

    def add(self, channel: str, message: T, whole: bool) -> None:
        """Take in a message that was played."""
        if whole:
            self._since[channel] = [message]
            return
        since = self._since.get(channel)
        if since is None:
            return
        if len(since) > KEPT:
            self._since[channel] = None
        else:
            since.append(message)

    def since(self, channel: str) -> list[T] | None:
        """The whole state and what followed; grows with the channel. None where there is none, or too much followed."""
        return self._since.get(channel)

    def is_lost(self, channel: str) -> bool:
        """Whether too much followed the latest whole state."""
        return channel in self._since and self._since[channel] is None

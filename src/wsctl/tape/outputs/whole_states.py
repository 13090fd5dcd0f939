"""WholeStates: what a client that asks late for a channel must have heard to make sense of the rest."""

from typing import Final

from msgspec import Raw

KEPT: Final = 5_000
"""messages after a whole state that are remembered, of each channel"""


class WholeStates:
    """The latest whole state of each channel that has such, a book's snapshot, and what has changed it since."""

    def __init__(self) -> None:
        self._since: dict[str, list[Raw] | None] = {}
        """None where too much came since"""

    def add(self, channel: str, payload: Raw, whole: bool) -> None:
        """Take in a message that was played."""
        if whole:
            self._since[channel] = [payload]
            return
        since = self._since.get(channel)
        if since is None:
            return
        if len(since) > KEPT:
            self._since[channel] = None
        else:
            since.append(payload)

    def since(self, channel: str) -> list[Raw] | None:
        """The whole state and what followed; grows with the channel. None where there is none, or too much followed."""
        return self._since.get(channel)

    def is_lost(self, channel: str) -> bool:
        """Whether too much followed the latest whole state."""
        return channel in self._since and self._since[channel] is None

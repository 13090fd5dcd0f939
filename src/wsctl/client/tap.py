"""Tap: sees what passes on a client's connections, to the byte. `--trace` shows it, `record` keeps it."""

from typing import Protocol

Frame = str | bytes
"""One WebSocket message, text or bytes."""


class Tap(Protocol):
    """Told on the loop, in the order of events; a client has one connection at a time. Must not raise."""

    def opened(self, url: str, headers: tuple[tuple[str, str], ...]) -> None:
        """A WebSocket is up: where, and the headers of the request that asked for it."""

    def received(self, frame: Frame) -> None:
        """A message came."""

    def sent(self, frame: Frame, shown: Frame) -> None:
        """A message is being sent; `shown` is the same without its secrets."""

    def closed(self, code: int, reason: str) -> None:
        """The WebSocket is over: the close code received, or sent by us; 1006 where it broke."""

"""What every Socket.IO connection can do: ask by event, and be answered by acknowledgement."""

from abc import ABC, abstractmethod
from typing import Any

from wsctl.client.clock_offset import ClockOffset, measure
from wsctl.client.subscription import Subscription
from wsctl.clock import Clock


class Emitting(ABC):
    """The part of a Connection that is the same over every Socket.IO transport."""

    port: None = None
    """it goes by the `client` of its handshake auth; see Connection.port"""

    @abstractmethod
    async def emit(self, event: str, *args: Any, timeout: float) -> list[Any]:  # noqa: ASYNC109
        """Send an event and wait for its acknowledgement's arguments. Raises AckTimeout or Lost."""

    @abstractmethod
    async def send(self, event: str, *args: Any) -> None:
        """Send an event; returns once it is written, so that who sends much cannot outrun the peer. Raises Lost."""

    async def ask(self, subscription: Subscription, *, timeout: float) -> Any:  # noqa: ASYNC109
        """Ask for data; see Connection.ask."""
        acknowledgement = await self.emit(subscription.event, *subscription.sent, timeout=timeout)
        return acknowledgement[0] if acknowledgement else None

    async def clock_offset(self, clock: Clock) -> ClockOffset | None:
        """By the platform's `time:sync`; see Connection.clock_offset."""
        return await measure(self, clock)

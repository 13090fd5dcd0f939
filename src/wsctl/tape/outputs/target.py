"""What all ways to play a tape into a target have in common: they count, and say how far they got when it goes."""

from abc import abstractmethod
from collections.abc import Awaitable

from wsctl.client.losses import Lost
from wsctl.errors import Gone
from wsctl.tape.player import Output


class TargetOutput(Output):
    """Plays into what somebody else runs. `ready` connects, and raises TargetError; `put` raises Gone."""

    unit = "messages"

    def __init__(self, shown: str) -> None:
        self.sent = 0
        self.left_out = 0
        """records and events of servers that are none of what the target takes"""
        self.note: str | None = None
        """for people, once connected: why the way there is not the one they expect"""
        self._shown = shown
        self._connected = False

    @property
    def summary(self) -> str:
        """What went out, in words."""
        left_out = f"; {self.left_out:,} left out" if self.left_out else ""
        return f"{self.sent:,} {self.unit} sent to {self._shown}{left_out}"

    async def ready(self) -> None:
        """Connect, before the first round."""
        if not self._connected:
            await self._connect()
            self._connected = True

    async def lap_over(self, lap: int) -> None:
        """Nobody is told: whatever can be, the events tell."""

    @abstractmethod
    async def _connect(self) -> None:
        """Raises TargetError."""

    async def _send(self, sending: Awaitable[None]) -> None:
        """Wait until one message is written, and count it. Raises Gone."""
        try:
            await sending
        except Lost as error:
            raise self._gone(error.message) from error
        self.sent += 1

    def _gone(self, reason: str) -> Gone:
        return Gone(f"{self._shown} went away after {self.sent:,} {self.unit}: {reason}")

"""The seam between a Feed and a library that holds one connection.

An implementation translates its library's exceptions, here and nowhere else: above it only wsctl's are known.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from wsctl.client.target import Target
from wsctl.errors import TargetError

OPEN_TIMEOUT = 10.0
"""seconds to reach a target, whatever it does"""


class Lost(TargetError):
    """The connection ended while an answer was awaited."""


class AckTimeout(TargetError):
    """The target did not acknowledge in time; many never do."""


OnEvent = Callable[[str, tuple[Any, ...]], None]
"""called on the loop with an event's name and arguments, in the order of arrival; must not raise"""

OnClose = Callable[[str], None]
"""called on the loop, once, with the reason, after the last event; not when we closed, nor when open raised"""


class Connection(Protocol):
    """One joined namespace over one transport; made for one use."""

    @property
    def transport(self) -> str:
        """`websocket` or `polling`."""

    async def open(self, timeout: float, handshake: float | None = None) -> None:  # noqa: ASYNC109
        """Connect and join within `timeout` seconds; nothing is left behind when it raises, cancelled or not.

        `handshake` bounds the transport's part alone, so that the caller has time left to try another one.
        Events may arrive before it returns. Raises Unreachable (`answered` when something is there that
        another transport may do better with), Refused, or UsageError for options that cannot be used.
        """

    async def emit(self, event: str, *args: Any, timeout: float) -> list[Any]:  # noqa: ASYNC109
        """Send an event and wait for its acknowledgement's arguments. Raises AckTimeout or Lost."""

    async def send(self, event: str, *args: Any) -> None:
        """Send an event. Raises Lost."""

    async def close(self) -> None:
        """Leave, within a second or so whatever the peer does; may be called twice. No task outlives it."""


class Connect(Protocol):
    """Makes a Connection, not yet open, over a transport other than `auto`; `auth` is the handshake auth."""

    def __call__(
        self, target: Target, auth: Mapping[str, Any], transport: str, *, on_event: OnEvent, on_close: OnClose
    ) -> Connection: ...

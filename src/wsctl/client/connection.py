"""The seam between a Feed and a library that holds one connection.

An implementation translates its library's exceptions, here and nowhere else: above it only wsctl's are known.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from wsctl.client.clock_offset import ClockOffset
from wsctl.client.subscription import Subscription
from wsctl.client.target import Target
from wsctl.clock import Clock

OPEN_TIMEOUT = 10.0
"""seconds to reach a target, whatever it does"""


OnEvent = Callable[[str, tuple[Any, ...]], None]
"""called on the loop with an event's name and arguments, in the order of arrival; must not raise. The arguments are
what the reader of its dialect makes an Event of (see `wsctl.client.feed`)"""

OnClose = Callable[[str], None]
"""called on the loop, once, with the reason, after the last event; not when we closed, nor when open raised"""


class Connection(Protocol):
    """One conversation with a feed over one transport; made for one use."""

    @property
    def transport(self) -> str:
        """`websocket` or `polling`."""

    @property
    def port(self) -> int | None:
        """Of its own socket, by which others may know it that has no name; None: it has one, or no socket yet."""

    async def open(self, timeout: float, handshake: float | None = None) -> None:  # noqa: ASYNC109
        """Connect and join within `timeout` seconds; nothing is left behind when it raises, cancelled or not.

        `handshake` bounds the transport's part alone, so that the caller has time left to try another one.
        Events may arrive before it returns. Raises Unreachable (`answered` when something is there that
        another transport may do better with), Refused, or UsageError for options that cannot be used.
        """

    async def ask(self, subscription: Subscription, *, timeout: float) -> Any:  # noqa: ASYNC109
        """Ask for data; answers what the feed said of it (`{"ok": false, "code", "message"}`: no). Raises AckTimeout
        or Lost."""

    async def clock_offset(self, clock: Clock) -> ClockOffset | None:
        """How far the feed's clock is from ours; None where it cannot be asked."""

    async def close(self) -> None:
        """Leave, within a second or so whatever the peer does; may be called twice. No task outlives it."""


class Connect(Protocol):
    """Makes a Connection, not yet open, over a transport other than `auto`; `auth` is the handshake auth."""

    def __call__(
        self, target: Target, auth: Mapping[str, Any], transport: str, *, on_event: OnEvent, on_close: OnClose
    ) -> Connection: ...

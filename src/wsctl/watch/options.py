"""What watching a feed can be told; the command line and scenarios fill the same struct."""

from msgspec import Struct

from wsctl.client.identity import user_of
from wsctl.client.subscription import Subscription
from wsctl.client.target import Reconnect, Target
from wsctl.errors import UsageError
from wsctl.model.channel import ANNOUNCEMENT


class WatchOptions(Struct, frozen=True, kw_only=True):
    """What to watch, where, and for how long."""

    target: Target
    symbols: tuple[str, ...] = ()
    """prices of these, by `price:subscribe`"""
    channels: tuple[str, ...] = ()
    """any channels, by `channel:subscribe`"""
    bots: bool = False
    """all bots of the user that the token names"""
    notifications: bool = False
    """that user's notifications and balances, and announcements"""
    events: tuple[str, ...] = ()
    """look at these events only; none: at all"""
    seq_path: str | None = None
    """JMESPath to the sequence number in feeds of others; likewise the next two"""
    time_path: str | None = None
    channel_path: str | None = None
    duration: float | None = None
    """seconds from the first subscription on; None: until stopped"""
    count: int | None = None
    """observations after which to stop; None: until stopped"""
    max_silence: float | None = None
    """seconds without a message on a channel after which to stop; None: any silence is borne"""
    ordered: bool = False
    """hand observations out in sequence"""
    reconnect: Reconnect = Reconnect()
    trace: bool = False
    """let raw frames be seen"""

    def subscriptions(self) -> list[Subscription]:
        """What to ask the feed for. Raises UsageError when there is nothing to watch."""
        asked = []
        if self.symbols:
            asked.append(Subscription("price:subscribe", self.symbols))
        channels = self.channels
        if self.notifications:
            user = user_of(self.target)
            channels = (ANNOUNCEMENT, f"user:{user}:notifications", f"user:{user}:balance", *channels)
        if channels:
            asked.append(Subscription("channel:subscribe", channels))
        if self.bots:
            asked.append(Subscription("bot:subscribe"))
        if not asked and not self.events:
            raise UsageError(
                "nothing to watch",
                hint="name a symbol (BTC/USDT), a --channel or an --event",
            )
        return asked

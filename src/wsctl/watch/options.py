"""What watching a feed can be told; the command line and scenarios fill the same struct."""

from msgspec import Struct

from wsctl.client.identity import user_of
from wsctl.client.subscription import Subscription
from wsctl.client.target import Reconnect, Target
from wsctl.errors import UsageError
from wsctl.model.channel import ANNOUNCEMENT, ticker
from wsctl.watch.wanted import Wanted
from wsctl.wire.dialects import spoken


class WatchOptions(Struct, frozen=True, kw_only=True):
    """What to watch, where, and for how long."""

    target: Target
    symbols: tuple[str, ...] = ()
    """prices of these: by `price:subscribe`, or the channels that a dialect has for them"""
    channels: tuple[str, ...] = ()
    """any channels: by `channel:subscribe`, or as a dialect asks for them"""
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
    """hand observations out in sequence; only where channels count one by one"""
    reconnect: Reconnect = Reconnect()
    trace: bool = False
    """let raw frames be seen"""

    def subscriptions(self) -> list[Subscription]:
        """What to ask the feed for. Raises UsageError for what makes no sense there, and when there is nothing to
        watch."""
        wanted = self._wanted()
        if wanted is not None:
            self._check_dialect(wanted)
        asked, expected = (self._platform(), ()) if wanted is None else (wanted.subscriptions, wanted.expected)
        if not asked and not expected and not self.events:
            raise UsageError(
                "nothing to watch",
                hint="name a symbol (BTC/USDT), a --channel or an --event",
            )
        return list(asked)

    def expected(self) -> tuple[str, ...]:
        """The channels that should speak."""
        wanted = self._wanted()
        return (*map(ticker, self.symbols), *self.channels) if wanted is None else wanted.expected

    def _wanted(self) -> Wanted | None:
        """In the target's dialect; None on the platform."""
        dialect = spoken(self.target.dialect)
        return None if dialect is None else Wanted(dialect, self.target.url, self.symbols, self.channels)

    def _platform(self) -> list[Subscription]:
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
        return asked

    def _check_dialect(self, wanted: Wanted) -> None:
        """Raise UsageError for what a dialect has not, or says itself."""
        name = wanted.dialect.name
        for option in ("bots", "notifications"):
            if getattr(self, option):
                raise UsageError(f"--{option} is about the platform's own feed; {name} has none")
        for option in ("seq_path", "time_path", "channel_path"):
            if getattr(self, option) is not None:
                raise UsageError(f"--{option.replace('_', '-')} makes no sense: {name} says itself where to look")
        loose = [channel for channel in wanted.expected if wanted.dialect.scheme(channel) != "counter"]
        if self.ordered and loose:
            raise UsageError(f"--ordered makes no sense: {name} does not number {loose[0]} one by one")

"""Silence: how long no message came on a channel."""


class SilenceCheck:
    """Watches the channels that messages are expected on; `limit` seconds without one make a channel overdue.

    Hand in data only. A heartbeat proves that the connection lives, which is not what a reader of prices asks; nor
    does a lost connection excuse the silence. Times are unix seconds.
    """

    def __init__(self, limit: float | None = None) -> None:
        self._limit = limit
        self._last: dict[str, float] = {}
        """by channel: its latest message, or since when one is expected"""
        self._longest = 0.0
        """of the silences that ended"""

    def expects(self, channel: str, at: float) -> None:
        """Messages are expected from `at` on. Expected already, as after a reconnection: its silence goes on."""
        self._last.setdefault(channel, at)

    def heard(self, channel: str, at: float) -> None:
        """A message came; on a channel that nothing is expected on, it does not matter."""
        last = self._last.get(channel)
        if last is not None and at > last:
            self._longest = max(self._longest, at - last)
            self._last[channel] = at

    def deadline(self) -> float | None:
        """When the next channel becomes overdue, or the first one did; None: never."""
        if self._limit is None or not self._last:
            return None
        return min(self._last.values()) + self._limit

    def overdue(self, now: float) -> tuple[str, ...]:
        """The channels silent for the limit or longer."""
        limit = self._limit
        if limit is None:
            return ()
        # The same sum as in deadline(), so that rounding cannot make the two disagree.
        return tuple(channel for channel, last in self._last.items() if now >= last + limit)

    def longest(self, now: float) -> float | None:
        """The longest silence of any channel, in seconds, those that last included; None: nothing is expected."""
        if not self._last:
            return None
        return max(self._longest, now - min(self._last.values()))

    def metrics(self, now: float) -> dict[str, float]:
        """`silence.max` in seconds; empty when no channel was listened to."""
        longest = self.longest(now)
        return {} if longest is None else {"silence.max": longest}

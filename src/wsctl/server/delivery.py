"""What one connection is owed while it cannot be written to: the newest message per channel, and what was left out."""

from wsctl.model.channel import PRICE_PUBLIC
from wsctl.model.event import BALANCE_UPDATE, ORDERBOOK_UPDATE, SKIPPED
from wsctl.server.hub import Channel, Hub, Message, Subscriber


class Backlog:
    """Conflates: memory is bounded by the number of channels, however long a reader sleeps."""

    __slots__ = ("_owed",)

    def __init__(self) -> None:
        self._owed: dict[Channel, tuple[int, Message]] = {}
        """per channel: the first seq owed, and the newest message"""

    def add(self, message: Message) -> None:
        """Owe a message; it replaces the one owed on its channel."""
        owed = self._owed.get(message.channel)
        first = message.stamp.seq if owed is None else owed[0]
        self._owed[message.channel] = (first, message)

    def owes(self, channel: Channel) -> bool:
        """Whether a message is owed on a channel."""
        return channel in self._owed

    def forget(self, channel: Channel) -> None:
        """Owe nothing on a channel any more (unsubscribed)."""
        self._owed.pop(channel, None)

    def pay(self, hub: Hub, subscriber: Subscriber, reason: str) -> None:
        """Send what is owed: per channel a declared skip, then the newest message, or a snapshot where that is less."""
        owed, self._owed = self._owed, {}
        for channel, (first, message) in owed.items():
            newest = message.stamp.seq
            partial = _is_partial(message)
            last_skipped = newest if partial else newest - 1
            if first <= last_skipped:
                hub.skipped += last_skipped - first + 1
                _declare(subscriber, channel, first, last_skipped, reason)
            if partial:
                hub.push_snapshot(subscriber, channel)
            else:
                subscriber.offer(message)


def _is_partial(message: Message) -> bool:
    """Whether a message alone would leave the reader with less than the channel's state: one change of a book, one
    symbol's price of all, one asset's balance of all."""
    return message.name in (ORDERBOOK_UPDATE, BALANCE_UPDATE) or message.channel.name == PRICE_PUBLIC


def _declare(subscriber: Subscriber, channel: Channel, first: int, last: int, reason: str) -> None:
    payload = {"channel": channel.name, "epoch": channel.epoch, "from": first, "to": last, "reason": reason}
    subscriber.send_event(SKIPPED, payload)

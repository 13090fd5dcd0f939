"""Event: one fact of a feed, whatever dialect it came in."""

from typing import Any

from msgspec import Struct

PRICE_UPDATE = "price:update"
ORDERBOOK_UPDATE = "orderbook:update"
TRADE_UPDATE = "trade:update"
ANNOUNCEMENT = "announcement"
BALANCE_UPDATE = "balance:update"

HEARTBEAT = "channel:heartbeat"
SKIPPED = "channel:skipped"
CLOSING = "connection:closing"
ERROR = "error"

BOTS_SUBSCRIBED = "bot:subscribed"

CONNECTION = "connection:"
"""begins the names of events without channel that speak about the connection"""

CONTROL = frozenset({CLOSING, ERROR, BOTS_SUBSCRIBED})
"""events about the connection or a request, not about a channel; nobody expects them to be numbered"""


class Event(Struct, frozen=True, kw_only=True):
    """A fact of a feed. Times are unix seconds; absent facts are None, never invented."""

    name: str
    """event name on the wire, such as price:update"""
    channel: str | None = None
    epoch: str | None = None
    """names the sequence: changes only when seq starts again"""
    seq: int | None = None
    sent_at: float | None = None
    """when the server emitted it"""
    data: Any = None
    """the payload as it came over the wire"""

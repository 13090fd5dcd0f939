"""Tally: everything that a person wants to see of a watched feed, kept up as it comes."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from wsctl.checks.latency import LatencyCheck
from wsctl.checks.sequence import is_control, name_of
from wsctl.clock import Clock
from wsctl.model.channel import symbol_of
from wsctl.model.event import PRICE_UPDATE
from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.model.observation import Kind, Observation
from wsctl.watch.account import Account
from wsctl.watch.judging import ordering_check
from wsctl.watch.numbers import decimals_of, number_of
from wsctl.wire.dialect import Dialect

RATE_WINDOW = 5.0
"""seconds over which a rate is taken"""
RATE_SAMPLES = 2000
"""arrivals remembered for it, per row"""


class Row:
    """One line of the table: a symbol on a channel, or a channel."""

    __slots__ = ("arrivals", "channel", "decimals", "first_price", "label", "last", "latency_ms", "moved", "price")

    def __init__(self, label: str, channel: str) -> None:
        self.label = label
        self.channel = channel
        self.price: float | None = None
        self.first_price: float | None = None
        self.moved = 0.0
        """by how much the latest price differs from the one before"""
        self.decimals = 0
        """the most that a price was given with"""
        self.latency_ms: float | None = None
        self.last: Observation | None = None
        self.arrivals: deque[float] = deque(maxlen=RATE_SAMPLES)

    def take_price(self, price: float) -> None:
        """A new price."""
        self.moved = 0.0 if self.price is None else price - self.price
        self.decimals = max(self.decimals, decimals_of(price))
        self.price = price
        self.first_price = self.first_price or price

    @property
    def change(self) -> float | None:
        """Change of the price since the first one seen, as a ratio."""
        if self.price is None or not self.first_price:
            return None
        return self.price / self.first_price - 1

    def rate(self, now: float) -> float:
        """Messages per second over the last RATE_WINDOW seconds."""
        while self.arrivals and self.arrivals[0] < now - RATE_WINDOW:
            self.arrivals.popleft()
        if not self.arrivals:
            return 0.0
        return (len(self.arrivals) - 1) / max(1.0, now - self.arrivals[0])


class Tally:
    """Feed it every item; read it at any time.

    `dialect` is the feed's; None: the platform's. A dialect's channels that are `expected` have a row before they
    speak: on some exchanges nothing else shows that one does not exist.
    """

    def __init__(self, clock: Clock, dialect: Dialect | None = None, expected: Iterable[str] = ()) -> None:
        self.clock = clock
        self.dialect = dialect
        self.ordering = ordering_check(dialect)
        self.latency = LatencyCheck()
        self.account = Account()
        channels = () if dialect is None else expected
        self.rows = {(channel, channel): Row(channel, channel) for channel in channels}
        """by label and channel"""
        self.messages = 0
        self.reconnects = 0
        self.joined = False
        """whether a connection ever came up"""
        self.subscribed = False
        """whether a subscription was ever served"""
        self.stage: Lifecycle | None = None
        self.began = clock.monotonic()

    def add(self, item: Observation | Lifecycle) -> None:
        """Take what happened."""
        if isinstance(item, Lifecycle):
            self._add_stage(item)
        else:
            self._add_observation(item)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self.clock.monotonic() - self.began

    def close(self) -> None:
        """No more will come."""
        self.ordering.close()

    def gaps(self, row: Row) -> int | None:
        """Gaps on the row's channel; None when it cannot be said."""
        report = self.ordering.channels.get(row.channel)
        return None if report is None or not report.numbered or not report.proves_loss else report.gaps

    def _add_stage(self, stage: Lifecycle) -> None:
        if stage.stage is Stage.JOINED:
            self.reconnects += self.joined
            self.joined = True
        self.subscribed |= stage.stage is Stage.SUBSCRIBED
        self.stage = stage

    def _add_observation(self, seen: Observation) -> None:
        self.ordering.add(seen)
        self.latency.add(seen)
        if is_control(seen) or seen.kind in (Kind.HEARTBEAT, Kind.SKIPPED):
            return
        self.messages += 1
        if self.dialect is not None:
            symbol, price = _quoted(self.dialect, seen)
            self._row(symbol, seen, price)
        elif not self.account.add(seen):
            for symbol, price in _prices(seen):
                self._row(symbol, seen, price)

    def _row(self, symbol: str | None, seen: Observation, price: float | None) -> None:
        channel = name_of(seen)
        label = symbol or channel
        row = self.rows.get((label, channel))
        if row is None:
            waiting = self.rows.get((channel, channel))
            if waiting is not None and waiting.last is None:  # it speaks of symbols, which have rows of their own
                del self.rows[channel, channel]
            row = self.rows[label, channel] = Row(label, channel)
        row.last = seen
        if seen.kind is Kind.UPDATE:
            row.arrivals.append(seen.received_at)
            row.latency_ms = seen.latency_ms
        if price is not None:
            row.take_price(price)


def _prices(seen: Observation) -> Iterator[tuple[str | None, float | None]]:
    """The symbol and price in a message, as far as it has them."""
    data: Any = seen.data
    if not isinstance(data, dict):
        yield None, None
        return
    symbol = data.get("symbol", data.get("s"))
    if not isinstance(symbol, str):
        symbol = symbol_of(seen.channel or "")
    yield symbol, number_of(data.get("price", data.get("p") if seen.event == PRICE_UPDATE else None))


def _quoted(dialect: Dialect, seen: Observation) -> tuple[str | None, float | None]:
    """The symbol and price in a message of a dialect; no symbol where its channel names it."""
    quote = dialect.quote(seen.channel or "", seen.data)
    told = quote.symbol is not None and quote.symbol.lower() in (seen.channel or "").lower()
    return None if told else quote.symbol, number_of(quote.price)

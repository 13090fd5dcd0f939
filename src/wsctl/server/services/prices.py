"""The price service: plays a source's ticks in time and publishes them."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

from wsctl.clock import Clock
from wsctl.model.channel import PRICE_PUBLIC, orderbook, ticker, trades
from wsctl.model.event import ORDERBOOK_UPDATE, PRICE_UPDATE, TRADE_UPDATE
from wsctl.server.hub import Hub
from wsctl.server.services.throttle import Throttle
from wsctl.server.sources.tick import Level, Source, Tick
from wsctl.wire.payload import Payload

TIMER_STEP = 0.001
"""seconds: uvloop's timers know milliseconds"""


OnPrice = Callable[[str, float, float, float, float], None]
"""takes symbol, bid, ask, price and source time (unix seconds) of every price, throttled or not"""


class PublishedBook:
    """A symbol's order book as of its last message. The source's own is ahead: ticks are made before they are due."""

    def __init__(self) -> None:
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}

    def apply(self, tick: Tick) -> None:
        """Take a tick's changes; size 0 removes a level."""
        for side, changes in ((self._bids, tick.bids), (self._asks, tick.asks)):
            for price, size in changes:
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)

    def levels(self) -> dict[str, list[Level]]:
        """Bids and asks, best first."""
        return {"bids": sorted(self._bids.items(), reverse=True), "asks": sorted(self._asks.items())}


class PriceService:
    """Publishes tickers, order books and trades of every symbol of a source.

    With `wait` the clock starts at the first subscription (recorded prices: nobody misses the beginning).
    `throttle` is the interval in seconds in which only the newest price of a symbol is sent; 0: off.
    """

    def __init__(
        self, hub: Hub, source: Source, clock: Clock, on_price: OnPrice, *, throttle: float, wait: bool
    ) -> None:
        self.source = source
        self._hub = hub
        self._clock = clock
        self._on_price = on_price
        self._throttle = Throttle(throttle, self._publish_price) if throttle else None
        self._prices: dict[str, Payload] = {}
        self._books = {symbol: PublishedBook() for symbol in source.symbols}
        self._started = asyncio.Event()
        self._running = asyncio.Event()
        self._running.set()
        self._pause_began: float | None = None
        self._origin = 0.0
        """monotonic seconds at which a tick due at 0 is sent; a pause moves it"""
        self._wall_origin = 0.0
        """the same moment in unix seconds"""
        if not wait:
            self._started.set()
        self._open_channels()

    def _open_channels(self) -> None:
        self._hub.open(PRICE_PUBLIC, lambda: ((PRICE_UPDATE, price) for price in self._prices.values()))
        for symbol in self.source.symbols:
            self._hub.open(ticker(symbol), partial(self._current_price, symbol))
            self._hub.open(orderbook(symbol), partial(self._current_book, symbol))
            self._hub.open(trades(symbol))

    def start(self) -> None:
        """Somebody listens: let the clock run. Later calls change nothing."""
        self._started.set()

    async def run(self) -> None:
        """Publish until the source ends or the task is cancelled."""
        await self._started.wait()
        self._origin, self._wall_origin = self._clock.monotonic(), self._clock.now()
        if self._pause_began is not None:  # paused before it began: that time is none of the source's
            self._pause_began = self._origin
        for tick in self.source.ticks():
            await self._wait_for(tick.due)
            self._publish(tick)

    async def _wait_for(self, due: float) -> None:
        # even when late, one turn of the loop per tick: a stalled service must not starve its connections
        await asyncio.sleep(0)
        while True:
            await self._running.wait()
            early = self._origin + due - self._clock.monotonic()
            if early <= 0:
                return
            await asyncio.sleep(early + TIMER_STEP / 2)  # the loop's timers round to the nearest step

    def pause(self) -> None:
        """Stop prices; what is throttled goes out first, then a closing heartbeat on every channel."""
        if self._pause_began is None:
            self._pause_began = self._clock.monotonic()
            self._running.clear()
            if self._throttle is not None:
                self._throttle.flush()
            self._hub.beat(silence=0)

    def resume(self) -> None:
        """Go on where prices stopped."""
        if self._pause_began is not None:
            paused = self._clock.monotonic() - self._pause_began
            self._origin += paused
            self._wall_origin += paused
            self._pause_began = None
            self._running.set()

    def _publish(self, tick: Tick) -> None:
        source_at = self._wall_origin + tick.due if tick.source_at is None else tick.source_at
        price = {
            "symbol": tick.symbol,
            "price": tick.price,
            "bid": tick.bid,
            "ask": tick.ask,
            "volume": tick.volume,
        }
        if self._throttle is None:
            self._publish_price(price, source_at)
        else:
            self._throttle.offer(tick.symbol, price, source_at)
        self._on_price(tick.symbol, tick.bid, tick.ask, tick.price, source_at)
        if tick.bids or tick.asks:
            self._books[tick.symbol].apply(tick)
            book = {"symbol": tick.symbol, "bids": tick.bids, "asks": tick.asks}
            self._hub.publish(orderbook(tick.symbol), ORDERBOOK_UPDATE, book, source_at)
        if tick.trade is not None:
            trade = tick.trade
            fact = {
                "symbol": tick.symbol,
                "id": trade.id,
                "price": trade.price,
                "quantity": trade.quantity,
                "side": trade.side,
            }
            self._hub.publish(trades(tick.symbol), TRADE_UPDATE, fact, source_at)

    def _publish_price(self, price: Payload, source_at: float) -> None:
        symbol = price["symbol"]
        self._prices[symbol] = price
        self._hub.publish(ticker(symbol), PRICE_UPDATE, price, source_at)
        self._hub.publish(PRICE_PUBLIC, PRICE_UPDATE, price, source_at)

    def _current_price(self, symbol: str) -> Iterator[tuple[str, Payload]]:
        if symbol in self._prices:
            yield PRICE_UPDATE, self._prices[symbol]

    def _current_book(self, symbol: str) -> Iterator[tuple[str, Payload]]:
        yield ORDERBOOK_UPDATE, {"symbol": symbol, **self._books[symbol].levels()}

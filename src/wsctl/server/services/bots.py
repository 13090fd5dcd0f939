"""The bot service: each user's simulated bots trade on the feed's prices, and say so.

A bot knows its seed, its symbol's prices and its own account, nothing else: the same seed and the same prices make the
same trades, whoever else is there. Only bots that were asked for exist, and a price costs as much as the bots that
are due at it: each symbol keeps its bots in a heap, by the source time at which they next have something to do.

Users leave and their bots stay, ready for their return. A bot that nobody has listened to for a while dozes: it does
not trade, and only looks now and then whether somebody does again. So the trades that a bot makes depend on who
listens, but not on absences shorter than `_ATTENTION`.
"""

import heapq
import math
from collections.abc import Iterable, Iterator
from decimal import Decimal
from random import Random
from typing import Literal, TypeAlias

from wsctl.model.event import BALANCE_UPDATE
from wsctl.server.hub import Hub
from wsctl.server.services.notifications import Level, NotificationService, notifications
from wsctl.server.services.portfolio import (
    Account,
    Lots,
    Wallet,
    average_price,
    exact,
    number,
    open_accounts,
    pair_of,
)
from wsctl.wire.payload import Payload

BOTS_PER_USER = 3

BOT_STATUS = "bot:status"
BOT_TRADE = "bot:trade"
BOT_POSITION = "bot:position"
BOT_LOG = "bot:log"

Status: TypeAlias = Literal["running", "stopped", "error"]

_TURN = 4.0
"""seconds between two trades of a bot, on average"""
_MARK = 1.0
"""seconds at least between two profits of an open position"""
_TELL = 5.0
"""seconds at least between two profits in a status"""
_TROUBLE = 0.004
"""how often a bot runs into trouble instead of trading: every quarter of an hour or so"""
_OUTAGE = (5.0, 30.0)
"""seconds that trouble lasts"""
_BUY_PERCENT = (5, 25)
"""of the cash, per buy"""
_SELL_PERCENT = (25, 75)
"""of what is held, where not all of it is sold"""
_SELL_ALL = 0.4
_MOST_BUYS = 8
"""after so many a bot sells until nothing is left: average prices keep to few digits"""
_ATTENTION = 60.0
"""seconds without a listener after which a bot dozes: longer than it takes to come back from a failing network"""
_DOZE = 10.0
"""seconds after which it looks again"""
_REASONS = (
    "order rejected by the exchange: rate limit exceeded",
    "order stream lost",
    "order timed out without an answer",
    "exchange is under maintenance",
)


def bot_ids(user: str) -> list[str]:
    """The ids that a user's bots have."""
    return [f"{user}-bot-{place}" for place in range(1, BOTS_PER_USER + 1)]


def owner_of(bot_id: str) -> str | None:
    """Whose a bot is, made yet or not; None where no bot can have the id."""
    user = bot_id.rpartition("-bot-")[0]
    return user if bot_id in bot_ids(user) else None


def bot_channels(bot_id: str) -> dict[str, str]:
    """A bot's channels by what they carry: status, trades, positions, logs."""
    return {feed: f"bot:{bot_id}:{feed}" for feed in ("status", "trades", "positions", "logs")}


def balance(user: str) -> str:
    """The channel of a user's balances."""
    return f"user:{user}:balance"


class Market:
    """One symbol as its bots see it: the touch, the time, and who is to be woken when."""

    __slots__ = ("_ask", "_back", "_bid", "at", "due", "lots", "now", "pair", "symbol")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.pair = pair_of(symbol)
        self.at: float | None = None
        """unix seconds at the source of the latest price; None before the first"""
        self.now = -math.inf
        """the same, never going back: recorded prices that start again, or are out of order, add to it"""
        self.lots = Lots(0)
        self.due: list[tuple[float, int, Bot]] = []
        """heap of when (in terms of `now`), the bot's place among all, the bot"""
        self._back = 0.0
        self._bid = self._ask = math.nan

    def move(self, bid: float, ask: float, price: float, at: float) -> None:
        """Take a price."""
        if self.at is None:
            self.lots = Lots.for_price(price, self.pair.quote)
        elif at < self.at:
            self._back += self.at - at
        self.at, self.now = at, at + self._back
        self._bid, self._ask = bid, ask

    @property
    def bid(self) -> Decimal:
        """What a seller gets."""
        return exact(self._bid)

    @property
    def ask(self) -> Decimal:
        """What a buyer pays."""
        return exact(self._ask)


class Owner:
    """A user of whom bots exist."""

    __slots__ = ("_hub", "_service", "channels", "user", "wallet")

    def __init__(self, user: str, wallet: Wallet, hub: Hub, service: NotificationService) -> None:
        self.user = user
        self.wallet = wallet
        self.channels = balance(user), notifications(user)
        self._hub = hub
        self._service = service
        service.ensure(user)
        hub.open(balance(user), self._balances)
        self.tell_balances(wallet.assets)

    def tell_balances(self, assets: Iterable[str], at: float | None = None) -> None:
        """Publish what there is of some assets."""
        for asset in dict.fromkeys(assets):
            self._hub.publish(balance(self.user), BALANCE_UPDATE, self.wallet.payload(asset), at)

    def notify(self, level: Level, title: str, body: str, at: float | None) -> None:
        """Tell the user what became of a bot."""
        self._service.notify(self.user, level, title, body, at)

    def _balances(self) -> Iterator[tuple[str, Payload]]:
        for asset in self.wallet.assets:
            yield BALANCE_UPDATE, self.wallet.payload(asset)


class Bot:
    """One bot: at random times it buys at the ask or sells at the bid, what it can."""

    __slots__ = (
        "_account",
        "_alone_since",
        "_buys",
        "_channels",
        "_hub",
        "_mark_at",
        "_market",
        "_owner",
        "_pnl",
        "_random",
        "_status",
        "_tell_at",
        "_told_pnl",
        "_told_profit",
        "_trades",
        "_turn_at",
        "id",
    )

    def __init__(self, id: str, owner: Owner, market: Market, account: Account, hub: Hub, seed: int) -> None:
        self.id = id
        self._owner = owner
        self._market = market
        self._account = account
        self._hub = hub
        self._random = Random(f"{seed}:{id}")  # noqa: S311 - repeatable on purpose; a text is seeded by SHA-512
        self._status: Status = "stopped"
        self._trades = 0
        self._buys = 0
        """since nothing was held"""
        self._pnl = self._told_pnl = 0.0
        self._told_profit = 0.0
        self._turn_at = self._mark_at = self._tell_at = -math.inf
        self._alone_since = math.inf
        """when it first saw that nobody listens any more"""
        self._channels = bot_channels(id)
        hub.open(self._channels["status"], self._status_snapshot)
        hub.open(self._channels["trades"])
        hub.open(self._channels["positions"], self._position_snapshot)
        hub.open(self._channels["logs"])
        self._tell_position()
        if market.at is None:
            self._tell_status()
        else:
            self._start()

    @property
    def due(self) -> float:
        """When it next has something to do, in its market's `now`."""
        due = self._turn_at
        if self._account.size:
            due = min(due, self._mark_at)
        if self._pnl != self._told_pnl:
            due = min(due, self._tell_at)
        return due

    def act(self) -> None:
        """Do what is due at the market's present."""
        now = self._market.now
        if now >= self._turn_at:
            self._take_turn()
        if self._account.size and now >= self._mark_at:
            self._mark()
        if self._pnl != self._told_pnl and now >= self._tell_at:
            self._tell_status()

    # Turns

    def _take_turn(self) -> None:
        if self._status == "stopped":
            self._start()
        elif self._status == "error":
            self._recover()
        elif self._is_forgotten():
            self._turn_at = self._mark_at = self._market.now + _DOZE
        elif self._random.random() < _TROUBLE:
            self._fail()
        else:
            self._trade()
            self._wait()

    def _wait(self) -> None:
        self._turn_at = self._market.now + self._random.expovariate(1 / _TURN)

    def _is_forgotten(self) -> bool:
        """Whether nobody has listened for long to anything that the bot has to do with."""
        names = (*self._channels.values(), *self._owner.channels)
        heard = any(self._hub.channels[name].heard for name in names)
        self._alone_since = math.inf if heard else min(self._alone_since, self._market.now)
        return self._market.now - self._alone_since > _ATTENTION

    def _start(self) -> None:
        self._change_status("running")
        self._log("info", f"started on {self._market.symbol}")
        self._wait()

    def _fail(self) -> None:
        reason = self._random.choice(_REASONS)
        self._turn_at = self._market.now + self._random.uniform(*_OUTAGE)
        self._change_status("error")
        self._log("error", reason)
        self._owner.notify("error", f"{self.id} has stopped trading", reason, self._market.at)

    def _recover(self) -> None:
        self._change_status("running")
        self._log("info", "trading again")
        self._owner.notify("info", f"{self.id} is trading again", f"on {self._market.symbol}", self._market.at)
        self._wait()

    def _trade(self) -> None:
        bought = self._size_to_buy() if self._wants_to_buy() else None
        if bought:
            self._buy(bought)
        elif self._account.size:
            self._sell(self._size_to_sell())
        else:
            self._log("warning", f"{_money(self._account.cash)} {self._market.pair.quote} do not buy one lot")

    def _wants_to_buy(self) -> bool:
        return not self._account.size or (self._buys < _MOST_BUYS and self._random.random() < 0.5)

    def _size_to_buy(self) -> Decimal:
        market = self._market
        return self._account.affords(market.ask, self._random.randint(*_BUY_PERCENT), market.lots)

    def _size_to_sell(self) -> Decimal:
        part = self._account.part(self._random.randint(*_SELL_PERCENT), self._market.lots)
        everything = self._random.random() < _SELL_ALL
        return self._account.part(100, self._market.lots) if everything or not part else part

    def _buy(self, quantity: Decimal) -> None:
        price = self._market.ask
        self._account.buy(price, quantity)
        self._buys += 1
        self._tell_trade("buy", price, quantity)
        self._log("info", f"bought {self._deal(price, quantity)}")

    def _sell(self, quantity: Decimal) -> None:
        price, before = self._market.bid, self._account.realized
        self._account.sell(price, quantity)
        if not self._account.size:
            self._buys = 0
        realized = self._account.realized
        self._pnl = number(realized)
        self._tell_trade("sell", price, quantity)
        profit = f"{_money(realized - before)} {self._market.pair.quote}"
        self._log("info", f"sold {self._deal(price, quantity)}, profit {profit}")

    def _deal(self, price: Decimal, quantity: Decimal) -> str:
        pair = self._market.pair
        return f"{_plain(quantity)} {pair.base} at {_plain(price)} {pair.quote}"

    # What it tells

    def _publish(self, feed: str, event: str, payload: Payload) -> None:
        self._hub.publish(self._channels[feed], event, payload, self._market.at)

    def _tell_trade(self, side: str, price: Decimal, quantity: Decimal) -> None:
        """The trade, the position and the balances that it made."""
        market = self._market
        assert market.at is not None
        self._trades += 1
        trade = {
            "id": self._trades,
            "symbol": market.symbol,
            "side": side,
            "price": float(price),  # the feed's own, to the last digit: whoever adds up gets the balances
            "quantity": float(quantity),
            "time": round(market.at * 1000, 3),
        }
        self._publish("trades", BOT_TRADE, {"botId": self.id, "trade": trade})
        self._tell_position()
        self._owner.tell_balances((market.pair.quote, market.pair.base), market.at)

    def _tell_position(self) -> None:
        payload = self._position()
        self._told_profit = payload["position"]["unrealizedPnl"]
        self._mark_at = self._market.now + _MARK
        self._publish("positions", BOT_POSITION, payload)

    def _mark(self) -> None:
        """Tell the position's new profit, if it is new and anybody listens; thousands of bots may be unheard."""
        self._mark_at = self._market.now + _MARK
        heard = self._hub.channels[self._channels["positions"]].subscribers()
        if heard and number(self._account.unrealized(self._market.bid)) != self._told_profit:
            self._tell_position()

    def _change_status(self, status: Status) -> None:
        self._status = status
        self._tell_status()

    def _tell_status(self) -> None:
        self._told_pnl = self._pnl
        self._tell_at = self._market.now + _TELL
        self._publish("status", BOT_STATUS, self._state())

    def _log(self, level: Level, message: str) -> None:
        self._publish("logs", BOT_LOG, {"botId": self.id, "level": level, "message": message})

    # How it is

    def _state(self) -> Payload:
        """`{botId, status, symbol, pnl}`; pnl is realized profit in the quote currency: it follows from the trades."""
        return {"botId": self.id, "status": self._status, "symbol": self._market.symbol, "pnl": self._pnl}

    def _position(self) -> Payload:
        """`{botId, position}`; unrealizedPnl is at the bid, in the quote currency; all numbers are 0 when flat."""
        account = self._account
        profit = number(account.unrealized(self._market.bid)) if account.size else 0.0
        position = {
            "symbol": self._market.symbol,
            "size": number(account.size),
            "entryPrice": average_price(account.entry),
            "unrealizedPnl": profit,
        }
        return {"botId": self.id, "position": position}

    def _status_snapshot(self) -> Iterator[tuple[str, Payload]]:
        yield BOT_STATUS, self._state()

    def _position_snapshot(self) -> Iterator[tuple[str, Payload]]:
        yield BOT_POSITION, self._position()


class BotService:
    """All bots that were asked for: BOTS_PER_USER of each user, on the symbols in turn.

    `alice-bot-1` trades the first symbol, `alice-bot-2` the second, and so on, beginning again after the last.
    """

    def __init__(self, hub: Hub, symbols: Iterable[str], seed: int, notifications: NotificationService) -> None:
        self._hub = hub
        self._seed = seed
        self._notifications = notifications
        self._markets = {symbol: Market(symbol) for symbol in symbols}
        self._owners: set[str] = set()
        self._bots = 0
        """made so far"""

    def ensure(self, user: str) -> None:
        """Make a user's bots, balances and channels, unless they are there.

        The first status, position and balances are published at once, so that all snapshots exist from now on.
        A bot whose symbol has no price yet is stopped until it has one.
        """
        if user in self._owners:
            return
        markets = list(self._markets.values())
        mine = [markets[place % len(markets)] for place in range(BOTS_PER_USER)]
        wallet, accounts = open_accounts([market.symbol for market in mine])
        owner = Owner(user, wallet, self._hub, self._notifications)
        self._owners.add(user)
        for id, market, account in zip(bot_ids(user), mine, accounts, strict=True):
            bot = Bot(id, owner, market, account, self._hub, self._seed)
            heapq.heappush(market.due, (bot.due, self._bots, bot))
            self._bots += 1

    def bots_of(self, user: str) -> list[str]:
        """The ids of a user's bots; none before they were asked for."""
        return bot_ids(user) if user in self._owners else []

    def on_price(self, symbol: str, bid: float, ask: float, price: float, at: float) -> None:
        """Let the bots of a symbol act on a price, throttled or not; `at` is its source time in unix seconds."""
        market = self._markets[symbol]
        market.move(bid, ask, price, at)
        due = market.due
        while due and due[0][0] <= market.now:
            _, place, bot = due[0]
            bot.act()
            heapq.heapreplace(due, (bot.due, place, bot))


def _plain(value: Decimal) -> str:
    """A price or size as people write it: without exponent and trailing zeros."""
    return f"{value.normalize():f}"


def _money(value: Decimal) -> str:
    """An amount as people write it, to PLACES decimals."""
    return _plain(Decimal(repr(number(value))))

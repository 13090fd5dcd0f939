"""What a user's private channels say: bots, balances, notices. Kept up as it comes, for people to read."""

from collections import deque
from typing import Any

from wsctl.model.observation import Observation
from wsctl.watch.numbers import number_of, written

NOTICES_KEPT = 8
"""the latest notifications, announcements and bot logs"""


class Bot:
    """The latest that is known of one bot; None where nothing came yet."""

    __slots__ = ("entry_price", "id", "last_trade", "pnl", "size", "status", "symbol", "trades", "unrealized")

    def __init__(self, id: str) -> None:
        self.id = id
        self.status: str | None = None
        self.symbol: str | None = None
        self.pnl: float | None = None
        self.size: float | None = None
        self.entry_price: float | None = None
        self.unrealized: float | None = None
        self.trades = 0
        """trades seen"""
        self.last_trade: str | None = None
        """such as `buy 0.01 at 65000.5`"""


class Account:
    """Feed it every observation; read it at any time."""

    def __init__(self) -> None:
        self.bots: dict[str, Bot] = {}
        self.balances: dict[str, tuple[float, float]] = {}
        """by asset: free and locked"""
        self.notices: deque[tuple[float, str, str]] = deque(maxlen=NOTICES_KEPT)
        """unix seconds, level, text"""
        self._takers = {
            "bot:status": self._take_status,
            "bot:position": self._take_position,
            "bot:trade": self._take_trade,
            "bot:log": self._take_log,
            "balance:update": self._take_balance,
            "notification": self._take_notice,
            "announcement": self._take_notice,
        }

    @property
    def known(self) -> bool:
        """Whether anything came."""
        return bool(self.bots or self.balances or self.notices)

    def add(self, seen: Observation) -> bool:
        """Take an observation; answers whether it was about an account."""
        taker = self._takers.get(seen.event)
        if taker is None or not isinstance(seen.data, dict):
            return False
        taker(seen, seen.data)
        return True

    def _bot(self, data: dict[str, Any]) -> Bot:
        id = str(data.get("botId"))
        bot = self.bots.get(id)
        if bot is None:
            bot = self.bots[id] = Bot(id)
        return bot

    def _take_status(self, seen: Observation, data: dict[str, Any]) -> None:
        bot = self._bot(data)
        bot.status = _text(data.get("status"))
        bot.symbol = _text(data.get("symbol")) or bot.symbol
        bot.pnl = number_of(data.get("pnl"))

    def _take_position(self, seen: Observation, data: dict[str, Any]) -> None:
        position = data.get("position")
        if isinstance(position, dict):
            bot = self._bot(data)
            bot.symbol = _text(position.get("symbol")) or bot.symbol
            bot.size = number_of(position.get("size"))
            bot.entry_price = number_of(position.get("entryPrice"))
            bot.unrealized = number_of(position.get("unrealizedPnl"))

    def _take_trade(self, seen: Observation, data: dict[str, Any]) -> None:
        trade = data.get("trade")
        if isinstance(trade, dict):
            bot = self._bot(data)
            bot.trades += 1
            bot.last_trade = f"{trade.get('side')} {_amount(trade.get('quantity'))} at {_amount(trade.get('price'))}"

    def _take_log(self, seen: Observation, data: dict[str, Any]) -> None:
        text = f"{data.get('botId')}: {data.get('message')}"
        self.notices.append((seen.received_at, str(data.get("level", "info")), text))

    def _take_balance(self, seen: Observation, data: dict[str, Any]) -> None:
        free, locked = number_of(data.get("free")), number_of(data.get("locked"))
        if free is not None:
            self.balances[str(data.get("asset"))] = (free, locked or 0.0)

    def _take_notice(self, seen: Observation, data: dict[str, Any]) -> None:
        level = str(data.get("level", seen.event))
        body = data.get("body")
        text = f"{data.get('title')}: {body}" if body else str(data.get("title"))
        self.notices.append((seen.received_at, level, text))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _amount(value: Any) -> str:
    """An amount in words; whatever else it is, as it came."""
    number = number_of(value)
    return str(value) if number is None else written(number)

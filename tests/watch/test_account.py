"""What is kept of a user's private channels."""

from typing import Any

import pytest

from wsctl.client.target import Target
from wsctl.errors import UsageError
from wsctl.model.observation import Observation
from wsctl.server.auth import mint
from wsctl.watch.account import NOTICES_KEPT, Account
from wsctl.watch.options import WatchOptions


def seen(event: str, data: Any) -> Observation:
    return Observation(1000.0, "c1", "bot:b-1:status", event, "e", 1, 999.0, 1.0, data)


def test_the_latest_of_a_bot() -> None:
    """Status, position and trades of one bot come together under its id."""
    account = Account()
    for event, data in (
        ("bot:status", {"botId": "b-1", "status": "running", "symbol": "A/B", "pnl": 1.5}),
        (
            "bot:position",
            {"botId": "b-1", "position": {"symbol": "A/B", "size": 2, "entryPrice": 3, "unrealizedPnl": -1}},
        ),
        ("bot:trade", {"botId": "b-1", "trade": {"id": 1, "side": "buy", "price": 3.5, "quantity": 2}}),
        ("bot:trade", {"botId": "b-1", "trade": {"id": 2, "side": "sell", "price": 0.0000451, "quantity": 1e9}}),
    ):
        assert account.add(seen(event, data))
    bot = account.bots["b-1"]
    assert (bot.status, bot.symbol, bot.pnl) == ("running", "A/B", 1.5)
    assert (bot.size, bot.entry_price, bot.unrealized) == (2.0, 3.0, -1.0)
    assert (bot.trades, bot.last_trade) == (2, "sell 1,000,000,000 at 0.0000451")


def test_balances_and_notices() -> None:
    """Each asset has its latest balance; of notices the latest few are kept."""
    account = Account()
    account.add(seen("balance:update", {"asset": "USDT", "free": 10, "locked": 0}))
    account.add(seen("balance:update", {"asset": "USDT", "free": 9.5, "locked": 0.5}))
    assert account.balances == {"USDT": (9.5, 0.5)}
    account.add(seen("announcement", {"id": 1, "title": "maintenance", "body": "at noon"}))
    account.add(seen("notification", {"id": 1, "level": "warning", "title": "bot b-1", "body": ""}))
    account.add(seen("bot:log", {"botId": "b-1", "level": "info", "message": "bought"}))
    assert [(level, text) for _, level, text in account.notices] == [
        ("announcement", "maintenance: at noon"),
        ("warning", "bot b-1"),
        ("info", "b-1: bought"),
    ]
    for number in range(100):
        account.add(seen("notification", {"id": number, "level": "info", "title": str(number)}))
    assert len(account.notices) == NOTICES_KEPT


@pytest.mark.parametrize(
    ("event", "data"),
    [("price:update", {"symbol": "A/B", "price": 1}), ("notification", "text"), ("bot:trade", None)],
)
def test_what_is_not_about_an_account(event: str, data: Any) -> None:
    """Other events, and payloads that are no objects, are left to others."""
    account = Account()
    assert not account.add(seen(event, data))
    assert not account.bots


def test_odd_payloads() -> None:
    """Fields that a feed left out or filled oddly stay unknown."""
    account = Account()
    account.add(seen("bot:status", {"status": 5, "pnl": "much"}))
    account.add(seen("bot:position", {"botId": "x", "position": None}))
    account.add(seen("balance:update", {"asset": "USDT", "free": True}))
    assert (account.bots["None"].status, account.bots["None"].pnl) == (None, None)
    for much in (10**400, float("inf"), float("nan")):
        account.add(seen("balance:update", {"asset": "USDT", "free": much}))
    assert account.balances == {}
    account.add(seen("balance:update", {"asset": "USDT", "free": "1.5", "locked": "x"}))
    assert account.balances == {"USDT": (1.5, 0.0)}


def test_what_is_asked_for() -> None:
    """--bots asks for all bots, --notifications for the channels of the user that the token names."""
    target = Target(url="http://127.0.0.1:1", token=mint("alice", "any"))
    asked = WatchOptions(target=target, bots=True, notifications=True, symbols=("A/B",)).subscriptions()
    assert [(one.event, one.names) for one in asked] == [
        ("price:subscribe", ("A/B",)),
        ("channel:subscribe", ("announcement", "user:alice:notifications", "user:alice:balance")),
        ("bot:subscribe", ()),
    ]


@pytest.mark.parametrize(("token", "said"), [(None, "no token"), ("junk", "no JSON Web Token")])
def test_whose_notifications(token: str | None, said: str) -> None:
    """Without a token that names a user it cannot be said whose notifications are meant."""
    options = WatchOptions(target=Target(url="http://127.0.0.1:1", token=token), notifications=True)
    with pytest.raises(UsageError, match=said):
        options.subscriptions()

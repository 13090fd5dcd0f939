"""A user's bots, balances and notices on a terminal."""

from io import StringIO

from rich.console import Console

from wsctl.model.observation import Observation
from wsctl.report.account import AccountView
from wsctl.watch.account import Account


def draw(account: Account, width: int) -> list[str]:
    console = Console(width=width, height=40, record=True, force_terminal=True, file=StringIO())
    console.print(AccountView(account))
    return [line.rstrip() for line in console.export_text().splitlines()]


def filled() -> Account:
    account = Account()
    for event, data in (
        ("bot:status", {"botId": "alice-bot-1", "status": "running", "symbol": "BTC/USDT", "pnl": 12.5}),
        (
            "bot:position",
            {
                "botId": "alice-bot-1",
                "position": {"symbol": "BTC/USDT", "size": 0.11281, "entryPrice": 65005.99, "unrealizedPnl": -2.26},
            },
        ),
        ("bot:trade", {"botId": "alice-bot-1", "trade": {"side": "buy", "price": 65005.99, "quantity": 0.11281}}),
        ("balance:update", {"asset": "USDT", "free": 92666.6743, "locked": 0}),
        ("notification", {"id": 1, "level": "error", "title": "bot\x1b[31m", "body": "order stream lost"}),
    ):
        account.add(Observation(1000.0, "c1", "x", event, "e", 1, 999.0, 1.0, data))
    return account


def test_nothing_of_an_account_takes_no_room() -> None:
    """Who watches prices only sees nothing of bots."""
    assert draw(Account(), 80) == []


def test_an_account_at_a_glance() -> None:
    """A row a bot, a line of balances, a line a notice; a feed's control characters stay off the terminal."""
    lines = draw(filled(), 110)
    assert lines[0].split() == [
        "bot",
        "status",
        "symbol",
        "size",
        "entry",
        "unrealized",
        "pnl",
        "trades",
        "last",
        "trade",
    ]
    row = lines[1]
    for text in (
        "alice-bot-1",
        "running",
        "BTC/USDT",
        "0.11281",
        "65,005.99",
        "-2.26",
        "+12.50",
        "buy 0.11281 at 65005.99",
    ):
        assert text in row
    assert lines[2] == "balances  USDT 92,666.6743"
    assert lines[3].endswith("error    bot�[31m: order stream lost")


def test_eighty_columns_hold_it() -> None:
    """Where the window is narrow the last trade is left out, and a row stays a row."""
    row = draw(filled(), 80)[1]
    for part in ("alice-bot-1", "running", "65,005.99", "+12.50"):
        assert part in row

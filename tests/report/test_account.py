"""A user's bots, balances and notices on a terminal."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from wsctl.model.observation import Observation
from wsctl.report.account import AccountView
from wsctl.watch.account import Account


def draw(account: Account | AccountView, width: int) -> list[str]:
    console = Console(width=width, height=40, record=True, force_terminal=True, file=StringIO())
    console.print(AccountView(account) if isinstance(account, Account) else account)
    return [line.rstrip() for line in console.export_text().splitlines()]


def account_of(*messages: tuple[str, dict[str, Any]]) -> Account:
    account = Account()
    for event, data in messages:
        account.add(Observation(1000.0, "c1", "x", event, "e", 1, 999.0, 1.0, data))
    return account


def bot(symbol: str, size: float, entry: float, unrealized: float, pnl: float) -> Account:
    position = {"symbol": symbol, "size": size, "entryPrice": entry, "unrealizedPnl": unrealized}
    return account_of(
        ("bot:status", {"botId": "alice-bot-1", "status": "running", "symbol": symbol, "pnl": pnl}),
        ("bot:position", {"botId": "alice-bot-1", "position": position}),
        ("bot:trade", {"botId": "alice-bot-1", "trade": {"side": "buy", "price": entry, "quantity": size}}),
    )


def filled() -> Account:
    return account_of(
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
    )


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
        "buy 0.11281 at 65,005.99",
    ):
        assert text in row
    assert lines[2] == "balances  USDT 92,666.6743"
    assert lines[3].endswith("error    bot�[31m: order stream lost")


def test_eighty_columns_hold_it() -> None:
    """Where the window is narrow the last trade is left out, and a row stays a row."""
    row = draw(filled(), 80)[1]
    for part in ("alice-bot-1", "running", "65,005.99", "+12.50"):
        assert part in row


def test_small_amounts_are_numbers_that_people_read() -> None:
    """Millions of a coin worth next to nothing: no exponents, and what does not fit a row goes on below it."""
    account = bot("PEPE/USDT", 1234567890.12, 1.23456e-05, -0.0034, 0.0012)
    assert " ".join(draw(account, 140)[1].split()) == (
        "alice-bot-1 running PEPE/USDT 1,234,567,890 0.0000123456 -0.0034 +0.0012 1 "
        "buy 1,234,567,890.12 at 0.0000123456"
    )
    assert draw(account, 80) == [
        "alice-bot-1  running  PEPE/USDT  trades 1",
        "  size 1,234,567,890  entry 0.0000123456  unrealized -0.0034  pnl +0.0012",
    ]


def test_lines_stay_lines() -> None:
    """A position that closes does not turn lines into a row, and back when it opens; a wider window does."""
    account = bot("PEPE/USDT", 1234567890.12, 1.23456e-05, -0.0034, 0.0012)
    view = AccountView(account)
    assert len(draw(view, 80)) == 2
    account.bots["alice-bot-1"].size = 0.0
    account.bots["alice-bot-1"].entry_price = 0.0
    assert draw(view, 80)[0].startswith("alice-bot-1")
    assert draw(view, 100)[0].startswith("bot ")
    assert draw(AccountView(account), 80)[0].startswith("bot ")


def test_a_bot_of_which_only_the_trades_are_known() -> None:
    """Where a row does not fit, what is not known takes no line."""
    trade = {"side": "buy", "price": 1, "quantity": 2}
    assert draw(account_of(("bot:trade", {"botId": "alice-bot-1", "trade": trade})), 40) == [
        "alice-bot-1      trades 1"
    ]


@pytest.mark.parametrize(
    ("gain", "shown"),
    [
        (0, "+0.00"),
        (12.5, "+12.50"),
        (-1234.5678, "-1,234.57"),
        (0.5, "+0.50"),
        (0.0012, "+0.0012"),
        (-0.00012345, "-0.00012"),
        (-0.00999, "-0.01"),
        (0.999, "+1.00"),
    ],
)
def test_a_gain_is_never_shown_as_none(gain: float, shown: str) -> None:
    """Cents, and below them two digits."""
    assert draw(bot("A/B", 1, 1, 0, gain), 140)[1].split()[6] == shown


def test_balances_without_exponents() -> None:
    """However much of a coin there is."""
    balances = (("PEPE", 12345678901.5, 1e10), ("BTC", 0.00001234, 0), ("USDT", 92666.67434, 5.5))
    messages = [
        ("balance:update", {"asset": asset, "free": free, "locked": locked}) for asset, free, locked in balances
    ]
    (line,) = draw(account_of(*messages), 140)
    assert line == (
        "balances  PEPE 12,345,678,902 (10,000,000,000 locked)   BTC 0.00001234   USDT 92,666.67434 (5.5 locked)"
    )


def test_nothing_of_an_account_is_obeyed() -> None:
    """No text of a feed reaches the terminal as an escape sequence."""
    evil = "\x1b]0;title\x07"
    account = account_of(
        ("bot:status", {"botId": evil, "status": evil, "symbol": evil, "pnl": 1}),
        ("bot:trade", {"botId": evil, "trade": {"side": evil, "price": evil, "quantity": evil}}),
        ("balance:update", {"asset": evil, "free": 1, "locked": 0}),
        ("notification", {"level": evil, "title": evil, "body": evil}),
        ("bot:log", {"botId": evil, "level": evil, "message": evil}),
    )
    for width in (40, 200):
        lines = "".join(draw(account, width))
        assert "]0;title" in lines
        assert not {"\x1b", "\x07"} & set(lines)

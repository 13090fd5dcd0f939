"""A user's bots, balances and notices as people read them, below the prices."""

import time

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from wsctl.report.words import plain
from wsctl.watch.account import Account, Bot

_LEVELS = {"warning": "yellow", "error": "red"}


WIDE = 100
"""columns from which the last trade is shown, too"""


class AccountView:
    """What there is of it; nothing for an account that nothing came of."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        account = self._account
        if account.bots:
            yield _bot_table(account, wide=options.max_width >= WIDE)
        if account.balances:
            yield _balance_line(account)
        for at, level, text in account.notices:
            moment = time.strftime("%H:%M:%S", time.localtime(at))
            yield Text.assemble((f"{moment} ", "dim"), (f"{level:8} ", _LEVELS.get(level, "dim")), plain(text))


def _bot_table(account: Account, *, wide: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("bot", overflow="fold", min_width=10)
    table.add_column("status", min_width=7, no_wrap=True)
    table.add_column("symbol", no_wrap=True)
    for name in ("size", "entry", "unrealized", "pnl", "trades"):
        table.add_column(name, justify="right", no_wrap=True)
    if wide:
        table.add_column("last trade", overflow="fold")
    for bot in account.bots.values():
        table.add_row(*_cells(bot), *([plain(bot.last_trade or "")] if wide else []))
    return table


def _cells(bot: Bot) -> list[Text]:
    return [
        plain(bot.id),
        Text(bot.status or "", style="" if bot.status == "running" else "yellow"),
        plain(bot.symbol or ""),
        _amount(bot.size),
        _amount(bot.entry_price),
        _gain(bot.unrealized),
        _gain(bot.pnl),
        Text(str(bot.trades)),
    ]


def _balance_line(account: Account) -> Text:
    parts = []
    for asset, (free, locked) in account.balances.items():
        held = f" ({locked:,.8g} locked)" if locked else ""
        parts.append(plain(f"{asset} {free:,.10g}{held}"))
    return Text.assemble(("balances  ", "bold"), Text("   ").join(parts))


def _amount(value: float | None) -> Text:
    return Text("" if value is None else f"{value:,.8g}")


def _gain(value: float | None) -> Text:
    if value is None:
        return Text()
    return Text(f"{value:+,.2f}", style="green" if value > 0 else "red" if value < 0 else "")

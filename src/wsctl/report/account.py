"""A user's bots, balances and notices as people read them, below the prices."""

import time
from collections.abc import Iterator
from itertools import islice

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wsctl.report.words import plain
from wsctl.watch.account import Account, Bot
from wsctl.watch.numbers import decimals_of, rounded, written

_LEVELS = {"warning": "yellow", "error": "red"}
_DIGITS = 8
"""significant digits of an amount"""


class AccountView:
    """What there is of it; nothing for an account that nothing came of."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._bots = _Bots(account)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.part(len(self._account.notices))

    def part(self, notices: int) -> Group:
        """Bots, balances and so many of the notices, the latest."""
        account = self._account
        lines: list[RenderableType] = [self._bots] if account.bots else []
        if account.balances:
            lines.append(_balance_line(account))
        latest = islice(account.notices, len(account.notices) - notices, None)
        return Group(*lines, *(notice_line(*notice) for notice in latest))


class _Bots:
    """A table, without the last trades where it is too wide; two lines a bot where that does not help.

    Drawn again and again it stays what it became: positions close, and what is too wide will be so again.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._widest = {True: 0, False: 0}
        """columns that the table took at most, with and without the last trades"""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for last_trade in self._widest:
            table = _bot_table(self._account, last_trade=last_trade)
            width = Measurement.get(console, options.update(max_width=10_000), table).maximum
            self._widest[last_trade] = max(self._widest[last_trade], width)
            if self._widest[last_trade] <= options.max_width:
                yield table
                return
        for bot in self._account.bots.values():
            yield from _bot_lines(bot)


def notice_line(at: float, level: str, text: str) -> Text:
    """When, how grave and what; longer ones go on in the next line."""
    moment = time.strftime("%H:%M:%S", time.localtime(at))
    return Text.assemble((f"{moment} ", "dim"), plain(f"{level:8} ", _LEVELS.get(level, "dim")), plain(text))


def _bot_table(account: Account, *, last_trade: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("bot", min_width=10, no_wrap=True)
    table.add_column("status", min_width=7, no_wrap=True)
    table.add_column("symbol", no_wrap=True)
    for name in _NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    if last_trade:
        table.add_column("last trade", no_wrap=True)
    for bot in account.bots.values():
        table.add_row(*_names(bot), *_numbers(bot), *([plain(bot.last_trade or "")] if last_trade else []))
    return table


def _bot_lines(bot: Bot) -> Iterator[RenderableType]:
    told = [Text.assemble(f"{name} ", number) for name, number in zip(_NUMBERS, _numbers(bot), strict=True) if number]
    *amounts, trades = told  # there is always a number of trades
    yield Text("  ").join([*_names(bot), trades])
    if amounts:
        yield Padding(Text("  ").join(amounts), (0, 0, 0, 2))


def _names(bot: Bot) -> list[Text]:
    style = "" if bot.status == "running" else "yellow"
    return [plain(bot.id), plain(bot.status or "", style), plain(bot.symbol or "")]


_NUMBERS = ("size", "entry", "unrealized", "pnl", "trades")


def _numbers(bot: Bot) -> list[Text]:
    return [
        _amount(bot.size),
        _amount(bot.entry_price),
        _gain(bot.unrealized),
        _gain(bot.pnl),
        Text(str(bot.trades)),
    ]


def _balance_line(account: Account) -> Text:
    parts = []
    for asset, (free, locked) in account.balances.items():
        held = f" ({written(rounded(locked, _DIGITS))} locked)" if locked else ""
        parts.append(plain(f"{asset} {written(rounded(free, 10))}{held}"))
    return Text.assemble(("balances  ", "bold"), Text("   ").join(parts))


def _amount(value: float | None) -> Text:
    return Text("" if value is None else written(rounded(value, _DIGITS)))


def _gain(value: float | None) -> Text:
    """Two decimals, and more where those would make a small gain none."""
    if value is None:
        return Text()
    decimals = max(2, decimals_of(rounded(value, 2))) if abs(value) < 1 else 2
    return Text(f"{value:+,.{decimals}f}", style="green" if value > 0 else "red" if value < 0 else "")

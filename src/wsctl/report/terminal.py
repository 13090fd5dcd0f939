"""Tables for people, drawn with Rich."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from types import TracebackType

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wsctl.checks.channel_report import ChannelReport, Missing
from wsctl.checks.ordering import OrderingCheck
from wsctl.checks.times import TimesCheck
from wsctl.model.finding import Verdict
from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.report.account import AccountView, notice_line
from wsctl.report.words import counted, plain, verdict_word, whole_seconds
from wsctl.spec.units import format_duration
from wsctl.watch.tally import Row, Tally

FINDINGS_SHOWN = 10
"""findings listed below the table, per channel"""


class LiveTable:
    """A tally on a terminal, redrawn when `refresh` is called."""

    def __init__(self, tally: Tally, source: str, console: Console | None = None) -> None:
        self._tally = tally
        self._source = source
        self._account = AccountView(tally.account)
        self._console = console or Console()
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> "LiveTable":
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.update(live_view(self._tally, self._source, account=self._account))  # all of it: the last drawing
        self._live.__exit__(kind, error, traceback)

    def refresh(self) -> None:
        """Draw what is known now, as much as fits: what has scrolled off cannot be redrawn."""
        rows, notices = self._room()
        view = live_view(self._tally, self._source, rows=rows, account=self._account.part(notices))
        self._live.update(view, refresh=True)

    def _room(self) -> tuple[int, int]:
        """How many rows and how many notices there are lines for; older notices give way to rows."""
        rows = self._console.height - _AROUND_ROWS - self._height(self._account.part(0))
        notices = 0
        for notice in reversed(self._tally.account.notices):
            left = rows - self._height(notice_line(*notice))
            if left < (1 if notices < _LEAST_NOTICES else len(self._tally.rows)):
                break
            rows, notices = left, notices + 1
        return rows, notices

    def _height(self, renderable: RenderableType) -> int:
        return len(self._console.render_lines(renderable, pad=False))


_AROUND_ROWS = 6
"""lines of the terminal that rows may not take: the head, the note on hidden rows, the connection (which may wrap)"""
_LEAST_NOTICES = 2
"""notices for which rows are left out, but for one"""


def live_view(
    tally: Tally, source: str, *, rows: int | None = None, account: RenderableType | None = None
) -> RenderableType:
    """The prices, no more than so many rows, and below them the account and what became of the connection."""
    shown = list(tally.rows.values())[: None if rows is None else max(1, rows)]
    lines: list[RenderableType] = [_price_table(tally, shown)] if shown or not tally.account.known else []
    if not tally.rows and not tally.account.known:
        lines.append(Text("waiting for the first message", style="dim"))
    if len(shown) < len(tally.rows):
        lines.append(Text(f"… and {len(tally.rows) - len(shown)} more; a taller window shows them", style="dim"))
    return Group(*lines, account or AccountView(tally.account), _connection_line(tally, source))


def summary(tally: Tally, *, incomparable: int = 0) -> str:
    """One line about a whole watch; what was not measured is not in it."""
    parts = [f"{counted(tally.messages, 'message')} in {format_duration(tally.elapsed)}"]
    latency = tally.latency
    if latency.p50 is not None and latency.p95 is not None:
        parts.append(f"latency p50 {_milliseconds(latency.p50 * 1000)}, p95 {_milliseconds(latency.p95 * 1000)}")
    if incomparable:
        parts.append(f"{incomparable} latencies left out: the clocks cannot be compared")
    metrics = tally.ordering.metrics()
    if "ordering.gaps" in metrics:
        parts.append(f"{counted(metrics['ordering.gaps'], 'gap')}{_extent(tally.ordering)}")
    elif metrics:
        parts.append("sequence numbers leave others out: gaps cannot be seen")
    elif tally.messages:
        parts.append("no sequence numbers: gaps cannot be seen")
    parts += _oddities(metrics)
    if tally.reconnects:
        parts.append(counted(tally.reconnects, "reconnect"))
    return "; ".join(parts)


def _extent(check: OrderingCheck) -> str:
    """How much was missing, as far as channels count the same."""
    lossy = [report for report in check.channels.values() if report.missing]
    units = {report.missing_unit for report in lossy}
    if not lossy or len(units) > 1 or Missing.UNKNOWN in units:
        return ""
    return f" ({counted(sum(report.missing for report in lossy), units.pop().value.removesuffix('s'))})"


def _oddities(metrics: Mapping[str, int]) -> list[str]:
    """What else is odd about the order, as far as there is any of it."""
    names = ("duplicate", "reorder", "regression", "reset")
    counts = {name: metrics.get(f"ordering.{name}s", 0) for name in names}
    return [counted(count, name) for name, count in counts.items() if count]


class OrderingReport:
    """The verdict per channel, and the first findings: a table, or sentences where a table is too wide.

    What was found of the times is a note beneath: it does not weigh in.
    """

    def __init__(self, check: OrderingCheck, times: TimesCheck | None = None) -> None:
        self._check = check
        self._times = times

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        check = self._check
        if check.channels:
            table = _ordering_table(check)
            fits = Measurement.get(console, options.update(max_width=10_000), table).maximum <= options.max_width
            yield table if fits else _ordering_sentences(check)
            yield Text()
        for report in check.channels.values():
            yield from _findings(report)
        if self._times is not None:
            yield from _notes(self._times)
        yield Text.assemble("verdict: ", verdict_word(check.verdict), _why(check))


def _ordering_table(check: OrderingCheck) -> Table:
    columns = [(head, count) for head, count, always in _COLUMNS if always or _any(check, count)]
    schemes = any(report.scheme != "counter" for report in check.channels.values())
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("channel", no_wrap=True)
    if schemes:
        table.add_column("scheme", no_wrap=True)
    for head, _ in columns:
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("verified", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for name, report in check.channels.items():
        scheme = [report.scheme] if schemes else []
        counts = [
            Text(_cell(head, report, count(report)), style=_style_of(head, count(report))) for head, count in columns
        ]
        table.add_row(plain(name), *scheme, *counts, _percent(report.verified_percent), verdict_word(report.verdict))
    return table


def _cell(head: str, report: ChannelReport, count: int) -> str:
    if head == "gaps" and not count and (not report.proves_loss or report.unnumbered == report.messages > 0):
        return "?"
    if head == "missing" and count and report.missing_unit is not Missing.MESSAGES:
        return f"≥ {count}" if report.missing_unit is Missing.UNKNOWN else f"{count} {report.missing_unit.value}"
    return str(count)


def _ordering_sentences(check: OrderingCheck) -> RenderableType:
    lines: list[RenderableType] = []
    for name, report in check.channels.items():
        parts = [
            Text(_phrase(head, report, count(report)), style=_style_of(head, count(report)))
            for head, count, always in _COLUMNS
            if always or count(report)
        ]
        if report.verified_percent is not None:
            parts.append(Text(f"{_percent(report.verified_percent)} verified"))
        lines.append(Text.assemble(plain(name), "  ", verdict_word(report.verdict)))
        lines.append(Padding(Text(", ").join(parts), (0, 0, 0, 2)))
    return Group(*lines)


def _phrase(head: str, report: ChannelReport, count: int) -> str:
    cell = _cell(head, report, count)
    return counted(count, head.removesuffix("s")) if cell == str(count) and head.endswith("s") else f"{cell} {head}"


def _findings(report: ChannelReport) -> Iterator[RenderableType]:
    for finding in report.findings[:FINDINGS_SHOWN]:
        yield Padding(Text.assemble((finding.kind, "red"), plain(f": {finding.message}")), (0, 0, 0, 2))
    rest = report.objections - min(len(report.findings), FINDINGS_SHOWN)
    if rest:
        yield Text(f"  … and {rest} more (--format json lists more)", style="dim")


def _notes(times: TimesCheck) -> Iterator[RenderableType]:
    for finding in times.findings[:FINDINGS_SHOWN]:
        yield Padding(Text.assemble(("note", "yellow"), plain(f": {finding.message}")), (0, 0, 0, 2), expand=False)
    rest = len(times.findings) + times.findings_left_out - FINDINGS_SHOWN
    if rest > 0:
        yield Text(f"  … and {rest} more (--format json lists more)", style="dim")


def _style_of(head: str, count: int) -> str:
    return "red" if count and head in _OBJECTIONS else ""


def stage_line(stage: Lifecycle) -> str | None:
    """What a stage of the connection says to people; None for those they need not see."""
    match stage.stage:
        case Stage.FAILED | Stage.CUT:
            if stage.delay is None:
                return None  # the end: an error says so
            what = "attempt failed" if stage.stage is Stage.FAILED else "connection lost"
            why = "" if stage.reason == what else f": {stage.reason}"
            return f"{what}{why}; next attempt in {format_duration(stage.delay)}"
        case Stage.JOINED:
            note = f" ({stage.reason})" if stage.reason else ""
            return f"connected over {stage.transport}{note}" if note or "." in stage.conn else None
        case Stage.SUBSCRIBED:
            return stage.reason
        case _:
            return None


def _price_table(tally: Tally, rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", row_styles=[] if _is_up(tally) else ["dim"])
    table.add_column("symbol" if tally.dialect is None else "channel", overflow="fold", min_width=10)
    for name, width in _WIDTHS.items():
        table.add_column(name, justify="right", min_width=width, no_wrap=True)
    by_label = Counter(row.label for row in tally.rows.values())
    now = tally.clock.now()
    for row in rows:
        label = row.label if by_label[row.label] == 1 else _unmistakable(row)
        table.add_row(plain(label), *_cells(tally, row, now))
    return table


_WIDTHS = {"price": 10, "change": 8, "msg/s": 6, "latency": 8, "seq": 6, "gaps": 4}
"""columns and the least they take, so that they stay where they are while numbers grow"""


def _unmistakable(row: Row) -> str:
    """What tells a row from others of its symbol."""
    return row.channel if row.label in row.channel else f"{row.label} ({row.channel})"


def _is_up(tally: Tally) -> bool:
    return tally.stage is not None and tally.stage.stage in (Stage.JOINED, Stage.SUBSCRIBED)


def _cells(tally: Tally, row: Row, now: float) -> list[Text]:
    gaps = tally.gaps(row)
    seq = None if row.last is None else row.last.seq
    return [
        _price(row),
        _change(row.change),
        Text(f"{row.rate(now):.1f}"),
        Text("" if row.latency_ms is None else _milliseconds(row.latency_ms)),
        Text("" if seq is None else str(seq)),
        Text("?" if gaps is None else str(gaps), style="bold red" if gaps else ""),
    ]


def _price(row: Row) -> Text:
    """The price with as many decimals as any before, so that the point stays in its place."""
    if row.price is None:
        return Text()
    style = "green" if row.moved > 0 else "red" if row.moved < 0 else ""
    return Text(f"{Decimal(str(row.price)):,.{row.decimals}f}", style=style)


def _change(change: float | None) -> Text:
    if change is None:
        return Text()
    style = "green" if change > 0 else "red" if change < 0 else ""
    return Text(f"{change:+.3%}", style=style)


def _connection_line(tally: Tally, source: str) -> Text:
    stage = tally.stage
    if stage is None or stage.stage is Stage.ATTEMPT:
        state, style = "connecting", "yellow"
    elif _is_up(tally):
        state, style = f"connected over {stage.transport}", "green"
    elif stage.stage is Stage.CLOSED:
        state, style = "closed", "dim"
    else:
        state, style = stage_line(stage) or f"ended: {stage.reason}", "red"
    parts = [state, source, whole_seconds(tally.elapsed)]
    if tally.reconnects:
        parts.insert(1, counted(tally.reconnects, "reconnect"))
    oddities = "".join(f"  {oddity}" for oddity in _oddities(tally.ordering.metrics()))
    return Text.assemble(("● ", style), plain("  ".join(parts)), (oddities, "yellow"))


_COLUMNS: tuple[tuple[str, Callable[[ChannelReport], int], bool], ...] = (
    ("messages", lambda report: report.messages, True),
    ("gaps", lambda report: report.gaps, True),
    ("missing", lambda report: report.missing, False),
    ("duplicates", lambda report: report.duplicates, False),
    ("reorders", lambda report: report.reorders, False),
    ("regressions", lambda report: report.regressions, False),
    ("resets", lambda report: report.resets, False),
    ("skipped", lambda report: report.skipped, False),
)
"""head, value, and whether it is shown where it is zero throughout"""

_OBJECTIONS = frozenset({"gaps", "missing", "duplicates", "reorders", "regressions"})
"""the counts that speak against a feed"""


def _any(check: OrderingCheck, count: Callable[[ChannelReport], int]) -> bool:
    return any(count(report) for report in check.channels.values())


def _why(check: OrderingCheck) -> str:
    if check.malformed:
        return f" ({counted(check.malformed, 'frame')} could not be read)"
    if check.verdict is not Verdict.UNVERIFIABLE:
        return ""
    if not any(report.messages for report in check.channels.values()):
        return " (nothing came)"
    unnumbered = {report.scheme for report in check.channels.values() if report.unnumbered} - {"none"}
    if "counter" in unnumbered:
        return " (no sequence numbers where they are looked for; --seq-path says where they are)"
    if unnumbered:
        return " (messages that should be numbered are not)"
    blind = sum(not report.proves_loss for report in check.channels.values() if report.messages)
    return f" (nothing on {counted(blind, 'channel')} shows whether messages are missing)"


def _percent(value: float | None) -> str:
    """Rounded down, so that 100 means all."""
    return "" if value is None else f"{int(value * 100) / 100:g} %"


def _milliseconds(value: float) -> str:
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"

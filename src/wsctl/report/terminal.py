"""Tables for people, drawn with Rich."""

from collections.abc import Callable
from decimal import Decimal
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from wsctl.checks.ordering import ChannelReport, OrderingCheck
from wsctl.model.finding import Verdict
from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.spec.units import format_duration
from wsctl.watch.tally import Row, Tally

FINDINGS_SHOWN = 10
"""findings listed below the table, per channel"""

_STYLES = {Verdict.PASS: "green", Verdict.FAIL: "bold red", Verdict.UNVERIFIABLE: "yellow"}


class LiveTable:
    """A tally on a terminal, redrawn when `refresh` is called."""

    def __init__(self, tally: Tally, source: str, console: Console | None = None) -> None:
        self._tally = tally
        self._source = source
        self._live = Live(console=console, auto_refresh=False, transient=False)

    def __enter__(self) -> "LiveTable":
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.refresh()
        self._live.__exit__(kind, error, traceback)

    def refresh(self) -> None:
        """Draw what is known now."""
        self._live.update(Group(_price_table(self._tally), _connection_line(self._tally, self._source)), refresh=True)


def summary(tally: Tally, *, incomparable: int = 0) -> str:
    """One line about a whole watch; what was not measured is not in it."""
    parts = [f"{_count(tally.messages, 'message')} in {format_duration(tally.elapsed)}"]
    latency = tally.latency
    if latency.p50 is not None and latency.p95 is not None:
        parts.append(f"latency p50 {_milliseconds(latency.p50 * 1000)}, p95 {_milliseconds(latency.p95 * 1000)}")
    if incomparable:
        parts.append(f"{incomparable} latencies left out: the clocks cannot be compared")
    metrics = tally.ordering.metrics()
    if metrics:
        missing = f" ({metrics['ordering.missing']} messages)" if metrics["ordering.missing"] else ""
        parts.append(f"{_count(metrics['ordering.gaps'], 'gap')}{missing}")
        parts += [
            _count(metrics[f"ordering.{name}s"], name)
            for name in ("duplicate", "reorder", "regression", "reset")
            if metrics[f"ordering.{name}s"]
        ]
    elif tally.messages:
        parts.append("no sequence numbers: gaps cannot be seen")
    if tally.reconnects:
        parts.append(_count(tally.reconnects, "reconnect"))
    return "; ".join(parts)


def ordering_report(check: OrderingCheck) -> RenderableType:
    """The verdict per channel, and the first findings."""
    columns = [(head, count) for head, count, always in _COLUMNS if always or _any(check, count)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("channel", no_wrap=True)
    for head, _ in columns:
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("verified", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for name, report in check.channels.items():
        counts = [str(count(report)) for _, count in columns]
        table.add_row(name, *counts, _percent(report.verified_percent), _verdict(report.verdict))
    lines: list[RenderableType] = [table, Text()]
    for report in check.channels.values():
        lines += [Text(f"  {finding.kind}: {finding.message}") for finding in report.findings[:FINDINGS_SHOWN]]
        rest = report.objections - min(len(report.findings), FINDINGS_SHOWN)
        if rest:
            lines.append(Text(f"  … and {rest} more (--format json lists more)", style="dim"))
    lines.append(Text.assemble("verdict: ", _verdict(check.verdict), _why(check)))
    return Group(*lines)


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


def _price_table(tally: Tally) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("symbol", no_wrap=True, min_width=10)
    for name in ("price", "change", "msg/s", "latency", "seq", "gaps"):
        table.add_column(name, justify="right", min_width=8, no_wrap=True)
    by_label: dict[str, int] = {}
    for row in tally.rows.values():
        by_label[row.label] = by_label.get(row.label, 0) + 1
    now = tally.clock.now()
    for row in tally.rows.values():
        label = row.label if by_label[row.label] == 1 else row.channel
        table.add_row(label, *_cells(tally, row, now))
    if not tally.rows:
        table.add_row(Text("waiting for the first message", style="dim"))
    return table


def _cells(tally: Tally, row: Row, now: float) -> list[Text]:
    gaps = tally.gaps(row)
    seq = None if row.last is None else row.last.seq
    return [
        Text("" if row.price is None else f"{Decimal(str(row.price)):,f}"),
        _change(row.change),
        Text(f"{row.rate(now):.1f}"),
        Text("" if row.latency_ms is None else _milliseconds(row.latency_ms)),
        Text("" if seq is None else str(seq)),
        Text("?" if gaps is None else str(gaps), style="bold red" if gaps else ""),
    ]


def _change(change: float | None) -> Text:
    if change is None:
        return Text()
    style = "green" if change > 0 else "red" if change < 0 else ""
    return Text(f"{change:+.3%}", style=style)


def _connection_line(tally: Tally, source: str) -> Text:
    stage = tally.stage
    if stage is None or stage.stage is Stage.ATTEMPT:
        state, style = "connecting", "yellow"
    elif stage.stage in (Stage.JOINED, Stage.SUBSCRIBED):
        state, style = f"connected over {stage.transport}", "green"
    elif stage.stage is Stage.CLOSED:
        state, style = "closed", "dim"
    else:
        state, style = stage_line(stage) or "lost", "red"
    reconnects = f"  {_count(tally.reconnects, 'reconnect')}" if tally.reconnects else ""
    return Text.assemble(("● ", style), f"{source}  {state}{reconnects}  {format_duration(round(tally.elapsed))}")


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


def _any(check: OrderingCheck, count: Callable[[ChannelReport], int]) -> bool:
    return any(count(report) for report in check.channels.values())


def _why(check: OrderingCheck) -> str:
    if check.verdict is not Verdict.UNVERIFIABLE:
        return ""
    if not check.channels:
        return " (nothing came)"
    return " (no sequence numbers where they are looked for; --seq-path says where they are)"


def _verdict(verdict: Verdict) -> Text:
    return Text(verdict.value, style=_STYLES.get(verdict, ""))


def _percent(value: float | None) -> str:
    """Rounded down, so that 100 means all."""
    return "" if value is None else f"{int(value * 100) / 100:g} %"


def _milliseconds(value: float) -> str:
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

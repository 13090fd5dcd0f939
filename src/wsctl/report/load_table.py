"""What came of a load, for people: connections, messages and latencies, stage by stage, and the verdict last."""

from collections.abc import Iterator, Mapping

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from wsctl.load.outcome.result import LoadResult
from wsctl.load.outcome.verdict import ABOUT_ITSELF
from wsctl.model.expectation import shown
from wsctl.model.finding import Verdict
from wsctl.report.judged import outcome
from wsctl.report.words import plain, verdict_mark, verdict_word
from wsctl.spec.units import format_duration

_ROWS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "connections",
        (
            ("connections.asked", "asked"),
            ("connections.opened", "opened"),
            ("connections.subscribed", "subscribed"),
            ("connections.receiving", "receiving"),
            ("connections.rate", "opened at"),
        ),
    ),
    (
        "lost",
        (
            ("connections.refused", "refused"),
            ("connections.closed", "closed"),
            ("connections.evicted", "evicted"),
            ("errors", "errors"),
            ("generator.lost", "with workers"),
        ),
    ),
    ("messages", (("messages.received", "received"), ("messages.rate", "at"), ("messages.bytes", "payload"))),
    ("latency", (("latency.p50", "p50"), ("latency.p95", "p95"), ("latency.p99", "p99"), ("latency.max", "max"))),
    ("from source", (("latency.source.p50", "p50"), ("latency.source.p95", "p95"), ("latency.source.p99", "p99"))),
    ("connecting", (("connect.time.p50", "p50"), ("connect.time.p95", "p95"), ("connect.time.p99", "p99"))),
    ("acknowledged", (("acks.time.p50", "p50"), ("acks.time.p95", "p95"), ("acks.refused", "refused"))),
    ("fan-out", (("fanout.spread.p99", "spread p99"), ("fanout.reach", "reach"))),
    (
        "order",
        (
            ("ordering.gaps", "gaps"),
            ("ordering.duplicates", "duplicates"),
            ("ordering.reorders", "reorders"),
            ("ordering.skipped", "skipped"),
        ),
    ),
    ("generator", (("generator.cpu", "busiest"), ("generator.rss", "memory"), ("generator.lag.p99", "late by (p99)"))),
    ("target", (("target.cpu", "used"), ("target.rss", "memory"))),
    ("server", (("server.cpu", "used"), ("server.rss", "memory"))),
)


class LoadTable:
    """The whole result on one screen."""

    def __init__(self, result: LoadResult) -> None:
        self._result = result

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        result = self._result
        yield Text.assemble(
            plain(result.name, "bold"), "  ", plain(result.target), f"  {format_duration(result.duration)}"
        )
        yield _figures(result.metrics, invalid=_is_invalid(result))
        if len(result.stages) > 1:
            yield Text()
            yield _stages(result)
        if result.limit is not None:
            yield from _limit(result)
        yield Text(f"clock: {result.clock}", style="dim")
        for note in result.notes:
            yield plain(f"note: {note}", "dim")
        for judged in result.expectations:
            yield Text.assemble(verdict_mark(judged.verdict), " ", plain(judged.metric), "  ", plain(outcome(judged)))
        if result.reason is not None:
            yield plain(result.reason)
        yield Text.assemble("verdict: ", verdict_word(result.verdict), " (interrupted)" if result.interrupted else "")


def _is_invalid(result: LoadResult) -> bool:
    """Whether times are the generator's own."""
    return result.verdict is Verdict.INVALID or any(one.verdict is Verdict.INVALID for one in result.expectations)


def _figures(metrics: Mapping[str, float | None], *, invalid: bool) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for title, cells in _ROWS:
        texts = [_cell(name, word, metrics, invalid=invalid) for name, word in cells if name in metrics]
        if title == "lost" and not any(metrics.get(name) for name, _ in cells):
            continue
        if texts:
            grid.add_row(Text(title, style="dim"), Text("  ").join(texts))
    return grid


def _cell(name: str, word: str, metrics: Mapping[str, float | None], *, invalid: bool) -> Text:
    value = metrics[name]
    if invalid and name.startswith(ABOUT_ITSELF):
        return Text.assemble((f"{word} ", "dim"), ("invalid", "yellow"))
    return Text.assemble((f"{word} ", "dim"), shown(name, value))


def _stages(result: LoadResult) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("stage")
    for name in ("time", "users", "receiving", "opened", "messages/s", "p50", "p95", "p99", "errors"):
        table.add_column(name, justify="right")
    for stage in result.stages:
        metrics = stage.metrics
        table.add_row(
            plain(stage.stage),
            format_duration(stage.seconds),
            f"{stage.users:,}",
            f"{stage.receiving:,}",
            shown("connections.opened", metrics.get("connections.opened")),
            _rate(metrics.get("messages.rate")),
            *(
                "invalid" if _is_invalid(result) else shown(f"latency.{name}", metrics.get(f"latency.{name}"))
                for name in ("p50", "p95", "p99")
            ),
            shown("errors", metrics.get("errors")),
        )
    return table


def _rate(rate: float | None) -> str:
    """The column says that it is per second."""
    return "–" if rate is None else f"{rate:,.0f}"


def _limit(result: LoadResult) -> Iterator[RenderableType]:
    limit = result.limit
    assert limit is not None
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    for name in ("connections", "receiving", limit.metric):
        table.add_column(name, justify="right")
    table.add_column("")
    for tried in limit.tries:
        table.add_row(
            verdict_mark(Verdict.PASS if tried.held else Verdict.FAIL),
            f"{tried.users:,}",
            f"{tried.receiving:,}",
            shown(limit.metric, tried.observed),
            plain(tried.reason or ""),
        )
    yield Text()
    yield table
    held = "none that was tried" if limit.users is None else f"{limit.users:,} connections"
    beyond = "" if limit.beyond is None else f"; not {limit.beyond.users:,}: {limit.beyond.reason}"
    yield Text.assemble((held, "bold"), plain(f" kept {limit.metric} {limit.bound}{beyond}"))

"""A load on a terminal while it lasts."""

from collections.abc import Iterator, Sequence
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from wsctl.clock import Clock
from wsctl.load.messages import Done, Process, Ready, WorkerLost
from wsctl.load.outcome.figures import describe
from wsctl.load.outcome.result import LimitTry, Row
from wsctl.load.run import Event, LoadRun
from wsctl.model.expectation import shown
from wsctl.report.words import counted, plain, whole_seconds
from wsctl.spec.units import format_duration
from wsctl.swarm.generator import MOST_CPU, MOST_LAG

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_BARS = "▁▂▃▄▅▆▇█"
_WIDEST = 110
_BAR = 24
_TITLES = 14
_CAUSES_SHOWN = 3
_TRIES_SHOWN = 8


class LoadLive:
    """What is known of a load, redrawn when `refresh` is called; gone without a trace at the end."""

    def __init__(self, run: LoadRun, clock: Clock, console: Console | None = None) -> None:
        self._run = run
        self._clock = clock
        self._console = console or Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._frame = 0
        self._began = clock.monotonic()
        self._second_at = self._began
        """monotonic seconds of the latest second told"""
        self._web: str | None = None
        self._told: list[Text] = []
        self._over = False

    def __enter__(self) -> "LoadLive":
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, traceback)

    def listen(self, event: Event) -> None:
        """Take note of what happened; nothing is drawn."""
        self._second_at = self._clock.monotonic()
        match event:
            case Ready(url=url):
                self._web = url
            case WorkerLost(index=index, users=users):
                self._told.append(Text(f"worker {index} is lost, and {counted(users, 'user')} with it", style="red"))
            case Done():
                self._over = True

    def refresh(self) -> None:
        """Draw what is known now, as much as the terminal has lines for."""
        self._frame += 1
        width = min(self._console.width, _WIDEST)
        lines = list(self._lines(width))[: self._console.height - 1]
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        self._live.update(Group(*lines), refresh=True)

    def _lines(self, width: int) -> Iterator[Text]:
        run = self._run
        rows = tuple(run.figures.rows)
        yield self._head()
        if not rows or self._over:
            yield Text(f"  the load's processes {'end' if self._over else 'start'}", style="dim")
            return
        row = rows[-1]
        if run.limit is None:
            yield from self._stages(row)
        else:
            yield from _tries(run.limit.tries, run.limit.users)
        yield Text()
        room = max(10, width - _TITLES - 44)
        yield from _connections(row, rows, room)
        yield from _messages(row, rows, room)
        yield from self._trouble(width)
        yield from _processes(run)

    def _head(self) -> Text:
        spinner = _SPINNER[self._frame % len(_SPINNER)]
        options = self._run.options
        web = "" if self._web is None else f"  Locust at {self._web}"
        took = f"  {whole_seconds(self._clock.monotonic() - self._began)}"
        name, target = plain(options.name, "bold"), plain(options.target.shown)
        return Text.assemble((spinner, "cyan"), " ", name, "  ", target, web, (took, "dim"))

    def _stages(self, row: Row) -> Iterator[Text]:
        """One line each: done, under way with its bar, to come."""
        run = self._run
        now = row.elapsed + min(1.0, self._clock.monotonic() - self._second_at)
        for index, stage in enumerate(run.stages):
            legs = [leg for leg in run.course.legs if leg.stage == index]
            if not legs:
                continue
            begins, ends = legs[0].begins, legs[-1].ends
            name = plain(describe(stage))
            name.truncate(28, pad=True)
            if now >= ends:
                yield Text.assemble("  ", ("✓", "green"), " ", name, (format_duration(ends - begins), "dim"))
            elif row.stage is not None and begins <= now:
                share = (now - begins) / max(ends - begins, 1e-9)
                took = f"  {whole_seconds(now - begins)} of {whole_seconds(ends - begins)}"
                yield Text.assemble("  ", ("▸", "cyan"), " ", name, bar(share), took)
            else:
                name.stylize("dim")
                yield Text.assemble("  ", ("·", "dim"), " ", name, (format_duration(ends - begins), "dim"))

    def _trouble(self, width: int) -> Iterator[Text]:
        sums = self._run.figures.sums
        for told in self._told[-_CAUSES_SHOWN:]:
            yield Text.assemble(_title(""), told)
        for number, (cause, count) in enumerate(sums.causes.most_common(_CAUSES_SHOWN)):
            yield Text.assemble(_title("" if number else "errors"), (f"{count:,}", "red"), " × ", plain(cause))
        ordering = {name: sums.counts[f"ordering.{name}"] for name in ("gaps", "duplicates", "reorders", "regressions")}
        found = [f"{count:,} {name}" for name, count in ordering.items() if count]
        if found:
            yield Text.assemble(_title("order"), (", ".join(found), "red"))


def _tries(tries: Sequence[LimitTry], users: int | None) -> Iterator[Text]:
    for tried in tries[-_TRIES_SHOWN:]:
        mark, style = ("✓", "green") if tried.held else ("✗", "red")
        yield Text.assemble("  ", (mark, style), f" {tried.users:>8,}  ", plain(tried.reason or "held", "dim"))
    if users is not None:
        yield Text.assemble("  ", ("▸", "cyan"), f" {users:>8,}  ", ("is tried", "dim"))


def _connections(row: Row, rows: Sequence[Row], room: int) -> Iterator[Text]:
    share = row.open / row.users if row.users else 0.0
    yield Text.assemble(
        _title("connections"),
        bar(share),
        f"  {row.open:,} of {row.users:,} open",
        ("  ·  ", "dim"),
        f"{row.receiving:,} receiving",
    )
    if any(one.opened for one in rows[-10:]):
        yield Text.assemble(_title("connecting"), *_rate([one.per_second(one.opened) for one in rows], room))
    if row.closed:
        yield Text.assemble(_title("closed"), (_right(f"{row.per_second(row.closed):,.0f} /s"), "red"))


def _messages(row: Row, rows: Sequence[Row], room: int) -> Iterator[Text]:
    yield Text.assemble(_title("messages"), *_rate([one.per_second(one.messages) for one in rows], room))
    if row.p95 is None:
        return
    yield Text.assemble(
        _title("latency p95"),
        _right(shown("latency.p95", row.p95)),
        spark([one.p95 or 0.0 for one in rows], room),
        ("  p50 ", "dim"),
        shown("latency.p50", row.p50),
        ("  p99 ", "dim"),
        shown("latency.p99", row.p99),
    )


def _processes(run: LoadRun) -> Iterator[Text]:
    """Ours, each on a line, and what the target says of itself."""
    second = run.figures.latest
    processes: Sequence[Process] = () if second is None else second.processes
    for process in processes[:8]:
        busy = "red" if process.cpu > MOST_CPU else ""
        late = "red" if (process.lag or 0.0) > MOST_LAG else ""
        name = "generator" if len(processes) == 1 else f"worker {process.index}"
        yield Text.assemble(
            _title(name),
            (_right(shown("generator.cpu", process.cpu)), busy),
            (f"{process.open:,} open", ""),
            ("  ·  ", "dim"),
            shown("generator.rss", process.rss),
            ("  ·  late by ", "dim"),
            (shown("generator.lag.p99", process.lag), late),
        )
    told = next((row.target for row in reversed(tuple(run.figures.rows)[-5:]) if row.target), {})
    parts = [shown(f"target.{name}", told[name]) for name in ("cpu", "rss") if name in told]
    if parts:
        yield Text.assemble(_title("target"), _right(parts[0]), "  ·  ".join(parts[1:]))


def bar(share: float) -> Text:
    """How much of a whole."""
    done = round(_BAR * min(1.0, max(0.0, share)))
    return Text.assemble(("━" * done, "cyan"), ("─" * (_BAR - done), "dim"))


def spark(values: Sequence[float], room: int) -> Text:
    """The latest values as a row of bars, the highest of them full."""
    latest = values[-room:]
    most = max(latest, default=0.0)
    if not most:
        return Text()
    steps = len(_BARS) - 1
    return Text("".join(_BARS[round(value / most * steps)] for value in latest), style="cyan")


def _rate(values: Sequence[float], room: int) -> tuple[str, Text]:
    """The latest one, and what came before."""
    return _right(f"{values[-1]:,.0f} /s"), spark(values, room)


def _title(text: str) -> Text:
    return Text(f"  {text:{_TITLES}}", style="dim")


def _right(text: str) -> str:
    return f"{text:>12}  "

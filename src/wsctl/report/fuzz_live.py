"""Fuzzing on a terminal while it lasts."""

from collections.abc import Iterator
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from wsctl.clock import Clock
from wsctl.fuzz.events import Event
from wsctl.fuzz.progress import Progress
from wsctl.model.finding import Verdict
from wsctl.report.fuzz_words import tally
from wsctl.report.load_live import bar
from wsctl.report.words import plain, verdict_mark, whole_seconds

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class FuzzLive:
    """How far it is and what failed, redrawn when `refresh` is called; gone without a trace at the end."""

    def __init__(self, clock: Clock, console: Console | None = None) -> None:
        self._clock = clock
        self._console = console or Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._frame = 0
        self._began = clock.monotonic()
        self._progress = Progress()

    def __enter__(self) -> "FuzzLive":
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, traceback)

    def listen(self, event: Event) -> None:
        """Take note of what happened; nothing is drawn."""
        self._progress.listen(event)

    def refresh(self) -> None:
        """Draw what is known now, as much as the terminal has lines for."""
        self._frame += 1
        lines = list(self._lines())[: self._console.height - 1]
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        self._live.update(Group(*lines), refresh=True)

    def _lines(self) -> Iterator[Text]:
        progress, planned = self._progress, self._progress.planned
        spinner = (_SPINNER[self._frame % len(_SPINNER)], "cyan")
        took = (whole_seconds(self._clock.monotonic() - self._began), "dim")
        if planned is None:
            yield Text.assemble(spinner, " ", ("fuzz", "bold"), "  ", took)
            return
        yield Text.assemble(spinner, " ", ("fuzz", "bold"), "  ", plain(planned.target), "  ", took)
        if planned.probes:
            yield _row("probes", progress.probes, planned.probes)
            yield Text(f"             {tally(progress.counts)}", style="dim")
        if planned.cases:
            yield _row("generated", progress.cases, planned.cases)
        if waits_for := progress.waits_for:
            yield Text(f"  waits for {', '.join(waits_for)}: they end with the target's own timeouts", style="dim")
        if progress.listening and not progress.probes:
            yield Text("  waits for clients to connect", style="dim")
        for probe in progress.failed:
            yield _failed(f"{probe.id}  {probe.title}", "; ".join((probe.ending, *probe.harms)))
        for failure in progress.failures:
            yield _failed("generated", "; ".join(failure.harms))


def _row(title: str, done: int, whole: int) -> Text:
    return Text.assemble((f"  {title:9}  ", "dim"), bar(done / whole), f"  {done:,} of {whole:,}")


def _failed(what: str, why: str) -> Text:
    return Text.assemble("  ", verdict_mark(Verdict.FAIL), " ", plain(what), "  ", plain(why, "red"))

"""A run on a terminal while it lasts: which scenario, which step, how far, and its figures."""

from collections import Counter
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from wsctl.clock import Clock
from wsctl.model.run import RunEvent
from wsctl.report.figures import figures
from wsctl.report.progress import Progress, ScenarioState, StepState
from wsctl.report.words import plain, so_many, verdict_mark, whole_seconds
from wsctl.spec.units import format_duration

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_WIDEST = 110
_BAR = 20
_BESIDE_NAMES = _BAR + 20
"""columns kept free beside the names: the bar, `1 m 23 s of 2 m`"""
_ACTIONS_SHOWN = 3


class RunLive:
    """What is known of a run, redrawn when `refresh` is called; gone without a trace at the end."""

    def __init__(self, clock: Clock, console: Console | None = None) -> None:
        self._clock = clock
        self._progress = Progress(clock)
        self._console = console or Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._frame = 0

    def __enter__(self) -> "RunLive":
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, traceback)

    def listen(self, event: RunEvent) -> None:
        """Take note of what happened; nothing is drawn."""
        self._progress.listen(event)

    def refresh(self) -> None:
        """Draw what is known now, as much as the terminal has lines for."""
        self._frame += 1
        spinner = _SPINNER[self._frame % len(_SPINNER)]
        view = _View(self._progress, self._clock.monotonic(), min(self._console.width, _WIDEST), spinner)
        self._live.update(Group(*view.lines(self._console.height - 1)), refresh=True)


class _View:
    """One drawing. Each line takes one row, whatever is in it, so that rows can be counted."""

    def __init__(self, progress: Progress, now: float, width: int, spinner: str) -> None:
        self._progress = progress
        self._now = now
        self._spinner = Text(spinner, style="cyan")
        longest = max((_longest(scenario) for scenario in progress.scenarios.values()), default=0)
        self._names = max(10, min(longest, width - _BESIDE_NAMES))

    def lines(self, rows: int) -> list[Text]:
        """At most so many."""
        states = list(self._progress.scenarios.values())
        current = self._progress.current
        before = [self._scenario(state) for state in states if state.result is not None]
        after = [self._scenario(state) for state in states if state.result is None and state is not current]
        focus = [] if current is None else self._current(current, rows - 3)
        shown = [*_fit(before, focus, after, rows - 1), self._foot(states)]
        for line in shown:
            line.no_wrap, line.overflow = True, "ellipsis"
        return shown

    def _scenario(self, state: ScenarioState) -> Text:
        if state.result is None:
            return self._row(Text("·", style="dim"), 0, state.name, Text(), "dim")
        return self._row(
            verdict_mark(state.result.verdict), 0, state.name, Text(format_duration(state.result.duration))
        )

    def _current(self, state: ScenarioState, rows: int) -> list[Text]:
        """The scenario under way: its steps, of which those under way have their figures."""
        head = self._row(self._spinner, 0, state.name, Text(self._elapsed(state.began)), "bold")
        steps = list(state.steps.values())
        before = [self._ended(step) for step in steps if step.result is not None]
        focus = [line for step in steps if step.began is not None and step.result is None for line in self._step(step)]
        after = [
            self._row(Text("·", style="dim"), 2, step.name, Text(), "dim")
            for step in steps
            if step.began is None and step.result is None
        ]
        if not before and not focus:
            focus = [Text("  starting services", style="dim")]
        return [head, *_fit(before, focus, after, rows - 1)]

    def _ended(self, step: StepState) -> Text:
        assert step.result is not None
        return self._row(verdict_mark(step.result.verdict), 2, step.name, Text(format_duration(step.result.duration)))

    def _step(self, step: StepState) -> list[Text]:
        elapsed = Text(self._elapsed(step.began))
        if step.expected:
            assert step.began is not None
            bar = _bar((self._now - step.began) / step.expected)
            elapsed = Text.assemble(bar, "  ", elapsed, f" of {whole_seconds(step.expected)}")
        lines = [self._row(self._spinner, 2, step.name, elapsed)]
        if told := figures(step.metrics):
            lines.append(Text.assemble("    ", told))
        for at, outcome in step.actions[-_ACTIONS_SHOWN:]:
            after = whole_seconds(at - (step.began or at))
            lines.append(Text.assemble("    ", (f"at {after}  ", "dim"), plain(outcome, "yellow")))
        return lines

    def _foot(self, states: Sequence[ScenarioState]) -> Text:
        ended = Counter(state.result.verdict for state in states if state.result is not None)
        parts = [so_many(number, verdict) for verdict, number in ended.items()]
        parts.insert(0, f"{sum(ended.values())} of {len(states)} scenarios")
        return Text("  ".join([*parts, self._elapsed(self._progress.began)]), style="dim")

    def _row(self, mark: Text, indent: int, name: str, tail: Text, style: str = "") -> Text:
        """Mark, name and tail, the tails one below the other."""
        text = plain(name, style)
        if tail:
            text.truncate(self._names - indent, overflow="ellipsis", pad=True)
        return Text.assemble(" " * indent, mark, " ", text, "  " if tail else "", tail)

    def _elapsed(self, began: float | None) -> str:
        return "" if began is None else whole_seconds(self._now - began)


def _longest(scenario: ScenarioState) -> int:
    """Columns that its names need, those of its steps with their indent."""
    return max(plain(scenario.name).cell_len, *(plain(name).cell_len + 2 for name in scenario.steps), 0)


def _bar(share: float) -> Text:
    done = round(_BAR * min(1.0, share))
    return Text.assemble(("━" * done, "cyan"), ("─" * (_BAR - done), "dim"))


def _fit(before: Sequence[Text], focus: Sequence[Text], after: Sequence[Text], rows: int) -> list[Text]:
    """The focus, and of what is around it as much as so many rows hold; what is left out is counted."""
    left = max(0, rows - len(focus))
    if len(before) + len(after) <= left:
        return [*before, *focus, *after]
    ahead = min(len(after), max(left // 3, left - len(before)))
    return [*_last(before, left - ahead), *focus[: max(0, rows)], *_first(after, ahead)]


def _first(lines: Sequence[Text], rows: int) -> list[Text]:
    if len(lines) <= rows:
        return list(lines)
    return [*lines[: rows - 1], Text(f"  … {len(lines) - rows + 1} more", style="dim")] if rows else []


def _last(lines: Sequence[Text], rows: int) -> list[Text]:
    if len(lines) <= rows:
        return list(lines)
    return [Text(f"  … {len(lines) - rows + 1} more", style="dim"), *lines[len(lines) - rows + 1 :]] if rows else []

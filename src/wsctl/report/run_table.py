"""What came of a run, for people: the calm first, what went wrong last, where they look first."""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from wsctl.model.expectation import Judged
from wsctl.model.finding import Verdict
from wsctl.model.run import RunResult, ScenarioResult, StepResult
from wsctl.report.judged import observed, outcome
from wsctl.report.words import counted, plain, so_many, verdict_word
from wsctl.spec.units import format_duration

FINDINGS_SHOWN = 5
"""findings listed per step; result.json has more"""

WIDEST = 110
"""columns beyond which lines would only be harder to follow"""

_ORDER = (Verdict.PASS, Verdict.SKIPPED, Verdict.UNVERIFIABLE, Verdict.INVALID, Verdict.FAIL, Verdict.ERROR)


class RunTable:
    """Every scenario with its verdict, its steps and their expectations; a line that counts them; the verdict."""

    def __init__(self, result: RunResult) -> None:
        self._result = result

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        result = self._result
        scenarios = sorted(result.scenarios, key=lambda scenario: _ORDER.index(scenario.verdict))
        heads = _Heads(scenarios, min(options.max_width, WIDEST))
        for scenario in scenarios:
            yield heads.of(scenario)
            yield from _details(scenario, heads.indent)
        if scenarios:
            yield Text()
        if result.target is not None:
            yield _Line([plain(f"target: {result.target}")])
        yield _Line([Text(summary(result), style="bold")])
        yield Text.assemble("verdict: ", verdict_word(result.verdict), " (interrupted)" if result.interrupted else "")


def summary(result: RunResult) -> str:
    """`9 scenarios: 7 passed, 1 failed, 1 skipped in 3 m 12 s`."""
    duration = format_duration(result.duration)
    if not result.scenarios:
        return f"no scenario in {duration}"
    verdicts = Counter(scenario.verdict for scenario in result.scenarios)
    parts = [so_many(verdicts[verdict], verdict) for verdict in Verdict if verdicts[verdict]]
    return f"{counted(len(result.scenarios), 'scenario')}: {', '.join(parts)} in {duration}"


class _Line:
    """Texts one after the other, with a hanging indent; broken between two of them before one is broken."""

    def __init__(self, parts: Sequence[Text], *, indent: int = 0, first: Text | None = None, between: str = "") -> None:
        self._parts = parts
        self._indent = indent
        self._first = first or Text(" " * indent)
        self._between = Text(between, style="dim")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(20, min(options.max_width, WIDEST) - self._indent)
        start = self._first
        for line in self._lines(width):
            for piece in line.wrap(console, width, overflow="fold"):
                piece.rstrip()
                yield Text.assemble(start, piece)
                start = Text(" " * self._indent)

    def _lines(self, width: int) -> Iterator[Text]:
        line = Text()
        for part in self._parts:
            if not line:
                line = part.copy()
            elif line.cell_len + self._between.cell_len + part.cell_len <= width:
                line = Text.assemble(line, self._between, part)
            else:
                yield line
                line = part.copy()
        yield line


class _Heads:
    """The first lines of scenarios: verdict, name, duration, each in its column."""

    def __init__(self, scenarios: Sequence[ScenarioResult], width: int) -> None:
        self.indent = max((len(scenario.verdict.value) for scenario in scenarios), default=0) + 2
        self._durations = max((len(format_duration(scenario.duration)) for scenario in scenarios), default=0)
        longest = max((plain(scenario.name).cell_len for scenario in scenarios), default=0)
        self._names = max(20, min(longest, width - self.indent - self._durations - 2))

    def of(self, scenario: ScenarioResult) -> RenderableType:
        name = plain(scenario.name, "bold")
        room = self._names - name.cell_len
        duration = Text(f"{format_duration(scenario.duration):>{self._durations + 2 + max(0, room)}}")
        verdict = verdict_word(scenario.verdict)
        verdict.pad_right(self.indent - len(verdict))
        return _Line([Text.assemble(name, duration)], indent=self.indent, first=verdict)


def _details(scenario: ScenarioResult, indent: int) -> Iterator[RenderableType]:
    if scenario.reason is not None:
        yield _Line([plain(scenario.reason)], indent=indent)
    alone = len(scenario.steps) == 1
    for step in scenario.steps:
        if alone and step.verdict is Verdict.PASS:  # its name would only say again what the scenario's does
            yield from _step_details(step, indent)
        else:
            yield _step_head(step, indent, alone=alone)
            yield from _step_details(step, indent + 2)
    yield from _kept(scenario.evidence, indent)


def _step_head(step: StepResult, indent: int, *, alone: bool) -> RenderableType:
    parts = [plain(step.name)]
    if not alone:
        parts.append(Text(format_duration(step.duration), style="dim"))
        if step.verdict is not Verdict.PASS:
            parts.append(verdict_word(step.verdict))
    return _Line(parts, indent=indent, between="  ")


def _step_details(step: StepResult, indent: int) -> Iterator[RenderableType]:
    if step.reason is not None:
        yield _Line([plain(step.reason)], indent=indent)
    missed = [judged for judged in step.expectations if judged.verdict is not Verdict.PASS]
    width = max((len(judged.metric) for judged in missed), default=0)
    for judged in missed:
        style = "red" if judged.verdict is Verdict.FAIL else ""
        metric = plain(f"{judged.metric:{width}}  ", style)
        yield _Line([plain(outcome(judged))], indent=indent + len(metric), first=Text.assemble(" " * indent, metric))
    held = [_held(judged) for judged in step.expectations if judged.verdict is Verdict.PASS]
    if held:
        yield _Line(held, indent=indent, between=" · ")
    if step.verdict is not Verdict.PASS:
        yield from _findings(step, indent)
    for note in step.notes:
        yield _Line([plain(f"note: {note}", "dim")], indent=indent)
    yield from _kept(step.evidence, indent)


def _held(judged: Judged) -> Text:
    """A kept expectation reads as what is true: `latency.p95 3.1 ms < 50 ms`, `ordering.gaps 0`."""
    bound = "" if judged.bound.startswith("=") else f" {judged.bound}"
    return Text.assemble(plain(judged.metric, "dim"), f" {observed(judged)}", plain(bound, "dim"))


def _findings(step: StepResult, indent: int) -> Iterator[RenderableType]:
    for finding in step.findings[:FINDINGS_SHOWN]:
        yield _Line([Text.assemble(plain(finding.kind, "red"), plain(f": {finding.message}"))], indent=indent)
    rest = len(step.findings) - FINDINGS_SHOWN
    if rest > 0:
        yield _Line([Text(f"… and {rest} more (result.json of --out lists them)", style="dim")], indent=indent)


def _kept(files: Sequence[str], indent: int) -> Iterator[RenderableType]:
    if files:
        yield _Line([Text("kept:"), *(plain(file) for file in files)], indent=indent, between=" ")

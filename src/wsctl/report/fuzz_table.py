"""What came of fuzzing, for people: the calm first, what failed last, where they look first."""

from collections.abc import Iterator, Sequence
from shlex import quote

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from wsctl.fuzz import sketch
from wsctl.fuzz.probe import Verdict as CaseVerdict
from wsctl.fuzz.result import Failure, FuzzResult, Generated, ProbeResult
from wsctl.model.expectation import shown
from wsctl.report.fuzz_words import case_verdict, tally
from wsctl.report.judged import outcome
from wsctl.report.words import counted, plain, verdict_mark, verdict_word
from wsctl.spec.units import format_duration

_ORDER = list(CaseVerdict)


class FuzzTable:
    """A line for each probe, more for one that failed; what was generated; counts and the verdict."""

    def __init__(self, result: FuzzResult, command: str) -> None:
        """`command` plays against the same target again; what to play is put behind it."""
        self._result = result
        self._command = command

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        result = self._result
        if result.probes:
            yield from _probes(sorted(result.probes, key=lambda one: _ORDER.index(one.verdict)))
            yield Text()
        if result.generated is not None and result.generated.failures:
            for failure in result.generated.failures:
                yield from self._failure(failure)
            yield Text()
        yield from self._counts()
        for note in result.notes:
            yield plain(f"note: {note}", "dim")
        for judged in result.expectations:
            yield Text.assemble(verdict_mark(judged.verdict), " ", plain(judged.metric), "  ", plain(outcome(judged)))
        if result.reason is not None:
            yield plain(result.reason)
        yield Text.assemble("verdict: ", verdict_word(result.verdict), " (interrupted)" if result.interrupted else "")

    def _counts(self) -> Iterator[RenderableType]:
        result, metrics = self._result, self._result.metrics
        yield plain(f"target: {result.target}  seed: {result.seed}  {format_duration(result.duration)}")
        if result.probes:
            yield Text(f"{counted(len(result.probes), 'probe')}: {tally(result.counts)}", style="bold")
        if result.generated is not None:
            yield Text(_generated(result.generated), style="bold")
        if failed := [one.id for one in result.probes if one.verdict is CaseVerdict.FAILED]:
            yield _again(f"{self._command} --probe {','.join(failed)}")
        if "canary.time.p95" in metrics:
            p95, most = (shown("canary.time.p95", metrics[f"canary.time.{name}"]) for name in ("p95", "max"))
            yield Text(f"a connection beside them was answered within {p95} (p95), {most} at most", style="dim")

    def _failure(self, failure: Failure) -> Iterator[RenderableType]:
        """Its steps in words, and how to play it again."""
        grid = _grid()
        steps = [plain(f"{at}. {sketch.words(step)}") for at, step in enumerate(failure.case.steps, 1)]
        harms = [plain(harm, "red") for harm in failure.harms]
        ending = plain(f"{failure.ending}; {_size(failure)}", "dim")
        grid.add_row(case_verdict(CaseVerdict.FAILED), "generated", Text("\n").join([*steps, ending, *harms]))
        yield grid
        if failure.repro is not None:
            yield _again(f"{self._command} --repro {quote(failure.repro)}")


def _probes(results: Sequence[ProbeResult]) -> Iterator[RenderableType]:
    """A line for each that passed, a few for each of the others."""
    passed, others = _grid(), _grid()
    passed.add_column(no_wrap=True)
    for one in results:
        if one.verdict is CaseVerdict.PASSED:
            title = plain(one.title)
            title.no_wrap, title.overflow = True, "ellipsis"
            ending = one.ending.partition(" (")[0]  # the reason that a close gives can be read in result.json
            passed.add_row(case_verdict(one.verdict), one.id, title, plain(ending, "dim"))
        else:
            others.add_row(case_verdict(one.verdict), one.id, Text("\n").join([plain(one.title), *_told(one)]))
    yield from (grid for grid in (passed, others) if grid.row_count)


def _grid() -> Table:
    """Verdict, id, and something to be read."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _told(result: ProbeResult) -> Iterator[Text]:
    """How it ended, what was expected, and of one that failed what is needed to look into it."""
    if result.verdict is CaseVerdict.INCONCLUSIVE:
        yield plain(result.reason or result.ending, "dim")
        return
    case = f"{result.case}: " if result.case else ""
    failed = result.verdict is CaseVerdict.FAILED
    yield plain(case + result.ending, "red" if failed and not result.harms else "")
    for harm in result.harms:
        yield plain(harm, "red")
    yield plain(f"expected {result.expected}", "dim")
    if failed:
        yield plain(result.source, "dim")
        if result.sent:
            yield plain(f"sent {result.sent}…", "dim")


def _generated(generated: Generated) -> str:
    failed = counted(len(generated.failures), "failure")
    why = "" if generated.reason is None else f"; {generated.reason}"
    return f"{counted(generated.cases, 'generated case')}: {failed}{why}"


def _size(failure: Failure) -> str:
    steps, before = len(failure.case.steps), failure.shrunk_from
    small = f"shrunk from {before} steps" if steps < before else counted(steps, "step")
    return small if failure.again else f"{small}; it did not harm each time"


def _again(command: str) -> Text:
    """On one line, however long: it is to be copied."""
    return Text.assemble(("again: ", "dim"), plain(command), no_wrap=True, overflow="ignore")

"""Words that every report uses, and texts from outside made safe for a terminal."""

from rich.text import Text

from wsctl.model.finding import Verdict
from wsctl.spec.units import format_duration

_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.ERROR: "bold magenta",
    Verdict.INVALID: "yellow",
    Verdict.UNVERIFIABLE: "yellow",
    Verdict.SKIPPED: "cyan",
}
_MARKS = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.ERROR: "✗",
    Verdict.INVALID: "!",
    Verdict.UNVERIFIABLE: "?",
    Verdict.SKIPPED: "-",
}
_PARTICIPLES = {Verdict.PASS: "passed", Verdict.FAIL: "failed"}


def printable(text: str) -> str:
    """A text from outside on one line: its control characters are not for the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def plain(text: str, style: str = "") -> Text:
    """The same, for Rich; nothing in it is markup."""
    return Text(printable(text), style=style)


def verdict_word(verdict: Verdict) -> Text:
    """The verdict in its colour."""
    return Text(verdict.value, style=_STYLES[verdict])


def verdict_mark(verdict: Verdict) -> Text:
    """The verdict in one column."""
    return Text(_MARKS[verdict], style=_STYLES[verdict])


def so_many(number: int, verdict: Verdict) -> str:
    """`7 passed`, `1 error`, `2 skipped`."""
    if verdict is Verdict.ERROR:
        return counted(number, "error")
    return f"{number} {_PARTICIPLES.get(verdict, verdict.value)}"


def counted(number: int, noun: str) -> str:
    """`1 gap`, `2,000 gaps`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def whole_seconds(elapsed: float) -> str:
    """Time that passes while one looks: anything finer would only flicker."""
    return f"{int(elapsed)} s" if elapsed < 60 else format_duration(int(elapsed))

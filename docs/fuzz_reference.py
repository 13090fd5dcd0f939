"""The part of docs/fuzz.md that comes out of code: the catalogue."""

from msgspec import structs
from scenario_reference import table

from wsctl.fuzz.catalogue import PROBES
from wsctl.fuzz.ending import Safe
from wsctl.fuzz.probe import GROUPS, HEARTBEAT, Probe

BEGIN, END = "<!-- the catalogue, written by `make docs` -->", "<!-- end of the catalogue -->"


def with_catalogue(page: str) -> str:
    """The page, with what stands between the two marks written anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    parts = [f"### {group}\n\n{_group(group)}" for group in GROUPS]
    return before + "\n\n".join([BEGIN, *parts, END]) + after


def _group(name: str) -> str:
    head = ("id", "what is done", "source", "attacks", "safe endings", "within")
    return table(head, (_row(probe) for probe in PROBES if probe.group == name))


def _safe(ending: Safe) -> str:
    """In words; what it is to say is a regular expression."""
    if ending.says is None:
        return str(ending)
    return f"{structs.replace(ending, says=None)} and says `{ending.says}`"


def _row(probe: Probe) -> tuple[str, ...]:
    safe = " or ".join(map(_safe, probe.safe)).replace("|", "\\|")
    within = "a heartbeat" if probe.deadline == HEARTBEAT else f"{probe.deadline:g} s"
    return probe.id, probe.title, probe.source, f"{probe.attacks}s", safe, within

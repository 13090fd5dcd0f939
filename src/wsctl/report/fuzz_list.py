"""The catalogue of probes, for people and for scripts."""

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from wsctl.fuzz.probe import HEARTBEAT, Probe
from wsctl.report.words import counted, plain


class ProbeList:
    """A table by groups."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = probes

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for (group, attacks), probes in groupby(self._probes, key=lambda one: (one.group, one.attacks)):
            yield Text(group if attacks == "server" else f"{group}, against clients (--serve)", style="bold")
            yield _rows(probes)
        yield Text()
        yield Text(counted(len(self._probes), "probe"))


def _rows(probes: Iterable[Probe]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, min_width=7)
    table.add_column(overflow="fold")
    table.add_column()
    for probe in probes:
        source = plain(probe.source, "dim")
        source.no_wrap, source.overflow = True, "ellipsis"
        table.add_row(f"  {probe.id}", plain(probe.title), source)
    return table


def list_json(probes: Sequence[Probe]) -> bytes:
    """For scripts. `deadline` in seconds; null: as long as the server may take to miss a heartbeat."""
    return json.dumps([_described(probe) for probe in probes], ensure_ascii=False, indent=2).encode()


def _described(probe: Probe) -> dict[str, Any]:
    return {
        "id": probe.id,
        "title": probe.title,
        "group": probe.group,
        "source": probe.source,
        "symptom": probe.symptom,
        "fixed": probe.fixed or None,
        "attacks": probe.attacks,
        "needs": probe.needs,
        "cases": len(probe.cases),
        "safe": [str(one) for one in probe.safe],
        "deadline": None if probe.deadline == HEARTBEAT else probe.deadline,
    }

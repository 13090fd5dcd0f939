"""Scenarios run by the program, each in a folder of its own."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.cli.program import Result, wsctl


class Done(NamedTuple):
    """A run that ended, and what it left in its folder; reports are in `results`."""

    result: Result
    folder: Path

    @property
    def code(self) -> int:
        """Its exit code."""
        return self.result.code

    @property
    def report(self) -> dict[str, Any]:
        """result.json."""
        return read_report(self.folder)

    @property
    def steps(self) -> dict[str, dict[str, Any]]:
        """The steps of all scenarios in it, by name."""
        return {step["name"]: step for scenario in self.report["scenarios"] for step in scenario["steps"]}

    @property
    def left(self) -> set[str]:
        """Files under `results`."""
        out = self.folder / "results"
        return {str(file.relative_to(out)) for file in out.rglob("*") if file.is_file()}


def read_report(folder: Path) -> dict[str, Any]:
    """result.json of a run in a folder."""
    report: dict[str, Any] = json.loads((folder / "results" / "result.json").read_text())
    return report


def run(
    folder: Path,
    text: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    by: Callable[..., Result] = wsctl,
) -> Done:
    """Run a scenario to the end, or several, parted by `---`."""
    for number, scenario in enumerate(text.split("---\n")):
        (folder / f"s{number}.yaml").write_text(scenario)
    return Done(by("run", ".", "--out", "results", *arguments, cwd=folder, env=env), folder)

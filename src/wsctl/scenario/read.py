"""Scenario files: found, read, expanded, typed and checked; whatever is wrong is said before anything starts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from msgspec import Struct

from wsctl.errors import UsageError
from wsctl.scenario.check import check
from wsctl.scenario.expand import expand
from wsctl.scenario.spec import ScenarioSpec
from wsctl.spec.document import Document
from wsctl.spec.loader import read_yaml
from wsctl.spec.nearest import nearest
from wsctl.spec.typed import build

SUFFIXES = (".yaml", ".yml")


class Scenario(Struct, frozen=True):
    """A scenario that makes sense, and the document it was read from."""

    spec: ScenarioSpec
    document: Document

    @property
    def name(self) -> str:
        """Its name; unique in a run."""
        return self.spec.name

    @property
    def file(self) -> str:
        """Where it was read from, as it was named."""
        return self.document.file


def read_scenarios(paths: Sequence[Path], environ: Mapping[str, str]) -> list[Scenario]:
    """The scenarios of files and folders, in the order given; of a folder, by file name. No path: the shipped suite.

    Raises UsageError, with file, line and column, for the first thing that is wrong.
    """
    scenarios = [scenario for file, shown in _find(paths) for scenario in _read(file, shown, environ)]
    seen: dict[str, Scenario] = {}
    for scenario in scenarios:
        other = seen.setdefault(scenario.name, scenario)
        if other is not scenario:
            message = f"scenario {scenario.name!r} is there twice; first in {other.document.where(('name',))}"
            raise scenario.document.value_error(("name",), message)
    return scenarios


def tagged(scenarios: Iterable[Scenario], tags: Sequence[str]) -> list[Scenario]:
    """Those that have one of the tags; all where no tag is asked for. Raises UsageError for a tag that none has."""
    chosen = list(scenarios)
    if not tags:
        return chosen
    known = sorted({tag for scenario in chosen for tag in scenario.spec.tags})
    for tag in tags:
        if tag not in known:
            close = nearest(tag, known)
            hint = f"did you mean {close}?" if close else f"there are: {', '.join(known)}" if known else None
            raise UsageError(f"no scenario has the tag {tag!r}", hint=hint)
    return [scenario for scenario in chosen if set(tags) & set(scenario.spec.tags)]


def _read(file: Path, shown: str, environ: Mapping[str, str]) -> Iterator[Scenario]:
    document = read_yaml(file, shown=shown)
    if document.data is None:
        raise UsageError(f"{shown}:1:1: the file is empty; expected a scenario", hint="docs/scenarios.md shows one")
    for expanded in expand(document, environ):
        spec = build(expanded, (), ScenarioSpec)
        check(expanded, spec)
        yield Scenario(spec, expanded)


def _find(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Files, and how messages name them."""
    if not paths:
        suite = shipped_suite()
        for file in _in_folder(suite):
            yield file, f"scenarios/{file.name}"
    for path in paths:
        if path.is_dir():
            found = _in_folder(path)
            if not found:
                raise UsageError(f"no scenario in {path}; expected files that end in {' or '.join(SUFFIXES)}")
            for file in found:
                yield file, str(file)
        elif path.exists():
            yield path, str(path)
        else:
            close = nearest(path.name, [other.name for other in _siblings(path)])
            hint = f"did you mean {path.parent / close}?" if close else None
            raise UsageError(f"there is no {path}", hint=hint)


def _siblings(path: Path) -> list[Path]:
    return [file for file in path.parent.iterdir() if file.suffix in SUFFIXES] if path.parent.is_dir() else []


def _in_folder(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES and file.is_file())


def shipped_suite() -> Path:
    """The folder of the suite: in the wheel beside the package's rooms, in a working copy at its top."""
    packaged = Path(str(files("wsctl"))) / "scenarios"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "scenarios"

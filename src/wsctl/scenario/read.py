"""Scenario files: found, read, expanded, typed and checked; whatever is wrong is said before anything starts."""

from collections.abc import Iterator, Mapping, Sequence
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
ASIDE = ("chaos", "fuzz", "load")
"""folders of the shipped suite that are run by their tags only"""


class Scenario(Struct, frozen=True):
    """A scenario that makes sense, and the document it was read from."""

    spec: ScenarioSpec
    document: Document
    folder: Path
    """that it was read from: names of files in it begin there"""

    @property
    def name(self) -> str:
        """Its name; unique in a run."""
        return self.spec.name

    @property
    def file(self) -> str:
        """Where it was read from, as it was named."""
        return self.document.file


def read_documents(paths: Sequence[Path], tags: Sequence[str] = ()) -> list[Document]:
    """The files and those of the folders, in the order given; of a folder, by name. No path: the shipped suite.

    With tags, those that have one of them: nothing else of the others is looked at. Only so the suite has those that
    stand ASIDE: they fill a machine, attack their server, or take long. Raises UsageError for what is no file, is empty
    or not YAML, and for a tag that none has.
    """
    return [document for document, _ in _read_all(paths, tags)]


def _read_all(paths: Sequence[Path], tags: Sequence[str]) -> list[tuple[Document, Path]]:
    """The documents, each with the folder of its file."""
    documents = [(_read(file, shown), file.parent) for file, shown in _find(paths, aside=bool(tags))]
    known = sorted({tag for document, _ in documents for tag in tags_of(document)})
    for tag in tags:
        if tag not in known:
            close = nearest(tag, known)
            hint = f"did you mean {close}?" if close else f"there are: {', '.join(known)}" if known else None
            raise UsageError(f"no scenario has the tag {tag!r}", hint=hint)
    return [read for read in documents if not tags or set(tags) & set(tags_of(read[0]))]


def read_scenarios(paths: Sequence[Path], environ: Mapping[str, str], tags: Sequence[str] = ()) -> list[Scenario]:
    """The scenarios of `read_documents`. Raises UsageError, with its place, for the first thing that is wrong."""
    documents = _read_all(paths, tags)
    scenarios = [one for document, folder in documents for one in _scenarios(document, folder, environ)]
    seen: dict[str, Scenario] = {}
    for scenario in scenarios:
        other = seen.setdefault(scenario.name, scenario)
        if other is not scenario:
            message = f"scenario {scenario.name!r} is there twice; first in {other.document.where(('name',))}"
            raise scenario.document.value_error(("name",), message)
    return scenarios


def tags_of(document: Document) -> list[str]:
    """A file's tags, read no further than that."""
    tags = document.data.get("tags") if isinstance(document.data, dict) else None
    if isinstance(tags, str):
        return [tag.strip() for tag in tags.split(",")]
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _read(file: Path, shown: str) -> Document:
    document = read_yaml(file, shown=shown)
    if document.data is None:
        raise UsageError(f"{shown}:1:1: the file is empty; expected a scenario", hint="docs/scenarios.md shows one")
    return document


def _scenarios(document: Document, folder: Path, environ: Mapping[str, str]) -> Iterator[Scenario]:
    for expanded in expand(document, environ):
        spec = build(expanded, (), ScenarioSpec)
        check(expanded, spec, folder)
        yield Scenario(spec, expanded, folder)


def _find(paths: Sequence[Path], *, aside: bool) -> Iterator[tuple[Path, str]]:
    """Files, and how messages name them. `aside`: those of the shipped suite, too, that stand aside."""
    if not paths:
        suite = shipped_suite()
        for folder in (suite, *(suite / name for name in ASIDE if aside)):
            for file in _in_folder(folder):
                yield file, f"scenarios/{file.relative_to(suite)}"
    for path in paths:
        try:
            found = _in_folder(path) if path.is_dir() else [path]
            if not path.exists():
                raise UsageError(f"there is no {path}", hint=_did_you_mean(path))
        except OSError as error:
            raise UsageError(f"{path} cannot be looked at: {(error.strerror or str(error)).lower()}") from error
        if not found:
            raise UsageError(f"no scenario in {path}; expected files that end in {' or '.join(SUFFIXES)}")
        for file in found:
            yield file, str(file)


def _did_you_mean(path: Path) -> str | None:
    """By the names alone: endings are alike anyway."""
    others = {file.stem: file for file in _in_folder(path.parent)} if path.parent.is_dir() else {}
    close = nearest(path.stem, others)
    return f"did you mean {others[close]}?" if close else None


def _in_folder(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES and file.is_file())


def shipped_suite() -> Path:
    """The folder of the suite: in the wheel beside the package's rooms, in a working copy at its top."""
    packaged = Path(str(files("wsctl"))) / "scenarios"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "scenarios"

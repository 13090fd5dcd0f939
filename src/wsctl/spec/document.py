"""A read document: plain data that knows the place of everything in it. The reader is `wsctl.spec.loader`."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from wsctl.errors import UsageError
from wsctl.spec.nearest import nearest

Path = tuple[str | int, ...]
"""Where a value is in a document: keys and indexes from the root, such as `("steps", 0, "name")`."""


class Filled(str):
    """What a variable was filled with: a text where one is wanted, else what YAML would read it as."""

    __slots__ = ()


class Mark(Struct, frozen=True):
    """A place in a file; both count from 1, as editors do."""

    line: int
    column: int


class Document(Struct, frozen=True):
    """Plain data (dict, list, str, int, float, bool, None) and the place of every key and value in it.

    Without any place it is no file but was said, and `file` is what it is called.
    """

    file: str
    data: Any
    keys: Mapping[Path, Mark]
    values: Mapping[Path, Mark]

    def at(self, path: Path) -> Any:
        """The value at a path that is there."""
        value = self.data
        for step in path:
            value = value[step]
        return value

    def where(self, path: Path) -> str:
        """`file:line:column` of a value, or of the nearest thing around it that is there."""
        return self._place(path, self.values)

    def key_error(self, path: Path, message: str, *, hint: str | None = None) -> UsageError:
        """An error about a mapping's key: its place, then the message."""
        return UsageError(f"{self._place(path, self.keys)}: {message}", hint=hint)

    def value_error(self, path: Path, message: str, *, hint: str | None = None) -> UsageError:
        """An error about a value: its place, then the message."""
        return UsageError(f"{self.where(path)}: {message}", hint=hint)

    def _place(self, path: Path, marks: Mapping[Path, Mark]) -> str:
        if not self.values:
            return self.file
        while path and path not in marks:
            path = path[:-1]
        mark = marks.get(path) or Mark(1, 1)
        return f"{self.file}:{mark.line}:{mark.column}"


def check_keys(document: Document, path: Path, known: Iterable[str]) -> dict[str, Any]:
    """The mapping at a path, once each of its keys is a known name.

    Raises UsageError at the offending key, with the nearest known name.
    """
    value = document.at(path)
    if not isinstance(value, dict):
        raise document.value_error(path, f"{name_of(path)} is {kind_of(value)}; expected a mapping of keys")
    names = tuple(known)
    for key in value:
        if key not in names:
            raise document.key_error((*path, key), f"unknown key {key!r} in {name_of(path)}", hint=_hint(key, names))
    return value


def kind_of(value: Any) -> str:
    """What a value is, in words for people."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds = {dict: "a mapping", list: "a list", str: "a text", int: "a number", float: "a number"}
    return next(words for kind, words in kinds.items() if isinstance(value, kind))


def name_of(path: Path) -> str:
    """What messages call a value: `steps[0].subscribe.clients`; the root is `the document`."""
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return name.removeprefix(".") or "the document"


def _hint(key: str, known: tuple[str, ...]) -> str:
    close = nearest(key, known)
    return f"did you mean {close}?" if close else f"known: {', '.join(known)}"

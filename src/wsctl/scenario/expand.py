"""Before a scenario is typed: `${VARIABLES}` filled in, the matrix multiplied out, defaults handed to the steps.

All of it on plain data, places kept: a message about a value that came from `defaults` points there.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import structs

from wsctl.scenario.spec import COMMAND_SPECS
from wsctl.spec.document import Document, Filled, Mark, Path, kind_of
from wsctl.spec.nearest import nearest
from wsctl.spec.variables import Lookup, fill, from_environment, shown

_MATRIX = re.compile(r"matrix\.(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)
_MOST_COMBINATIONS = 100


def expand(document: Document, environ: Mapping[str, str]) -> Iterator[Document]:
    """The scenarios that a file stands for: one, or one per combination of its matrix.

    Raises UsageError for a variable that is not set and has no default, a bad matrix, and bad defaults.
    """
    for combination in _combinations(document, environ):
        yield _with_defaults(_filled(document, environ, combination))


def _combinations(document: Document, environ: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    matrix = document.data.get("matrix") if isinstance(document.data, dict) else None
    if matrix is None:
        yield {}
        return
    if not isinstance(matrix, dict) or not matrix:
        raise document.value_error(("matrix",), f"matrix is {_kind(matrix)}; expected names with lists of values")
    for name, values in matrix.items():
        if not isinstance(values, list) or not values:
            raise document.value_error(("matrix", name), f"matrix.{name} is {_kind(values)}; expected a list of values")
    count = 1
    for values in matrix.values():
        count *= len(values)
    if count > _MOST_COMBINATIONS:
        raise document.key_error(
            ("matrix",), f"the matrix has {count} combinations; at most {_MOST_COMBINATIONS} are run"
        )
    lookup = _lookup(document, environ, {})
    filled = fill(matrix, ("matrix",), lookup)
    for values in itertools.product(*filled.values()):
        yield dict(zip(matrix, values, strict=True))


def _filled(document: Document, environ: Mapping[str, str], combination: Mapping[str, Any]) -> Document:
    """The document with its variables filled in; the matrix gone, and in the name which combination it is."""
    data = fill(document.data, (), _lookup(document, environ, combination))
    if combination:
        del data["matrix"]
        if isinstance(data.get("name"), str):
            which = ", ".join(f"{name} {shown(value)}" for name, value in combination.items())
            data["name"] = f"{data['name']} ({which})"
    return structs.replace(document, data=data)


def _kind(value: Any) -> str:
    return "empty" if value in ({}, []) else kind_of(value)


def _lookup(document: Document, environ: Mapping[str, str], combination: Mapping[str, Any]) -> Lookup:
    environment = from_environment(document, environ)

    def find(path: Path, expression: str) -> Any:
        match = _MATRIX.fullmatch(expression)
        if match is None:
            return environment(path, expression)
        name, default = match["name"], match["default"]
        if name in combination:
            return combination[name]
        if default is not None:
            return Filled(default)
        what = "is not in the matrix" if combination else "stands for nothing here; matrix gives values to names"
        raise document.value_error(path, f"${{matrix.{name}}} {what}", hint=_did_you_mean(name, combination))

    return find


def _did_you_mean(name: str, combination: Iterable[str]) -> str | None:
    close = nearest(f"matrix.{name}", [f"matrix.{known}" for known in combination])
    return f"did you mean {close}?" if close else None


def _with_defaults(document: Document) -> Document:
    """Hand `defaults` to each step whose command knows the option and was not given it."""
    data = document.data
    defaults = data.get("defaults") if isinstance(data, dict) else None
    if defaults is None:
        return document
    known = {name: {option.encode_name for option in structs.fields(spec)} for name, spec in COMMAND_SPECS.items()}
    if not isinstance(defaults, dict):
        raise document.value_error(("defaults",), f"defaults is {kind_of(defaults)}; expected options of steps")
    for option in defaults:
        if not any(option in options for options in known.values()):
            close = nearest(option, set().union(*known.values()))
            raise document.key_error(
                ("defaults", option),
                f"unknown key {option!r} in defaults; no step has such an option",
                hint=f"did you mean {close}?" if close else None,
            )
    keys, values = dict(document.keys), dict(document.values)

    def inherit(path: Path, options: dict[str, Any], allowed: set[str]) -> dict[str, Any]:
        inherited = {name: value for name, value in defaults.items() if name in allowed and name not in options}
        for name in inherited:
            _move(keys, ("defaults", name), (*path, name))
            _move(values, ("defaults", name), (*path, name))
        return {**inherited, **options}

    steps = _steps_with(data.get("steps"), ("steps",), known, inherit)
    return Document(document.file, {**data, "steps": steps}, keys, values)


def _steps_with(steps: Any, path: Path, known: Mapping[str, set[str]], inherit: Callable[..., Any]) -> Any:
    if not isinstance(steps, list):
        return steps  # not what it should be: told when it is typed
    changed = []
    for index, step in enumerate(steps):
        if isinstance(step, dict):
            step = {
                key: inherit((*path, index, key), value or {}, known[key])
                if key in known and (value is None or isinstance(value, dict))
                else _steps_with(value, (*path, index, key), known, inherit)
                if key == "parallel"
                else value
                for key, value in step.items()
            }
        changed.append(step)
    return changed


def _move(marks: dict[Path, Mark], source: Path, target: Path) -> None:
    """The places of a value, and of all inside it, under its new path as well."""
    depth = len(source)
    for path, mark in list(marks.items()):
        if path[:depth] == source:
            marks[(*target, *path[depth:])] = mark

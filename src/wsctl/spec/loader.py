"""YAML with the place of everything in it: each message about a file can say `file:line:column`.

Read as YAML 1.2's core schema reads it, not as YAML 1.1: `on`, `no` and `y` are symbols, `1:30` and
`2026-01-02` are texts, and mapping keys are texts as written. A key given twice is an error, and so is a merge
key (`<<`).
"""

import re
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

import yaml

from wsctl.errors import UsageError
from wsctl.spec.document import Document, Mark, Path

MAX_NODES = 100_000
"""values in one document, aliases counted as often as they are used (a few lines can stand for billions)"""


def read_yaml(path: File, *, shown: str | None = None) -> Document:
    """Load a file; messages name it as `shown`. Raises UsageError when it cannot be read or is not YAML."""
    name = shown or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8 text: byte {error.start} makes no sense") from error
    return load_yaml(text, name)


def load_yaml(text: str, file: str) -> Document:
    """Load one YAML document; an empty one is None.

    Raises UsageError, `file:line:column: what is wrong`, for bad YAML, a key given twice, an unknown tag, or
    more values than `MAX_NODES`.
    """
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return _Builder(file).document(node)
    except yaml.MarkedYAMLError as error:
        raise _translate(error, file) from error
    except yaml.YAMLError as error:
        raise UsageError(f"{file}:1:1: not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise UsageError(f"{file}:1:1: nested too deeply") from error
    finally:
        if loader is not None:
            loader.dispose()


def read_scalar(text: str) -> Any:
    """What a plain text means as a YAML value: a number, true or false, nothing, or the text itself."""
    tag = _Loader("").resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    try:
        return _scalar(tag, text)
    except (ValueError, KeyError):
        return text


def _translate(error: yaml.MarkedYAMLError, file: str) -> UsageError:
    mark = error.problem_mark or error.context_mark
    place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
    said = ", ".join(text for text in (error.problem, error.context) if text)
    return UsageError(f"{file}:{place}: {' '.join(said.split())}", hint=_hint(said))


def _hint(said: str) -> str | None:
    """What people meant who write bounds and variables."""
    if "while scanning a block scalar" in said or "found character '>'" in said:
        return "a text that begins with > is put in quotes"
    if "but got '{'" in said:
        return "between { } or [ ] a ${VARIABLE} is put in quotes"
    return None


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the implicit types of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's way)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), list(_first))


class _Builder:
    """Turns PyYAML's nodes into plain data, noting places on the way."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._keys: dict[Path, Mark] = {}
        self._values: dict[Path, Mark] = {(): Mark(1, 1)}
        self._open: set[int] = set()

    def document(self, root: yaml.Node | None) -> Document:
        data = None if root is None else self._build(root, ())
        return Document(self._file, data, self._keys, self._values)

    def _build(self, node: yaml.Node, path: Path) -> Any:
        self._values[path] = _mark(node)
        if len(self._values) > MAX_NODES:
            raise self._error(node, f"more than {MAX_NODES:,} values, aliases counted as often as used")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            raise self._error(node, "an alias that contains itself")
        self._open.add(id(node))
        built = self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._sequence(node, path)
        self._open.discard(id(node))
        return built

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text: str = node.value
        try:
            return _scalar(node.tag, text)
        except _UnknownTag as error:
            hint = "a text that begins with ! is put in quotes" if node.tag.startswith("!") else None
            raise self._error(node, f"unknown tag {node.tag}", hint=hint) from error
        except (ValueError, KeyError) as error:
            raise self._error(node, f"{text[:40]!r} does not fit its type") from error

    def _sequence(self, node: yaml.Node, path: Path) -> list[Any]:
        if not isinstance(node, yaml.SequenceNode) or node.tag != "tag:yaml.org,2002:seq":
            raise self._error(node, f"unknown tag {node.tag}")
        return [self._build(child, (*path, index)) for index, child in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        if node.tag != "tag:yaml.org,2002:map":
            raise self._error(node, f"unknown tag {node.tag}")
        built: dict[str, Any] = {}
        for key, key_node, value_node in self._pairs(node):
            if key in built:
                first = self._keys[(*path, key)]
                raise self._error(key_node, f"key {key!r} is given twice; first on line {first.line}")
            self._keys[(*path, key)] = _mark(key_node)
            built[key] = self._build(value_node, (*path, key))
        return built

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, "a key that is not a text")
            if key_node.value == "<<" and key_node.style is None:
                raise self._error(key_node, "merge keys (<<) are not read; repeat the keys, or use an alias")
            yield key_node.value, key_node, value_node

    def _error(self, node: yaml.Node, message: str, *, hint: str | None = None) -> UsageError:
        mark = _mark(node)
        return UsageError(f"{self._file}:{mark.line}:{mark.column}: {message}", hint=hint)


class _UnknownTag(Exception):
    """A tag that is not of the core schema."""


def _scalar(tag: str, text: str) -> Any:
    """By hand, as PyYAML's constructors are those of YAML 1.1 (010 is 8) and fail oddly on bad values."""
    match tag.removeprefix("tag:yaml.org,2002:"):
        case "str":
            return text
        case "null":
            return None
        case "bool":
            return {"true": True, "false": False}[text.lower()]
        case "int":
            return int(text, {"0x": 16, "0o": 8}.get(text[:2], 10))
        case "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    raise _UnknownTag(tag)


def _mark(node: yaml.Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)

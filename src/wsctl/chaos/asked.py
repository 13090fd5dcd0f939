"""Faults as they are asked for: on the command line, in YAML, over HTTP. All end in an `Asked`, or in a clear error."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from wsctl.chaos.fault import FaultSpec
from wsctl.chaos.faults import FAULTS
from wsctl.errors import UsageError
from wsctl.spec.document import Document
from wsctl.spec.document import Path as Place
from wsctl.spec.loader import read_scalar, read_yaml
from wsctl.spec.nearest import nearest
from wsctl.spec.typed import build, written

_NEXT = re.compile(r",(?=\s*\w+\s*=)")
"""between two options; a value may have commas of its own"""


class Asked(Struct, frozen=True):
    """A fault by its name and type, with its options."""

    name: str
    type: str
    spec: FaultSpec

    def __post_init__(self) -> None:
        if self.name in ("", ".", "..") or any(character in self.name for character in "/{}"):
            hint = "names stand in the paths of control: without / { }, and not . or .."
            raise UsageError(f"no fault can be called {self.name!r}; expected another name", hint=hint)


def read_fault(text: str) -> Asked:
    """`drop`, or `drop:channel=symbol:BTC/USDT:ticker,p=0.1`; `name=…` gives it a name. Raises UsageError."""
    kind, _, rest = text.partition(":")
    options = read_options(_NEXT.split(rest) if rest else (), of=text)
    return asked(kind, options, name=options.pop("name", None), where=f"fault {text}")


def read_options(parts: Iterable[str], *, of: str) -> dict[str, Any]:
    """`KEY=VALUE` each, as YAML would read the values. Raises UsageError."""
    options: dict[str, Any] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"fault {of}: {part!r} is no option; expected KEY=VALUE")
        options[key.strip()] = read_scalar(value)
    return options


def read_faults(path: Path) -> list[Asked]:
    """A YAML file with a list of `TYPE: {option: value}`; `name` gives a fault a name. Raises UsageError."""
    document = read_yaml(path)
    if not isinstance(document.data, list):
        raise document.value_error((), "the file is no list; expected faults, such as - drop: {p: 0.01}")
    return [_listed(document, index, entry) for index, entry in enumerate(document.data)]


def _listed(document: Document, index: int, entry: Any) -> Asked:
    if not isinstance(entry, dict) or len(entry) != 1:
        raise document.value_error((index,), "a fault is its type with its options, such as drop: {p: 0.01}")
    ((kind, options),) = entry.items()
    name = (options or {}).pop("name", kind) if isinstance(options, dict | None) else kind
    return Asked(str(name), kind, fault_spec(document, (index, kind), kind))


def asked(type_name: str, options: Mapping[str, Any], *, name: Any = None, where: str = "fault") -> Asked:
    """A fault out of plain data; its name is its type, unless it has one. Raises UsageError."""
    spec = fault_spec(Document(where, {type_name: dict(options)}, {}, {}), (type_name,), type_name)
    return Asked(type_name if name in (None, "") else str(name), type_name, spec)


def fault_spec(document: Document, path: Place, type_name: str) -> FaultSpec:
    """The options of a fault that stand at a place of a document. Raises UsageError for them, and for its type."""
    if type_name not in FAULTS:
        near = nearest(type_name, FAULTS)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(FAULTS)}"
        raise UsageError(f"no fault {type_name!r}", hint=hint)
    return build(document, path, FAULTS[type_name].options)


def as_attributes(spec: FaultSpec) -> dict[str, Any]:
    """A fault's options as plain data, those left out that say nothing; durations with their unit."""
    return written(spec, msgspec.to_builtins(spec))

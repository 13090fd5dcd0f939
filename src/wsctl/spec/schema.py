"""JSON Schema (2020-12) of a typed spec: editors complete and check what `spec.typed` will read.

Written from the declared types, as `typed` is: msgspec's own generator knows nothing of units and variables.
"""

import inspect
import math
from typing import Any, Final

from msgspec import Struct
from msgspec import inspect as mi

from wsctl.spec.kinds import DurationType, NamesType, admitted, alternatives, notes
from wsctl.spec.units import DURATION, write_duration

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_VARIABLE: Final = {"type": "string", "pattern": r"\$\{"}
_KEYWORDS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}


def json_schema(kind: type[Struct]) -> dict[str, Any]:
    """The schema of a spec, each Struct in it a definition. Raises TypeError for what no spec can hold."""
    schemas = _Schemas()
    return {"$schema": DIALECT, **schemas.of(mi.type_info(kind)), "$defs": schemas.definitions}


class _Schemas:
    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}
        self._names: dict[Any, str] = {}

    def of(self, kind: mi.Type) -> dict[str, Any]:
        """The schema of a declared type."""
        return {**notes(kind), **_any_of([self._bare(member) for member in alternatives(kind)])}

    def _bare(self, kind: mi.Type) -> dict[str, Any]:
        admitted(kind)  # raises TypeError for what `typed` would not read
        match kind:
            case mi.AnyType():
                return {}
            case mi.NoneType():
                return {"type": "null"}
            case mi.BoolType():
                return _or_variable({"type": "boolean"})
            case mi.LiteralType(values=known):
                return _or_variable({"enum": list(known)})
            case DurationType():
                return _duration(kind)
            case mi.IntType():
                return _or_variable({"type": "integer", **_bounds(kind)})
            case mi.FloatType():
                return _or_variable({"type": "number", **_bounds(kind)})
            case mi.StrType():
                return {"type": "string", **_lengths(kind, "Length")}
            case NamesType():
                return _any_of([{"type": "string", "minLength": 1}, self._array(kind)])
            case mi.VarTupleType():
                return self._array(kind)
            case mi.DictType():
                values = self.of(kind.value_type)
                return {"type": "object", "additionalProperties": values, **_lengths(kind, "Properties")}
            case mi.StructType():
                required = any(field.required for field in kind.fields)
                return _any_of([self._reference(kind)] if required else [self._reference(kind), {"type": "null"}])
        raise TypeError(f"no schema for {kind!r}")

    def _array(self, kind: mi.VarTupleType) -> dict[str, Any]:
        return {"type": "array", "items": self.of(kind.item_type), **_lengths(kind, "Items")}

    def _reference(self, kind: mi.StructType) -> dict[str, Any]:
        """Defined once, so that a spec may hold itself."""
        name = self._names.get(kind.cls)
        if name is None:
            name = self._names[kind.cls] = self._free_name(kind.cls.__name__)
            self.definitions[name] = {}  # the name is taken while its fields are followed
            self.definitions[name] = self._struct(kind)
        return {"$ref": f"#/$defs/{name}"}

    def _struct(self, kind: mi.StructType) -> dict[str, Any]:
        schema: dict[str, Any] = {"title": kind.cls.__name__}
        if kind.cls.__doc__:
            schema["description"] = inspect.cleandoc(kind.cls.__doc__)
        schema["type"] = "object"
        schema["properties"] = {field.encode_name: {**self.of(field.type), **_default(field)} for field in kind.fields}
        required = [field.encode_name for field in kind.fields if field.required]
        return {**schema, **({"required": required} if required else {}), "additionalProperties": False}

    def _free_name(self, name: str) -> str:
        free, count = name, 1
        while free in self.definitions:
            count += 1
            free = f"{name}{count}"
        return free


def _or_variable(schema: dict[str, Any]) -> dict[str, Any]:
    """Before a spec is read, any scalar in YAML may be a `${VARIABLE}`."""
    return _any_of([schema, _VARIABLE])


def _duration(kind: DurationType) -> dict[str, Any]:
    """Bounds other than those that forbid 0 cannot be said of a text."""
    schemas: list[dict[str, Any]] = [_or_variable({"type": "string", "pattern": f"^(?:0|{DURATION.pattern})$"})]
    if (kind.gt is None or kind.gt < 0) and (kind.ge is None or kind.ge <= 0):
        schemas.append({"type": "integer", "const": 0})
    return _any_of(schemas)


def _any_of(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """One that any of them fits, flat."""
    flat: list[dict[str, Any]] = []
    for schema in schemas:
        flat += [one for one in (schema["anyOf"] if schema.keys() == {"anyOf"} else [schema]) if one not in flat]
    return flat[0] if len(flat) == 1 else {"anyOf": flat}


def _bounds(kind: mi.IntType | mi.FloatType) -> dict[str, Any]:
    return {word: bound for name, word in _KEYWORDS.items() if (bound := getattr(kind, name)) is not None}


def _lengths(kind: Any, what: str) -> dict[str, Any]:
    bounds = {f"min{what}": kind.min_length, f"max{what}": kind.max_length}
    return {word: bound for word, bound in bounds.items() if bound is not None}


def _default(field: mi.Field) -> dict[str, Any]:
    """A plain default as YAML writes it; None is left out, as its key would be."""
    value = field.default
    if isinstance(value, float) and not math.isfinite(value):
        return {}
    if isinstance(value, float) and any(isinstance(kind, DurationType) for kind in alternatives(field.type)):
        return {"default": write_duration(value) if value else 0}
    if isinstance(value, tuple) and all(isinstance(item, str) for item in value):
        return {"default": list(value)}
    return {"default": value} if isinstance(value, str | int | float) else {}

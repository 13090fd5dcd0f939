"""What a field of a spec can be declared as, told by msgspec, with units of ours on top.

A spec is a msgspec Struct of str, int, float, bool, Literal, `T | None`, `dict[str, T]`, `tuple[T, ...]`, Structs,
unions of these, and Any. `Annotated[…, Meta(…)]` adds a description, ge, gt, le, lt, min_length, max_length.
"""

from collections.abc import Iterable
from typing import Annotated, Any

from msgspec import Meta, structs
from msgspec import inspect as mi

Duration = Annotated[float, Meta(extra={"unit": "duration"})]
"""seconds, written as `500ms`, `10s`, `2m`, or 0"""

Names = Annotated[tuple[str, ...], Meta(extra={"unit": "names"})]
"""names, written as a list or as one text with commas"""


class DurationType(mi.FloatType):
    """What `Duration` is declared as."""


class NamesType(mi.VarTupleType):
    """What `Names` is declared as."""


def bare(kind: mi.Type) -> mi.Type:
    """A declared type without its annotations, its unit made a type. Raises TypeError for a unit that does not suit."""
    if not isinstance(kind, mi.Metadata):
        return kind
    unit, inner = (kind.extra or {}).get("unit"), kind.type
    if unit is None:
        return inner
    if unit == "duration" and isinstance(inner, mi.FloatType):
        return DurationType(**structs.asdict(inner))
    if unit == "names" and isinstance(inner, mi.VarTupleType):
        return NamesType(**structs.asdict(inner))
    raise TypeError(f"unit {unit!r} does not suit {type(inner).__name__}")


def alternatives(kind: mi.Type) -> tuple[mi.Type, ...]:
    """The bare members of a union, or the one bare type."""
    kind = bare(kind)
    return tuple(bare(member) for member in kind.types) if isinstance(kind, mi.UnionType) else (kind,)


def notes(kind: mi.Type) -> dict[str, Any]:
    """What annotations tell readers (`description`, `title`, `examples`), around a union or on a member of it."""
    if isinstance(kind, mi.Metadata):
        return {**notes(kind.type), **(kind.extra_json_schema or {})}
    found: dict[str, Any] = {}
    if isinstance(kind, mi.UnionType):
        for member in kind.types:
            found = {**notes(member), **found}
    return found


def admitted(kind: mi.Type) -> tuple[tuple[type, ...], str]:
    """The types of plain data that a bare type takes, and what it expects in words.

    Raises TypeError for what no spec can hold.
    """
    match kind:
        case mi.AnyType():
            return (str, int, float, bool, dict, list, type(None)), "anything"
        case mi.NoneType():
            return (type(None),), "nothing"
        case mi.BoolType():
            return (bool,), "true or false"
        case mi.IntType(multiple_of=None):
            return (int,), "a whole number"
        case DurationType(multiple_of=None):
            return (str, int, float), "a number and a unit, such as 10s"
        case mi.FloatType(multiple_of=None):
            return (int, float), "a number"
        case mi.StrType(pattern=None):
            return (str,), "a text"
        case mi.LiteralType(values=values):
            return tuple({type(value) for value in values}), either(literal(value) for value in values)
        case NamesType():
            return (list, str), "names"
        case mi.VarTupleType():
            return (list,), "a list"
        case mi.StructType(tag=None, array_like=False):
            return (dict, type(None)), "a mapping of keys"  # `pause:` alone is `pause: {}`
        case mi.DictType(key_type=mi.StrType()):
            return (dict,), "a mapping of keys"
    raise TypeError(f"a spec cannot hold {kind!r}")


def literal(value: Any) -> str:
    """A value as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def either(words: Iterable[str]) -> str:
    """`a, b or c`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last

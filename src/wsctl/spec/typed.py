"""From a read document to a typed spec; what is wrong is told with its place and the nearest known name."""

import operator
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec import inspect as mi

from wsctl.errors import UsageError
from wsctl.spec.document import Document, Filled, Path, check_keys, kind_of, name_of
from wsctl.spec.kinds import Duration, DurationType, Names, NamesType, admitted, alternatives, bare, either, literal
from wsctl.spec.loader import read_scalar
from wsctl.spec.nearest import nearest
from wsctl.spec.units import parse_duration, write_duration

__all__ = ["Duration", "Names", "build", "written"]

T = TypeVar("T", bound=Struct)

_BOUNDS: Final = (
    ("ge", "at least", operator.ge),
    ("gt", "more than", operator.gt),
    ("le", "at most", operator.le),
    ("lt", "less than", operator.lt),
)
_LENGTHS: Final = (("min_length", "at least", operator.ge), ("max_length", "at most", operator.le))
_LARGEST: Final = 2.0**63


def build(document: Document, path: Path, kind: type[T]) -> T:
    """The Struct that a mapping of a document stands for.

    A key is what msgspec would encode the field as. `__post_init__` may raise UsageError: its message is given the
    place of the mapping. Raises UsageError for the first thing wrong, TypeError for a Struct that is no spec (`kinds`).
    """
    try:
        built: T = _Builder(document).value(path, document.at(path), mi.type_info(kind))
    except RecursionError as error:
        raise document.value_error(path, f"{name_of(path)} is nested too deeply") from error
    return built


def written(spec: Struct, keys: Iterable[str]) -> dict[str, Any]:
    """Some fields of a spec as a file would say them: variables filled in, durations with their unit."""
    kinds = {field.encode_name: field for field in mi.type_info(type(spec)).fields}  # type: ignore[attr-defined]
    said: dict[str, Any] = {}
    for key in keys:
        value = getattr(spec, kinds[key].name)
        is_duration = any(isinstance(kind, DurationType) for kind in alternatives(kinds[key].type))
        said[key] = write_duration(value) if is_duration and isinstance(value, float) else value
    return said


class _Builder:
    def __init__(self, document: Document) -> None:
        self._document = document

    def value(self, path: Path, value: Any, kind: mi.Type) -> Any:
        """What a value is as a declared type."""
        kind = bare(kind)
        if isinstance(value, Filled):
            value = _as_wanted(value, alternatives(kind))
        if isinstance(kind, mi.UnionType):
            return self._one_of(path, value, kind)
        if type(value) not in admitted(kind)[0]:
            raise self._wrong(path, value, [kind], kind_of(value))
        match kind:
            case DurationType():
                return self._duration(path, value, kind)
            case mi.IntType() | mi.FloatType():
                return self._number(path, value, kind)
            case mi.StrType():
                self._check_length(path, value, kind, "character")
            case mi.LiteralType():
                self._check_literal(path, value, kind)
            case NamesType():
                return self._names(path, value, kind)
            case mi.VarTupleType():
                return self._tuple(path, value, kind)
            case mi.DictType():
                self._check_length(path, value, kind, "entry")
                return {key: self.value((*path, key), item, kind.value_type) for key, item in value.items()}
            case mi.StructType():
                return self._struct(path, value, kind)
        return value

    def _struct(self, path: Path, value: Any, kind: mi.StructType) -> Any:
        fields = {field.encode_name: field for field in kind.fields}
        given = {} if value is None else check_keys(self._document, path, fields)
        for key, field in fields.items():
            if field.required and key not in given:
                raise self._error(path, f"{name_of(path)} lacks {key!r}")
        built = {fields[key].name: self.value((*path, key), item, fields[key].type) for key, item in given.items()}
        try:
            return kind.cls(**built)
        except UsageError as error:
            raise self._error(path, error.message, hint=error.hint) from error

    def _one_of(self, path: Path, value: Any, kind: mi.UnionType) -> Any:
        """Told apart by the type of the value; a text may be one of several (a Literal, a Duration, Names)."""
        members = alternatives(kind)
        named = [member for member in members if not isinstance(member, mi.NoneType)]
        fitting = [member for member in named if type(value) in admitted(member)[0]]
        if value is None and len(named) < len(members) and not fitting:
            return None
        if len(fitting) == 1 or len(named) == 1:
            return self.value(path, value, (fitting or named)[0])
        for member in fitting:
            try:
                return self.value(path, value, member)
            except UsageError:
                continue  # the next one may take it; if none does, the error below names them all
        told = repr(value) if fitting and isinstance(value, str) else kind_of(value)
        raise self._wrong(path, value, named, told)

    def _duration(self, path: Path, value: Any, kind: DurationType) -> float:
        if not isinstance(value, str) and value != 0:
            raise self._wrong(path, value, [kind], kind_of(value))
        try:
            seconds = parse_duration(value) if isinstance(value, str) else 0.0
        except UsageError as error:
            raise self._error(path, f"{name_of(path)}: {error.message}", hint=error.hint) from error
        self._check_bounds(path, value, seconds, kind, write_duration)
        return seconds

    def _number(self, path: Path, value: float, kind: mi.IntType | mi.FloatType) -> float:
        self._check_bounds(path, value, value, kind, str)
        return float(value) if isinstance(kind, mi.FloatType) else value

    def _names(self, path: Path, value: Any, kind: NamesType) -> tuple[str, ...]:
        items = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
        if "" in items:
            raise self._error(path, f"{name_of(path)} has an empty name; expected names, such as a,b or [a, b]")
        return self._tuple(path, items, kind)

    def _tuple(self, path: Path, value: list[Any], kind: mi.VarTupleType) -> tuple[Any, ...]:
        self._check_length(path, value, kind, "entry")
        return tuple(self.value((*path, index), item, kind.item_type) for index, item in enumerate(value))

    def _check_literal(self, path: Path, value: Any, kind: mi.LiteralType) -> None:
        if value in kind.values:  # of one type, as it was admitted
            return
        close = nearest(str(value), [known for known in kind.values if isinstance(known, str)])
        told = repr(value) if isinstance(value, str) else literal(value)
        hint = f"did you mean {close}?" if close else None
        raise self._error(path, f"{name_of(path)} is {told}; expected {admitted(kind)[1]}", hint=hint)

    def _check_bounds(
        self, path: Path, value: Any, number: float, kind: mi.IntType | mi.FloatType, shown: Callable[[float], str]
    ) -> None:
        if not -_LARGEST <= number <= _LARGEST:  # NaN is in no range
            raise self._error(path, f"{name_of(path)} is out of range; expected a finite number of at most 64 bits")
        for attribute, words, holds in _BOUNDS:
            bound = getattr(kind, attribute)
            if bound is not None and not holds(number, bound):
                raise self._error(path, f"{name_of(path)} is {value}; expected {words} {shown(bound)}")

    def _check_length(self, path: Path, value: Any, kind: Any, unit: str) -> None:
        for attribute, words, holds in _LENGTHS:
            bound = getattr(kind, attribute)
            if bound is not None and not holds(len(value), bound):
                raise self._error(
                    path, f"{name_of(path)} has {_counted(len(value), unit)}; expected {words} {_counted(bound, unit)}"
                )

    def _wrong(self, path: Path, value: Any, kinds: list[mi.Type], told: str) -> UsageError:
        expected = either(admitted(kind)[1] for kind in kinds)
        unquoted = isinstance(value, int | float) and any(isinstance(kind, mi.StrType) for kind in kinds)
        hint = "in quotes it is a text" if unquoted else None
        return self._error(path, f"{name_of(path)} is {told}; expected {expected}", hint=hint)

    def _error(self, path: Path, message: str, *, hint: str | None = None) -> UsageError:
        return self._document.value_error(path, message, hint=hint)


def _as_wanted(value: Filled, kinds: tuple[mi.Type, ...]) -> Any:
    """A variable's text, or what it says; an empty one is as if it were not given, where that is allowed."""
    if not value and any(isinstance(kind, mi.NoneType) for kind in kinds):
        return None
    is_text = any(str in admitted(kind)[0] for kind in kinds if not isinstance(kind, mi.AnyType))
    return str(value) if is_text else read_scalar(value)


def _counted(count: int, unit: str) -> str:
    plural = "entries" if unit == "entry" else f"{unit}s"
    return f"{count} {unit if count == 1 else plural}"

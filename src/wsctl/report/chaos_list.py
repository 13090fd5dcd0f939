"""The faults that a chaos proxy knows, with all their options, for people."""

from collections.abc import Iterable, Mapping, Sequence
from inspect import cleandoc

from msgspec import Struct
from msgspec import inspect as mi
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from wsctl.chaos.fault import AnyFault, FaultSpec
from wsctl.spec.kinds import DurationType, alternatives, either, literal, notes
from wsctl.spec.units import write_duration


class FaultList:
    """A row for each fault and for each of its options; those that all have; the presets."""

    def __init__(self, faults: Mapping[str, type[AnyFault]], presets: Mapping[str, Sequence[str]]) -> None:
        self._faults = faults
        self._presets = presets

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, fault in self._faults.items():
            grid.add_row(Text(name, style="bold"), Text(_meaning(fault)))
            _add_options(grid, own_options(fault))
            if fault.options.unheeded:
                _add_option(grid, "without", f"{', '.join(fault.options.unheeded)}: {fault.options.instead}.")
        grid.add_row(Text("\nevery fault", style="bold"), Text("\nWhom it means, how often, and when."))
        _add_option(grid, "name", "What it is called; its type, if not given.")
        _add_options(grid, _options(FaultSpec))
        grid.add_row(Text("\npresets", style="bold"), Text("\nFaults that go together."))
        for name, specs in self._presets.items():
            _add_option(grid, name, "\n".join(specs))
        yield grid


def own_options(fault: type[AnyFault]) -> list[mi.Field]:
    """Those that not every fault has."""
    return [option for option in _options(fault.options) if option.name not in FaultSpec.__struct_fields__]


def _options(kind: type[Struct]) -> Sequence[mi.Field]:
    described = mi.type_info(kind)
    assert isinstance(described, mi.StructType)
    return described.fields


def _add_options(grid: Table, options: Iterable[mi.Field]) -> None:
    for option in options:
        default = _default(option)
        shown = option.encode_name if default is None else f"{option.encode_name}={default}"
        _add_option(grid, shown, _told(option))


def _add_option(grid: Table, name: str, meaning: str) -> None:
    grid.add_row(Text(f"  {name}", style="cyan"), Text(meaning, style="dim"))


def _meaning(fault: type[AnyFault]) -> str:
    return " ".join(cleandoc(fault.options.__doc__ or "").split())


def _told(option: mi.Field) -> str:
    """What it means, and what there is to choose from, unless that is told already."""
    meaning: str = notes(option.type).get("description", "")
    choices = [
        literal(value)
        for kind in alternatives(option.type)
        if isinstance(kind, mi.LiteralType)
        for value in kind.values
    ]
    return meaning if all(choice in meaning for choice in choices) else f"{meaning} One of {either(choices)}."


def _default(option: mi.Field) -> str | None:
    value = option.default
    if value in (None, ""):
        return None
    if isinstance(value, float):
        is_duration = any(isinstance(kind, DurationType) for kind in alternatives(option.type))
        return write_duration(value) if is_duration else f"{value:g}"
    return literal(value)

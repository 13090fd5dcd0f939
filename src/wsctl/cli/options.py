"""Small helpers for options."""

from typing import Any

import typer

from wsctl.errors import UsageError
from wsctl.spec.units import parse_duration


def duration(text: str) -> float:
    """A duration option's value in seconds."""
    try:
        return parse_duration(text)
    except UsageError as error:
        raise typer.BadParameter(error.message) from error


def by_default(text: str) -> Any:
    """The default of a duration option as people write it; Typer reads it like a typed one."""
    return text


def names(values: list[str] | None) -> tuple[str, ...]:
    """The names in repeated or comma-separated values, each once."""
    return tuple(dict.fromkeys(name for value in values or () for name in value.split(",") if name))


def given(context: typer.Context) -> set[str]:
    """The names of the parameters that were given, on the command line or by an environment variable."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source is not None and source.name not in _DEFAULTS}


_DEFAULTS = ("DEFAULT", "DEFAULT_MAP")

"""serve's options from its config file and its command line, made one."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from wsctl.errors import UsageError
from wsctl.server.options import ServeOptions
from wsctl.spec.document import Document, check_keys, kind_of
from wsctl.spec.loader import read_yaml
from wsctl.spec.nearest import nearest
from wsctl.spec.units import parse_duration

_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
}

DURATIONS = ("throttle", "ping_interval", "ping_timeout", "connect_timeout")
LISTS = ("symbols", "cors_origin")
"""what may also be a text with commas"""

_FIELDS = {"cors_origin": "cors_origins"}
"""fields that are not named as their option: it is repeated for several"""
_OPTIONS = {field: option for option, field in _FIELDS.items()}


def serve_options(config: Path | None, chosen: Mapping[str, Any]) -> ServeOptions:
    """What is in a config file and what was chosen on the command line, which wins; both by the options' names.

    Raises UsageError with file, line, column and the nearest known key or choice.
    """
    options = {**_read(config), **chosen}
    return ServeOptions(**{_FIELDS.get(name, name): value for name, value in options.items()})


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    document = read_yaml(path)
    if document.data is None:
        return {}
    kinds = {_OPTIONS.get(field.name, field.name): field.type for field in msgspec.structs.fields(ServeOptions)}
    return {key: _convert(document, key, value, kinds[key]) for key, value in check_keys(document, (), kinds).items()}


def _convert(document: Document, key: str, value: Any, kind: Any) -> Any:
    try:
        if key in DURATIONS and isinstance(value, str):
            return parse_duration(value)
        if key in LISTS and isinstance(value, str):
            value = [name for name in value.split(",") if name]
        return msgspec.convert(value, kind)
    except UsageError as error:
        raise document.value_error((key,), f"{key}: {error.message}") from error
    except msgspec.ValidationError as error:
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        shown = repr(value) if choices and isinstance(value, str) else kind_of(value)
        expected = " or ".join(choices) or _expected(error)
        close = nearest(str(value), choices)
        hint = f"did you mean {close}?" if close else None
        raise document.value_error((key,), f"{key} is {shown}; expected {expected}", hint=hint) from error


def _expected(error: msgspec.ValidationError) -> str:
    """What msgspec expected, in words: `Expected `int | null`, got `str`` is `a whole number`."""
    kind = re.search(r"Expected `(\w+)", str(error))
    return _KINDS.get(kind[1], kind[1]) if kind else str(error).lower()

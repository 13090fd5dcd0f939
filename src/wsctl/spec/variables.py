"""`${VARIABLES}` in a document, filled in: on plain data, so that messages still know the place of everything."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from wsctl.spec.document import Document, Filled, Path

_VARIABLE = re.compile(r"\$(\$)?\{([^{}]*)\}")
_NAME = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)

Lookup = Callable[[Path, str], Any]
"""the value of what stands in `${…}`; the path is where"""


def from_environment(document: Document, environ: Mapping[str, str]) -> Lookup:
    """Variables of the environment. The lookup raises UsageError, with its place, for one that has no value."""

    def find(path: Path, expression: str) -> Any:
        match = _NAME.fullmatch(expression)
        if match is None:
            raise document.value_error(
                path, f"bad variable ${{{expression}}}; expected something like ${{TOKEN}} or ${{TOKEN:-default}}"
            )
        name = match["name"]
        value = environ.get(name) or match["default"]
        if value is None:
            raise document.value_error(
                path,
                f"environment variable {name} is {'empty' if name in environ else 'not set'}",
                hint=f"set it, or give a default: ${{{name}:-…}}",
            )
        return Filled(value)

    return find


def fill(value: Any, path: Path, lookup: Lookup) -> Any:
    """Plain data with its variables filled in; the path is where it stands. Raises what the lookup raises."""
    if isinstance(value, dict):
        return {key: fill(inner, (*path, key), lookup) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, (*path, index), lookup) for index, inner in enumerate(value)]
    return _fill_text(value, path, lookup) if isinstance(value, str) else value


def _fill_text(text: str, path: Path, lookup: Lookup) -> Any:
    """Nothing but a variable becomes the variable's value, which may be a number; `$${` is a plain `${`."""
    alone = _VARIABLE.fullmatch(text)
    if alone is not None and not alone[1]:
        return lookup(path, alone[2])

    def replace(match: re.Match[str]) -> str:
        return f"${{{match[2]}}}" if match[1] else shown(lookup(path, match[2]))

    return _VARIABLE.sub(replace, text)


def shown(value: Any) -> str:
    """As YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)

"""serve's options from its config file and its command line, made one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsctl.server.options import ServeOptions
from wsctl.spec.loader import read_yaml
from wsctl.spec.typed import build


def serve_options(config: Path | None, chosen: Mapping[str, Any]) -> ServeOptions:
    """What is in a config file and what was chosen on the command line, which wins; both by the options' names.

    Raises UsageError with file, line, column and the nearest known key or choice.
    """
    return ServeOptions(**{**_read(config), **chosen})


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    document = read_yaml(path)
    options = build(document, (), ServeOptions)
    return {key: getattr(options, key) for key in document.data or ()}

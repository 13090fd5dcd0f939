"""The ready file: how a program that started us learns that we listen, and where."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wsctl.errors import UsageError


@contextmanager
def announced(path: Path | None, url: str, **more: str) -> Iterator[None]:
    """`{"url", "pid", …}` in a file while something listens. It appears whole or not at all; no path, no file.

    Raises UsageError when it cannot be written.
    """
    if path is None:
        yield
        return
    unfinished = path.with_name(path.name + ".tmp")
    try:
        unfinished.write_text(json.dumps({"url": url, "pid": os.getpid(), **more}))
        unfinished.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write the ready file {path}: {(error.strerror or str(error)).lower()}") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)

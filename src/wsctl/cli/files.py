"""Files that a command leaves behind."""

import os
from pathlib import Path

from wsctl.errors import UsageError, WsctlError


def make_folder(out: Path) -> None:
    """Make it, if it is not there. Raises UsageError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {out}: {(error.strerror or str(error)).lower()}") from error


def make_place(file: Path) -> None:
    """Make the folder of a file that somebody else writes later. Raises UsageError where it could not be written."""
    make_folder(file.parent)
    blocked = file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK)
    if blocked:
        raise UsageError(f"cannot write {file}: {'is a directory' if file.is_dir() else 'permission denied'}")


def write_whole(path: Path, data: bytes) -> None:
    """Whole or not at all. Raises WsctlError."""
    unfinished = path.with_name(path.name + ".tmp")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as error:
        raise WsctlError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error

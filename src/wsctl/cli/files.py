"""Files that a command leaves behind."""

from pathlib import Path

from wsctl.errors import UsageError, WsctlError


def make_folder(out: Path) -> None:
    """Make it, if it is not there. Raises UsageError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {out}: {(error.strerror or str(error)).lower()}") from error


def write_whole(path: Path, data: bytes) -> None:
    """Whole or not at all. Raises WsctlError."""
    unfinished = path.with_name(path.name + ".tmp")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as error:
        raise WsctlError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error

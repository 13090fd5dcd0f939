"""The log of what struck, as JSON Lines."""

import asyncio
from pathlib import Path

from wsctl.chaos.firing import Firing, encode
from wsctl.cli.output import open_lines
from wsctl.errors import WsctlError


class FiringLog:
    """Lines to a file or stdout, or nowhere. Where they cannot be written, `broken` says so: who strikes goes on."""

    def __init__(self, path: Path | None) -> None:
        """Raises UsageError for a file that cannot be opened."""
        self._lines = None if path is None else open_lines(path)
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """raises BrokenPipeError or WsctlError"""

    def __call__(self, firing: Firing) -> None:
        """A fault struck."""
        if self._lines is None or self.broken.done():
            return
        try:
            self._lines.put(encode(firing))
        except (BrokenPipeError, WsctlError) as error:
            self.broken.set_exception(error)

    def close(self) -> None:
        """Write what waits. Raises as `broken` does."""
        if self._lines is not None:
            self._lines.close()

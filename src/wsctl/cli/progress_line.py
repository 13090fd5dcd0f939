"""One line on a terminal's stderr, drawn anew each second; nothing anywhere else."""

import asyncio
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

REFRESH = 1.0
"""seconds between two drawings"""


class ProgressLine:
    """Shows a text while its `with` block lasts. Whoever says something else meanwhile erases it first."""

    def __init__(self, text: Callable[[], str]) -> None:
        self._text = text
        self._terminal = sys.stderr.isatty()
        self._drawing: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        if self._terminal:
            self._drawing = asyncio.create_task(self._redraw())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawing is not None:
            self._drawing.cancel()
        self.erase()

    def erase(self) -> None:
        """Make room for a line that stays."""
        if self._terminal:
            _write("")

    async def _redraw(self) -> None:
        while True:
            await asyncio.sleep(REFRESH)
            _write(self._text()[: shutil.get_terminal_size().columns - 1])


def _write(text: str) -> None:
    with suppress(OSError):  # nobody looks any more
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

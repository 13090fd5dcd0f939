"""A view on a terminal that is drawn anew a few times a second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

REFRESH = 0.25
"""seconds between two drawings"""


class View(Protocol):
    """What can be drawn anew."""

    def refresh(self) -> None:
        """Draw what is known now."""


@asynccontextmanager
async def redrawn(view: View) -> AsyncIterator[None]:
    """Draw it for as long as the block lasts."""
    drawing = asyncio.create_task(_redraw(view))
    try:
        yield
    finally:
        drawing.cancel()
        with suppress(asyncio.CancelledError):
            await drawing


async def _redraw(view: View) -> None:
    while True:
        view.refresh()
        await asyncio.sleep(REFRESH)

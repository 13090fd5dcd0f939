"""Printing: a tape as Observations, a line of JSON each."""

import asyncio
from typing import Final, Protocol

from wsctl.model import observation
from wsctl.tape.observing import observed
from wsctl.tape.player import Output, Played

FULL: Final = 1024 * 1024
"""bytes that may wait for whoever reads the lines; with more the player waits, too"""
_PATIENCE: Final = 0.005
"""seconds until it is looked again"""


class Lines(Protocol):
    """Where lines go."""

    @property
    def waiting(self) -> int:
        """Bytes that are not written yet."""

    def put(self, line: bytes) -> None:
        """Take one line, without its newline, and never wait."""


class Printing(Output):
    """A line for each event that is played, received when it was due."""

    def __init__(self, lines: Lines, dialect: str | None) -> None:
        """`dialect` is a name or a file, told in each line; None: the platform's own."""
        self._lines = lines
        self._dialect = dialect

    async def ready(self) -> None:
        """At once: whoever reads finds the lines later, too."""

    async def put(self, played: Played) -> None:
        await self._until_waiting(FULL)
        for event in played.events:
            self._lines.put(observation.encode(observed(event, played.frame.conn, played.at, self._dialect)))

    async def lap_over(self, lap: int) -> None:
        """Epochs tell."""

    async def close(self) -> None:
        """Wait until all is written, however slow the reader is."""
        await self._until_waiting(0)

    async def _until_waiting(self, most: int) -> None:
        while self._lines.waiting > most:  # noqa: ASYNC110 - a thread writes, and tells nobody
            await asyncio.sleep(_PATIENCE)

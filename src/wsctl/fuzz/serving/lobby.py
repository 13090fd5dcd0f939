"""Lobby: the clients that came, until it is their turn."""

import asyncio
from collections import deque

from wsctl.fuzz.serving.guest import Guest

MAX_GUESTS = 200
"""that wait at once"""


class Lobby:
    """Who comes between two cases stays unanswered for a moment: the next case may answer the handshake itself."""

    def __init__(self) -> None:
        self.arrivals = 0
        """clients that came, so far"""
        self._guests: deque[Guest] = deque()
        self._holding = True
        self._changed = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether one more is too many."""
        return len(self._guests) >= MAX_GUESTS

    def add(self, guest: Guest) -> None:
        """Somebody came."""
        self.arrivals += 1
        self._guests = deque(one for one in self._guests if not one.left)
        self._guests.append(guest)
        if not self._holding:
            guest.keep_company()
        self._changed.set()

    async def next(self, within: float, *, unanswered: bool) -> Guest | None:
        """The next client, in time; None: there is none. Those who are `unanswered` only may have to be asked anew."""
        try:
            async with asyncio.timeout(within):
                while (guest := await self._first(unanswered=unanswered)) is None:
                    await self._change()
        except TimeoutError:
            return None
        return guest

    async def arrived(self, more_than: int, within: float) -> bool:
        """Whether somebody came, in time, since so many had."""
        try:
            async with asyncio.timeout(within):
                while self.arrivals <= more_than:
                    await self._change()
        except TimeoutError:
            return False
        return True

    def release(self) -> None:
        """A case begins: who waits, and who comes meanwhile, is served lawfully."""
        self._holding = False
        for guest in self._guests:
            guest.keep_company()

    def hold(self) -> None:
        """It is over."""
        self._holding = True

    async def close(self) -> None:
        """See everybody off."""
        guests, self._guests = self._guests, deque()
        await asyncio.gather(*(guest.dismiss() for guest in guests))

    async def _first(self, *, unanswered: bool) -> Guest | None:
        while self._guests:
            guest = self._guests.popleft()
            if guest.left or (unanswered and guest.answered):
                await guest.dismiss()
            else:
                return guest
        return None

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

"""Canary: a well-behaved connection beside the hostile ones. It is pinged all the time, and must be answered.

A library answers pings whatever became of the session above it: where the server answers in words, it is asked so, too.
"""

import asyncio
import struct
import time
from collections.abc import Callable
from contextlib import suppress

from wsctl.checks.latency import Histogram
from wsctl.fuzz.frames import PING
from wsctl.fuzz.link import Link
from wsctl.fuzz.outcome import NOWHERE
from wsctl.fuzz.player import Player
from wsctl.fuzz.steps import Frame, Steps, data

CLOSED = "a connection beside it was closed with"
DISMISSED = "a connection beside it was thrown out of its namespace"
"""what an objection to that begins with"""
EVERY = 0.05
"""seconds between two pings"""


class Canary:
    """One connection; `objection` says what happened to it since `renew`."""

    def __init__(self, player: Callable[[], Player], opening: Steps, max_stall: float) -> None:
        self._make = player
        self._opening = opening
        self._max_stall = max_stall
        self._player: Player | None = None
        self._link: Link | None = None
        self._pinging: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        """to ping: one at a time"""
        self._asked = 0
        self._in_words = False
        """whether the server answers questions in Socket.IO's words"""
        self._worst = 0.0
        self.latencies = Histogram()
        """of its pings, seconds"""

    async def renew(self) -> None:
        """Be there, and healthy. Raises OSError where nobody listens, Unfit where it is not let in."""
        if self._link is None or self._is_over(self._link):
            await self.stop()
            self._player = self._make()
            self._link = await self._player.hold(self._opening)
            self._in_words = self._link.engineio and await self._ask_in_words(self._link)
            self._pinging = asyncio.create_task(self._ping(self._link))
        self._worst = 0.0

    @property
    def lost(self) -> bool:
        """Whether it was there, and is no more."""
        return self._link is not None and self._is_over(self._link)

    @property
    def closed_in_order(self) -> bool:
        """Whether it was closed with a code or dismissed, as by a server that means it; a crash would have cut it."""
        link = self._link
        return link is not None and (link.close_code is not None or any(map(_is_dismissal, link.messages)))

    async def stop(self) -> None:
        """Leave."""
        if self._pinging is not None:
            self._pinging.cancel()
            await asyncio.gather(self._pinging, return_exceptions=True)
        if self._player is not None:
            self._player.leave()
        self._player = self._link = self._pinging = None

    async def objection(self) -> str | None:
        """What happened to it; None: nothing. It asks once more, and waits for that answer."""
        link = self._link
        if link is None:
            return None
        answered = False
        with suppress(TimeoutError):
            async with asyncio.timeout(self._max_stall + EVERY), self._turn:
                answered = await self._ask(link) and (not self._in_words or await self._ask_in_words(link))
        if link.close_code is not None:
            return f"{CLOSED} {link.close_code}"
        if self._is_over(link):
            return "a connection beside it was cut" if link.ended else DISMISSED
        if not answered or self._worst > self._max_stall:
            return f"a connection beside it waited {max(self._worst, self._max_stall):.1f} s for an answer"
        return None

    async def _ping(self, link: Link) -> None:
        while not self._is_over(link):
            async with self._turn:
                await self._ask(link)
            await link.until(lambda: link.close_code is not None, EVERY)

    async def _ask(self, link: Link) -> bool:
        """Ping, and wait for the answer however long it takes; whether it came, which it does not if it is over."""
        self._asked += 1
        # not the loop's time: uvloop's has milliseconds, and stands still within one turn
        token, sent = b"canary" + struct.pack("!Q", self._asked), time.perf_counter()
        await link.send(Frame(opcode=PING, data=data(token)))

        def over() -> bool:
            return token in link.pongs or self._is_over(link)

        while not over():
            await link.until(over, EVERY)
            self._worst = max(self._worst, time.perf_counter() - sent)
        if answered := token in link.pongs:
            self.latencies.record(time.perf_counter() - sent)
        link.pongs.clear()
        return answered

    async def _ask_in_words(self, link: Link) -> bool:
        """Ask for a namespace that nobody serves; whether a word came back."""
        await link.say(f"40{NOWHERE},")

        def answered() -> bool:
            return any(isinstance(one, str) and NOWHERE in one for one in link.messages)

        came = await link.until(answered, self._max_stall)
        link.messages[:] = [one for one in link.messages if _is_dismissal(one)]
        return came

    @staticmethod
    def _is_over(link: Link) -> bool:
        return link.ended or link.close_code is not None or any(map(_is_dismissal, link.messages))


def _is_dismissal(message: str | bytes) -> bool:
    """Socket.IO's DISCONNECT, `41`."""
    return isinstance(message, str) and message.startswith("41")

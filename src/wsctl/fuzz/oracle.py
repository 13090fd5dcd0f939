"""Oracle: whether the target was harmed, whatever became of the connections that a case had.

The rules are those of boofuzz's and Schemathesis' monitors, for a feed: somebody else's connection lives on and is
answered in time, a newcomer is let in, and a local process gives back what it took.
"""

import asyncio
import ssl
from typing import Self

from msgspec import Struct

from wsctl.checks.latency import Histogram
from wsctl.client.target import Target
from wsctl.errors import Unreachable
from wsctl.fuzz.canary import CLOSED, DISMISSED, Canary
from wsctl.fuzz.ending import Ending, Unfit
from wsctl.fuzz.options import MAX_BYTES
from wsctl.fuzz.player import Player
from wsctl.fuzz.probe import is_server_error
from wsctl.fuzz.process_watch import ProcessWatch
from wsctl.fuzz.steps import Join, Steps, Upgrade

SERVER_ERROR = "answered HTTP"
"""what the objection to such an answer begins with"""
FRESH_TIMEOUT = 5.0
"""seconds for a newcomer to be let in"""


class Speech(Struct, frozen=True):
    """How one gets to where frames can be sent."""

    engineio: bool
    opening: Steps
    """what a well-behaved client does"""


SOCKETIO = Speech(engineio=True, opening=(Join(),))
WEBSOCKET = Speech(engineio=False, opening=(Upgrade(),))


class Oracle:
    """Looks at the target between cases. An async context manager: it holds the canary."""

    def __init__(
        self,
        target: Target,
        tls: ssl.SSLContext | None,
        speech: Speech,
        *,
        max_stall: float,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._target = target
        self._tls = tls
        self._speech = speech
        self._max_bytes = max_bytes
        self.watch: ProcessWatch | None = None
        """of the target's process, where it is on this machine and known"""
        self._canary = Canary(self.player, speech.opening, max_stall)

    async def __aenter__(self) -> Self:
        """Raises Unreachable where not even a well-behaved client gets in."""
        if (objection := await self.before()) is not None:
            await self._canary.stop()
            hint = "--token says who you are" if "could not be joined" in objection and not self._target.token else None
            raise Unreachable(f"{self._target.shown}: {objection}", hint=hint)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._canary.stop()
        if self.watch is not None:
            self.watch.stop()

    def player(self) -> Player:
        """For one more case."""
        return Player(self._target, self._tls, engineio=self._speech.engineio, max_bytes=self._max_bytes)

    @property
    def late(self) -> bool:
        """Whether the canary, that was well after the latest case, has ended since."""
        return self._canary.lost

    async def before(self) -> str | None:
        """Look, so that there is something to compare with. Why a well-behaved client is not let in; None: it is."""
        try:
            await self._canary.renew()
        except Unfit as error:
            return str(error)
        except OSError as error:
            return f"no connection: {error or 'timed out'}"
        if self.watch is not None:
            self.watch.look()
        return None

    async def after(self, endings: tuple[Ending, ...]) -> tuple[str, ...]:
        """What harm was done since; nothing: none that can be seen."""
        harms = [f"{SERVER_ERROR} {one}" for ending in endings for one in ending.statuses if is_server_error(one)]
        if (objection := await self._canary.objection()) is not None:
            harms.append(objection)
        if (objection := await self._newcomer()) is not None:
            harms.append(objection)
        if self.watch is not None:
            harms += await self.watch.objections()
        return tuple(dict.fromkeys(harms))

    @property
    def closed_in_order(self) -> bool:
        """Whether the canary has ended as by a server that means it: it may have been too old, or one too many."""
        return self._canary.closed_in_order

    def is_doubtful(self, harms: tuple[str, ...]) -> bool:
        """Whether all the harm is that the canary was closed in order: it may have been its time."""
        return len(harms) == 1 and harms[0].startswith((CLOSED, DISMISSED)) and self.closed_in_order

    async def drift(self) -> tuple[str, ...]:
        """What a watched process has taken since the beginning, and keeps."""
        return () if self.watch is None else tuple(await self.watch.drift())

    async def returned(self, within: float) -> bool:
        """Whether a newcomer is let in again, in time: somebody may start a server anew that died."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while await self._newcomer() is not None:
            if loop.time() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    @property
    def latencies(self) -> Histogram:
        """Of the canary's pings, seconds."""
        return self._canary.latencies

    async def _newcomer(self) -> str | None:
        """Why a fresh connection is not let in; None: it is."""
        player = self.player()
        try:
            async with asyncio.timeout(FRESH_TIMEOUT):
                await player.hold(self._speech.opening)
        except TimeoutError:
            return f"a fresh connection was not accepted within {FRESH_TIMEOUT:g} s"
        except (OSError, Unfit) as error:
            return f"a fresh connection was not accepted: {error}"
        finally:
            player.leave()
        return None

"""Player: a recording as it happened, at its own pace or another, to whatever takes it."""

import asyncio
import math
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing
from itertools import chain
from typing import Final, Protocol

from msgspec import Struct

from wsctl.checks.latency import Histogram
from wsctl.clock import Clock
from wsctl.errors import UsageError
from wsctl.model.event import Event
from wsctl.tape.format import TapeFrame
from wsctl.tape.pace import timed
from wsctl.tape.reading import Reading
from wsctl.tape.recording import Recording
from wsctl.tape.retelling import Retelling
from wsctl.wire.dialect import Dialect

TIMER_STEP: Final = 0.001
"""seconds: uvloop's timers know milliseconds"""

Record = tuple[float, TapeFrame, list[Event]]
"""the seconds since the first, what is on tape, and what it says"""


class Played(Struct, frozen=True):
    """One record of a tape, when it is its turn."""

    frame: TapeFrame
    """as recorded"""
    events: tuple[Event, ...]
    """what an `in` frame said; empty for acknowledgements, notices and whatever a server did not send"""
    at: float
    """unix seconds: when it was due in this playing"""
    lap: int
    """1, and one more with each round"""
    restamped: bool
    """the events tell another time or epoch than the frame: encode them instead"""


class Output(Protocol):
    """Where a tape is played to. Inherit from it: what is optional has a body here."""

    async def ready(self) -> None:
        """Return once there is somebody to play to: each round begins then."""

    async def put(self, played: Played) -> None:
        """Take one. Waits where the receiver cannot keep up and that must hold the player."""

    def skip(self, played: Played) -> None:
        """Take note of one that lies before the beginning (`--from`): state, not news."""
        return

    async def lap_over(self, lap: int) -> None:
        """The tape is over and begins anew."""

    async def close(self) -> None:
        """Let go of everything; the player leaves that to who made the output."""


class Player:
    """Plays a recording; `recording` opens it anew for each round.

    Frames are due by the tape's clock, from its first record on: `since` and `until` are seconds after that. A late
    frame does not delay those after it. Where a clock of the tape was set back, the frame follows at once and those
    after it as they did. With `speed` infinite nothing is waited for but the output. Raises UsageError for a line that
    cannot be read, and when there is nothing to play.
    """

    def __init__(
        self,
        recording: Callable[[], AbstractContextManager[Recording]],
        dialect: Dialect | None,
        *,
        speed: float = 1.0,
        loop: bool = False,
        since: float = 0.0,
        until: float = math.inf,
        restamp: bool = False,
        clock: Clock,
    ) -> None:
        self.frames = 0
        """that servers sent, put by now, of all rounds"""
        self.laps = 0
        """rounds that are over"""
        self.schedule = Histogram()
        """seconds between the moment a frame was due and that it was put; empty at infinite speed"""
        self.began: float | None = None
        """monotonic seconds: when the first round did"""
        self._recording = recording
        self._dialect = dialect
        self._speed = speed
        self._loop = loop
        self._since = since
        self._until = until
        self._retelling = Retelling(dialect, restamp=restamp)
        self._clock = clock

    async def play(self, output: Output) -> None:
        """Play it all; for ever with `loop`."""
        lap = 1
        while True:
            await output.ready()
            await self._play_lap(lap, output)
            self.laps = lap
            if not self._loop:
                return
            await output.lap_over(lap)
            lap += 1

    async def _play_lap(self, lap: int, output: Output) -> None:
        if self.began is None:
            self.began = self._clock.monotonic()
        with closing(self._read()) as records:
            first = self._skipped_to(records, lap, output)
            origin, wall_origin = self._clock.monotonic(), self._clock.now()  # opening and skipping took their time
            for elapsed, frame, events in chain([first], records):
                if elapsed > self._until:
                    break
                later = (elapsed - self._since) / self._speed
                await self._wait_for(origin + later)
                if frame.direction == "in":
                    self.frames += 1
                    if self._speed < math.inf:
                        self.schedule.record(max(0.0, self._clock.monotonic() - origin - later))
                at = wall_origin + later if self._speed < math.inf else self._clock.now()
                await output.put(self._played(frame, events, at, lap))

    def _skipped_to(self, records: Iterator[Record], lap: int, output: Output) -> Record:
        """The first record to be played."""
        for elapsed, frame, events in records:
            if elapsed > self._until:
                break
            if elapsed >= self._since:
                return elapsed, frame, events
            output.skip(self._played(frame, events, self._clock.now(), lap))
        raise UsageError("the tape holds nothing in the time that was asked for", hint="see --from and --until")

    def _read(self) -> Generator[Record]:
        """The records."""
        with self._recording() as recording:
            reading = Reading(self._dialect, recording.header)
            for elapsed, frame in timed(recording):
                yield elapsed, frame, reading.events(frame, recording.place)

    def _played(self, frame: TapeFrame, events: list[Event], at: float, lap: int) -> Played:
        told = self._retelling.tell(events, self._clock.now(), lap)
        return Played(frame, told, at, lap, restamped=self._retelling.changes(lap))

    async def _wait_for(self, due: float) -> None:
        # even when late, one turn of the loop per frame: a crowd of frames must not starve who receives them
        await asyncio.sleep(0)
        while (early := due - self._clock.monotonic()) > 0:  # noqa: ASYNC110 - time is what is waited for
            # timers round to the nearest step: at most half a step late, or a few turns of the loop early
            await asyncio.sleep(early if early > TIMER_STEP / 2 else 0)

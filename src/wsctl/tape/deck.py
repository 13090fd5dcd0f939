"""Deck: what everything that records has in common: a tape, its clock, and the count of what is on it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct

from wsctl.clock import Clock
from wsctl.tape.format import Header, TapeFrame
from wsctl.tape.spool import Rotation, Spool

Headers = tuple[tuple[str, str], ...]


class DeckOptions(Struct, frozen=True, kw_only=True):
    """Where a tape goes, and when it ends."""

    path: Path
    """`-` is stdout"""
    keep_secrets: bool = False
    rotation: Rotation | None = None
    count: int | None = None
    """frames from servers after which it is over; None: never"""


class Deck:
    """Takes what happens, at once and in order; see Spool for how it gets into the files.

    `over` is set when the count is reached, after which no frame is taken from servers, or when the tape cannot be
    written any more; `close` then raises why. `tell` is told what people should know of a rotation, in a sentence.
    """

    def __init__(
        self,
        options: DeckOptions,
        clock: Clock,
        *,
        dialect: str | None,
        url: str | None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.received = 0
        self.sent = 0
        self.opens = 0
        self.closes = 0
        self.answers = 0
        """over HTTP"""
        self._clock = clock
        header = Header(started_ns=int(clock.now() * 1_000_000_000), dialect=dialect, url=url)
        self._began = clock.monotonic()
        self._limit = options.count
        self._spool = Spool(
            options.path,
            header,
            keep_secrets=options.keep_secrets,
            rotation=options.rotation,
            on_broken=self._end,
            tell=tell,
        )
        self.over = asyncio.Event()

    @property
    def elapsed(self) -> float:
        """Seconds since the tape began."""
        return self._clock.monotonic() - self._began

    @property
    def size(self) -> int:
        """Bytes in the files by now."""
        return self._spool.size

    @property
    def paths(self) -> list[Path]:
        """The files so far."""
        return list(self._spool.paths)

    @property
    def broken(self) -> bool:
        """Whether the tape could not be written to its end."""
        return self._spool.broken

    @property
    def records(self) -> int:
        """Frames, opens, closes and answers taken so far, on tape or about to be."""
        return self._spool.records

    def open(self, conn: str, url: str, headers: Headers) -> None:
        """A connection is up: where, and what the request for it said."""
        self.opens += 1
        self._spool.put(TapeFrame(self._now(), conn, "open", url=url, headers=headers))

    def receive(self, conn: str, frame: str | bytes) -> None:
        """A server sent a frame."""
        if self.received == self._limit:
            return
        self.received += 1
        self._spool.put(TapeFrame(self._now(), conn, "in", frame))
        if self.received == self._limit:
            self._end()

    def send(self, conn: str, frame: str | bytes) -> None:
        """A client sent a frame."""
        self.sent += 1
        self._spool.put(TapeFrame(self._now(), conn, "out", frame))

    def answer(self, method: str, url: str, status: int, headers: Headers, body: str | bytes) -> None:
        """A server answered an HTTP request."""
        self.answers += 1
        self._spool.put(
            TapeFrame(self._now(), "", "http", body, url=url, status=status, headers=headers, method=method)
        )

    def end(self, conn: str, code: int | None, reason: str) -> None:
        """A connection is over; None: without a close code."""
        self.closes += 1
        self._spool.put(TapeFrame(self._now(), conn, "close", code=code, reason=reason or None))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Write what waits, while the loop goes on. Raises what broke the tape."""
        closing = asyncio.ensure_future(asyncio.to_thread(self._spool.close))
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await closing  # what is taken is written, and what broke is told, also to who is in a hurry
            raise

    def _now(self) -> int:
        return int((self._clock.monotonic() - self._began) * 1_000_000_000)

    def _end(self) -> None:
        self.over.set()

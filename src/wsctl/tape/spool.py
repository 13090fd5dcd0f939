"""Spool: a tape written by a thread, so that neither a disk nor a pipe can hold up who records."""

import asyncio
import math
import re
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final

from msgspec import Struct

from wsctl.errors import UsageError, WsctlError
from wsctl.model.expectation import UNITS
from wsctl.model.metrics import Unit
from wsctl.spec.units import parse_duration
from wsctl.tape.format import Header, TapeFrame
from wsctl.tape.packing import COMPRESSED
from wsctl.tape.writer import FLUSH_NS, TapeWriter

LIMIT: Final = 64 * 1024 * 1024
"""bytes of frames that may wait to be written"""
_RECORD: Final = 256
"""bytes that a record takes beside its frame, about"""
_BATCH: Final = 1000
"""records written at a time at most, so that files end near where they should"""
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?i?B)")


class Rotation(Struct, frozen=True):
    """When a tape goes on in another file: as soon as one of them is reached."""

    size: int | None = None
    """bytes of a file"""
    time: float | None = None
    """seconds of the tape"""


def parse_rotation(text: str) -> Rotation:
    """A size such as `100MB`, or a time such as `10m`. Raises UsageError."""
    if (match := _SIZE.fullmatch(text.strip())) and match[2] in UNITS[Unit.BYTES]:
        rotation = Rotation(size=int(float(match[1]) * UNITS[Unit.BYTES][match[2]]))
    else:
        try:
            rotation = Rotation(time=parse_duration(text))
        except UsageError as error:
            raise UsageError(f"bad rotation {text!r}; expected a size such as 100MB, or a time such as 10m") from error
    if not (rotation.size or rotation.time):
        raise UsageError(f"a rotation after {text} would never write anything; expected more")
    return rotation


def part_path(path: Path, part: int) -> Path:
    """The file of a part: the first is `feed.jsonl.zst`, the second `feed.2.jsonl.zst`."""
    if part == 1:
        return path
    stem, suffix = _around_number(path)
    return path.with_name(f"{stem}.{part}{suffix}")


def _around_number(path: Path) -> tuple[str, str]:
    packed = path.suffix if path.suffix.lower() in COMPRESSED else ""
    inner = path.with_name(path.name.removesuffix(packed))
    return inner.stem, inner.suffix + packed


class Spool:
    """Takes records at once; a daemon thread appends them to files, in batches as they come.

    What a compressed tape holds back is flushed within a second, also when nothing more comes. `on_broken` is called
    on the loop, once, when the tape cannot be written any more (the errors of TapeWriter, and WsctlError where more
    than LIMIT waits); `close` raises why. Where a next part cannot be begun, the tape stays in the file that it is in,
    and `tell` is told so, on the loop, once. Made and used in a running loop.
    """

    def __init__(
        self,
        path: Path,
        header: Header,
        *,
        on_broken: Callable[[], None],
        tell: Callable[[str], None] | None = None,
        keep_secrets: bool = False,
        rotation: Rotation | None = None,
    ) -> None:
        self.paths = [path]
        """the files, in their order; read it once closed"""
        self.records = 0
        """taken so far, written or not"""
        if rotation is not None:
            _check_rotation(path)
        self._writer = TapeWriter(path, header, keep_secrets=keep_secrets)
        self._finished_size = 0
        self._finished_records = 0
        self._on_broken = on_broken
        self._tell = tell
        self._rotation = rotation or Rotation()
        self._part_began_ns = 0
        self._frames: deque[TapeFrame] = deque()
        self._taken_bytes = 0
        """counted by the loop, as are records; the next one by the thread"""
        self._written_bytes = 0
        self._changed = threading.Condition()
        self._woken = False
        self._closing = False
        self._behind = False
        """more waited than may"""
        self._error: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write, name="tape", daemon=True)
        self._thread.start()

    @property
    def broken(self) -> bool:
        """Whether it cannot be written any more."""
        return self._behind or self._error is not None

    @property
    def size(self) -> int:
        """Bytes in all files by now."""
        return self._finished_size + self._writer.size

    def put(self, frame: TapeFrame) -> None:
        """Take one record; never raises. Nothing more is taken once the tape is broken."""
        if self.broken:
            return
        self.records += 1
        self._frames.append(frame)
        self._taken_bytes += _size_of(frame)
        if self._taken_bytes - self._written_bytes > LIMIT:
            self._behind = True
            self._loop.call_soon(self._on_broken)
        elif not self._woken:  # once for all that come in this turn of the loop
            self._woken = True
            self._loop.call_soon(self._wake)

    def close(self, patience: float = 5.0) -> None:
        """Write what waits; blocks until it is written, or for `patience` seconds. Raises what broke the tape.

        A tape without any record is no tape: its file goes, if it was not there before.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(patience)
        if (self._behind or self._thread.is_alive()) and self._error is None:
            self._error = self._fell_behind()
        if self._error is not None:
            raise self._error

    def _wake(self) -> None:
        self._woken = False
        with self._changed:
            self._changed.notify()

    def _break(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
            self._loop.call_soon_threadsafe(self._on_broken)

    def _fell_behind(self) -> WsctlError:
        name = "stdout" if str(self.paths[-1]) == "-" else self.paths[-1]
        kept = f"{self._finished_records + self._writer.records:,}"
        stuck = self._thread.is_alive()  # in the middle of a batch, maybe
        what = (
            f"at least the first {kept} of {self.records:,} records are" if stuck else f"the first {kept} records are"
        )
        return WsctlError(
            f"{name} cannot be written as fast as frames come: {what} on tape",
            hint="write to something faster, or record fewer channels",
        )

    # What the thread does

    def _write(self) -> None:
        try:
            self._append_until_closed()
            if self.records:
                self._writer.close()
            else:
                self._writer.discard()
        except Exception as error:
            self._break(error)

    def _append_until_closed(self) -> None:
        flush_at = math.inf
        while (batch := self._next_batch(flush_at - monotonic())) is not None:
            if batch:
                self._append(batch)
            if not self._writer.held_back:
                flush_at = math.inf
            elif monotonic() >= flush_at:
                self._writer.flush()
                flush_at = math.inf
            else:
                flush_at = min(flush_at, monotonic() + FLUSH_NS / 1_000_000_000)

    def _next_batch(self, patience: float) -> list[TapeFrame] | None:
        """What waits; nothing after `patience` seconds without any; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._closing, None if patience == math.inf else patience)
        batch = [self._frames.popleft() for _ in range(min(len(self._frames), _BATCH))]
        return None if self._closing and not batch else batch

    def _append(self, batch: list[TapeFrame]) -> None:
        self._writer.write_all(batch)
        self._written_bytes += sum(map(_size_of, batch))
        rotation, at_ns = self._rotation, batch[-1].at_ns
        if (rotation.size is not None and self._writer.size >= rotation.size) or (
            rotation.time is not None and at_ns - self._part_began_ns >= rotation.time * 1_000_000_000
        ):
            self._rotate()
            self._part_began_ns = at_ns

    def _rotate(self) -> None:
        path = part_path(self.paths[0], len(self.paths) + 1)
        try:
            size, records = self._writer.rotate(path)
        except UsageError as error:
            self._rotation = Rotation()
            if self._tell is not None:
                self._loop.call_soon_threadsafe(self._tell, f"recording stays in {self.paths[-1]}: {error.message}")
            return
        self._finished_size += size
        self._finished_records += records
        self.paths.append(path)


def _check_rotation(path: Path) -> None:
    """Find out now rather than hours later."""
    if str(path) == "-":
        raise UsageError("stdout cannot be rotated; expected a file")
    stem, suffix = _around_number(path)
    number = re.compile(rf"{re.escape(stem)}\.([2-9]|[1-9][0-9]+){re.escape(suffix)}")
    found = {int(match[1]): file for file in path.parent.glob("*") if (match := number.fullmatch(file.name))}
    if found:
        raise UsageError(f"{found[min(found)]} exists already; a part of the tape would be written there")


def _size_of(frame: TapeFrame) -> int:
    return _RECORD + (0 if frame.frame is None else len(frame.frame))

"""Target process: a target that wsctl starts itself, and anew whenever it died."""

import asyncio
import os
import shlex
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from wsctl.errors import Unreachable, UsageError

START_TIMEOUT = 30.0
"""seconds for it to let somebody in, the first time"""
STOP_TIMEOUT = 5.0
"""seconds from asking it to end to killing it"""
MAX_LOG = 4000
"""bytes of its latest output that are kept"""
PAUSE = 0.05
"""seconds between its end and its next start"""


class TargetProcess:
    """An async context manager: inside, the command runs. It is a process group, which ends as a whole."""

    def __init__(self, command: str) -> None:
        """Raises UsageError for what is no command."""
        try:
            self._arguments = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"bad command {command!r}: {str(error).lower()}") from error
        if not self._arguments:
            raise UsageError("the command that starts the target is empty")
        self._process: asyncio.subprocess.Process | None = None
        self._living: asyncio.Task[int] | None = None
        """until it ends by itself, which as of `up` it does not"""
        self._lasts = False
        self._log = bytearray()

    async def __aenter__(self) -> Self:
        """Raises UsageError for what cannot be started."""
        self._process = await self._start()
        self._living = asyncio.create_task(self._live(self._process))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._living is not None, "it was entered"
        self._lasts = False
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait({self._living}, timeout=STOP_TIMEOUT)
        finally:
            self._signal(signal.SIGKILL)  # what it started, too
            await asyncio.wait({self._living})

    @property
    def pid(self) -> int:
        """Of its latest start."""
        assert self._process is not None, "a TargetProcess is used inside `async with`"
        return self._process.pid

    async def up(self, lets_in: Callable[[float], Awaitable[bool]]) -> None:
        """Wait until somebody is let in; as of then it is started anew whenever it ends. Raises Unreachable."""
        assert self._living is not None, "a TargetProcess is used inside `async with`"
        ready = asyncio.ensure_future(lets_in(START_TIMEOUT))
        try:
            await asyncio.wait({self._living, ready}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if self._living.done():
            raise Unreachable(f"{self._arguments[0]} ended with status {self._living.result()}{self._last_words()}")
        if not ready.result():
            raise Unreachable(
                f"{self._arguments[0]} did not let anybody in within {START_TIMEOUT:g} s{self._last_words()}"
            )
        self._lasts = True

    async def _live(self, process: asyncio.subprocess.Process) -> int:
        """Its lives, one after another; the status of the last."""
        while True:
            await asyncio.gather(self._listen(process), process.wait())
            if not self._lasts:
                return process.returncode or 0
            await asyncio.sleep(PAUSE)
            self._process = process = await self._start()

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us
            )
        except OSError as error:
            raise UsageError(f"cannot start {self._arguments[0]}: {error.strerror}") from error

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None, "it is a pipe"
        while said := await process.stdout.read(MAX_LOG):
            self._log += said
            del self._log[:-MAX_LOG]

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _last_words(self) -> str:
        lines = [line.strip() for line in self._log.decode(errors="replace").splitlines() if line.strip()]
        return f": {' / '.join(lines[-8:])}" if lines else ""

"""A child process of wsctl's own that says and is told lines of JSON, and that does not outlive its parent."""

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import Callable, Sequence

from wsctl.errors import ExitCode, TargetError, UsageError, WsctlError

LONGEST_LINE = 64 * 1024 * 1024
"""bytes"""
TALK_KEPT = 20
"""lines of the child's stderr that are remembered"""
LONGEST_TALK = 500
"""bytes of such a line"""
PATIENCE = 2.0
"""seconds from asking the child to end to killing it"""


class Child:
    """`python -m MODULE`: `start` it, read lines until it ends, `close` it in every case.

    It ends with its stdin. It is in a session of its own: Ctrl-C in the terminal reaches the parent only.
    """

    def __init__(self, module: Sequence[str], what: str, *, patience: float = PATIENCE) -> None:
        """`module` with its arguments; `what` it is, for messages; `patience` may be changed at any time."""
        self._module = module
        self._what = what
        self.patience = patience
        self._talk: deque[str] = deque(maxlen=TALK_KEPT)
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None

    async def start(self, first: bytes) -> None:
        """Begin, and send a first line."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", *self._module),  # -P: no module beside the user's files takes the place of one of ours
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
            start_new_session=True,
        )
        self._listening = asyncio.create_task(self._listen(self._process), name=f"{self._what}'s stderr")
        try:
            await self.send(first)
        except BaseException:
            await self.close(sound=False)
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running.pid

    async def line(self) -> bytes:
        """The next line. Raises WsctlError when it ended before."""
        assert self._running.stdout is not None
        line = await self._running.stdout.readline()
        if not line.endswith(b"\n"):
            raise await self._broken(self._running)
        return line

    async def send(self, line: bytes) -> None:
        """Send a line; one that is gone is told when reading."""
        assert self._running.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._running.stdin.write(line)
            await self._running.stdin.drain()

    async def close(self, *, sound: bool) -> None:
        """End the process, if it has not ended by itself; one that is not `sound` is told so. May be called twice."""
        if self._process is None:
            return
        ending = asyncio.ensure_future(self._end(self._process, sound=sound))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:  # no patience left; still no process may be left behind
            _signal(self._process.kill)
            await ending
            raise

    @property
    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "a child must be started"
        return self._process

    async def _end(self, process: asyncio.subprocess.Process, *, sound: bool) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert self._listening is not None
        process.stdin.close()  # which alone ends a sound child
        if not sound:
            _signal(process.terminate)
        try:
            async with asyncio.timeout(self.patience):
                await process.wait()
        except TimeoutError:
            _signal(process.kill)
            await process.wait()
        while await process.stdout.read(65536):
            pass
        await self._listening

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Keep the last lines of stderr; read on, lest the child block."""
        assert process.stderr is not None
        rest = b""
        while chunk := await process.stderr.read(65536):
            *lines, rest = (rest[:LONGEST_TALK] + chunk).split(b"\n")  # a line may come in pieces
            self._talk.extend(line[:LONGEST_TALK].decode(errors="replace") for line in lines)
        self._talk.append(rest[:LONGEST_TALK].decode(errors="replace"))

    async def _broken(self, process: asyncio.subprocess.Process) -> WsctlError:
        assert self._listening is not None
        code = await process.wait()
        await asyncio.wait({self._listening}, timeout=PATIENCE)
        said = next((line.strip() for line in reversed(self._talk) if line.strip()), "it said nothing")
        end = f"was ended by signal {-code}" if code < 0 else f"exited with {code}"
        return WsctlError(f"the {self._what}'s process {end}: {said}")


def raised(message: str, hint: str | None, exit_code: int) -> WsctlError:
    """The error that a child told of."""
    kinds = {ExitCode.USAGE: UsageError, ExitCode.TARGET: TargetError}
    return kinds.get(ExitCode(exit_code), WsctlError)(message, hint=hint)


def _signal(send: Callable[[], None]) -> None:
    with contextlib.suppress(ProcessLookupError):  # gone already
        send()

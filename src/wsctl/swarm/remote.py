"""The parent's handle on a swarm that runs as a child process."""

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec

from wsctl.errors import ExitCode, TargetError, UsageError, WsctlError
from wsctl.swarm import messages
from wsctl.swarm.messages import Command, Done, Failed, Fault, Progress, Settled, Stop
from wsctl.swarm.options import SwarmOptions

LONGEST_LINE = 64 * 1024 * 1024
"""bytes; Done carries samples of what came"""
TALK_KEPT = 20
"""lines of the child's stderr that are remembered"""
LONGEST_TALK = 500
"""bytes of such a line"""
PATIENCE = 2.0
"""seconds from asking the child to end to killing it"""


class RemoteSwarm:
    """An async iterator of what a swarm reports; its process lives as long as the block.

        async with RemoteSwarm(options) as swarm:
            async for report in swarm: ...      # Settled, Progress a few times a second, and last Done

    Iterating raises UsageError or TargetError when there is nothing to measure, and WsctlError when the process
    breaks. Ctrl-C in the terminal reaches the parent only.
    """

    def __init__(self, options: SwarmOptions) -> None:
        self._options = options
        self._talk: deque[str] = deque(maxlen=TALK_KEPT)
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._over = False

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "wsctl.swarm"),  # -P: no module beside the user's files takes the place of one of ours
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
            start_new_session=True,
        )
        self._listening = asyncio.create_task(self._listen(self._process), name="swarm's stderr")
        try:
            await self._send(self._options)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def pid(self) -> int:
        """The child's process id."""
        assert self._process is not None, "a RemoteSwarm is used inside `async with`"
        return self._process.pid

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Settled | Progress | Done:
        if self._over:
            raise StopAsyncIteration
        assert self._process is not None, "a RemoteSwarm is iterated inside `async with`"
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise await self._broken()
        try:
            report = messages.decode_report(line)
        except msgspec.DecodeError as error:
            raise WsctlError(f"the swarm's process said what cannot be read: {error}") from error
        self._over = isinstance(report, Done | Failed)
        if isinstance(report, Failed):
            raise _error(report)
        return report

    async def fault(self, fault: Fault) -> None:
        """Tell that clients were cut."""
        await self._send(fault)

    async def stop(self) -> None:
        """Measure no longer: Done follows within a second."""
        await self._send(Stop())

    async def close(self) -> None:
        """End the process, if it has not ended by itself. May be called twice."""
        if self._process is None:
            return
        ending = asyncio.ensure_future(self._end(self._process))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:  # no patience left; still no process may be left behind
            _signal(self._process.kill)
            await ending
            raise

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert self._listening is not None
        process.stdin.close()  # which alone ends a sound swarm
        if not self._over:
            _signal(process.terminate)
        try:
            async with asyncio.timeout(PATIENCE):
                await process.wait()
        except TimeoutError:
            _signal(process.kill)
            await process.wait()
        while await process.stdout.read(65536):
            pass
        await self._listening

    async def _send(self, message: SwarmOptions | Command) -> None:
        assert self._process is not None, "a RemoteSwarm is used inside `async with`"
        assert self._process.stdin is not None
        # a child that is gone is told when iterating
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(messages.encode(message))
            await self._process.stdin.drain()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Keep the last lines of stderr; read on, lest the child block."""
        assert process.stderr is not None
        rest = b""
        while chunk := await process.stderr.read(65536):
            *lines, rest = (rest[:LONGEST_TALK] + chunk).split(b"\n")  # a line may come in pieces
            self._talk.extend(line[:LONGEST_TALK].decode(errors="replace") for line in lines)
        self._talk.append(rest[:LONGEST_TALK].decode(errors="replace"))

    async def _broken(self) -> WsctlError:
        assert self._process is not None
        assert self._listening is not None
        self._over = True
        code = await self._process.wait()
        await asyncio.wait({self._listening}, timeout=PATIENCE)
        said = next((line.strip() for line in reversed(self._talk) if line.strip()), "it said nothing")
        end = f"was ended by signal {-code}" if code < 0 else f"exited with {code}"
        return WsctlError(f"the swarm's process {end}: {said}")


def _signal(send: Callable[[], None]) -> None:
    with contextlib.suppress(ProcessLookupError):  # gone already
        send()


def _error(failed: Failed) -> WsctlError:
    kinds = {ExitCode.USAGE: UsageError, ExitCode.TARGET: TargetError}
    kind = kinds.get(ExitCode(failed.exit_code), WsctlError)
    return kind(failed.message, hint=failed.hint)

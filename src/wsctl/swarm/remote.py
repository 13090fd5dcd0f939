"""The parent's handle on a swarm that runs as a child process."""

from types import TracebackType
from typing import Self

import msgspec

from wsctl.errors import WsctlError
from wsctl.swarm import messages
from wsctl.swarm.child import Child, raised
from wsctl.swarm.messages import Done, Failed, Fault, Progress, Settled, Stop
from wsctl.swarm.options import SwarmOptions


class RemoteSwarm:
    """An async iterator of what a swarm reports; its process lives as long as the block.

        async with RemoteSwarm(options) as swarm:
            async for report in swarm: ...      # Settled, Progress a few times a second, and last Done

    Iterating raises UsageError or TargetError when there is nothing to measure, and WsctlError when the process
    breaks. Ctrl-C in the terminal reaches the parent only.
    """

    def __init__(self, options: SwarmOptions) -> None:
        self._options = options
        self._child = Child(["wsctl.swarm"], "swarm")
        self._over = False

    async def __aenter__(self) -> Self:
        await self._child.start(messages.encode(self._options))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Settled | Progress | Done:
        if self._over:
            raise StopAsyncIteration
        try:
            line = await self._child.line()
        except WsctlError:
            self._over = True
            raise
        try:
            report = messages.decode_report(line)
        except msgspec.DecodeError as error:
            raise WsctlError(f"the swarm's process said what cannot be read: {error}") from error
        self._over = isinstance(report, Done | Failed)
        if isinstance(report, Failed):
            raise raised(report.message, report.hint, report.exit_code)
        return report

    async def fault(self, fault: Fault) -> None:
        """Tell that clients were cut."""
        await self._child.send(messages.encode(fault))

    async def stop(self) -> None:
        """Measure no longer: Done follows within a second."""
        await self._child.send(messages.encode(Stop()))

    async def close(self) -> None:
        """End the process, if it has not ended by itself. May be called twice."""
        await self._child.close(sound=self._over)

"""The parent's handle on the Locust process."""

import asyncio
from types import TracebackType
from typing import Self

import msgspec

from wsctl.errors import WsctlError
from wsctl.load import messages
from wsctl.load.messages import Done, Failed, Ready, Report, Second, SetUsers, Stop, WorkerLost
from wsctl.load.plan import LoadPlan
from wsctl.swarm.child import Child, raised

PATIENCE = 8.0
"""seconds from asking it to end to killing it: it ends processes of its own meanwhile"""
SILENCE = 20
"""seconds without a word after which it hangs; it tells every second, but while it starts, and for up to 14 s at its
end, when what its workers counted is gathered"""


class RemoteLoad:
    """An async iterator of what it reports, last Done; it lives, with all its processes, as long as the block.

    Iterating raises UsageError or TargetError for what it cannot do, and WsctlError when it breaks.
    """

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._child = Child(["wsctl.load.locust.process"], "load", patience=PATIENCE)
        self._over = False
        self._first_after = round(plan.patience) if plan.role == "worker" else 0
        """seconds that it may say nothing at first: a worker's master must take it in"""

    async def __aenter__(self) -> Self:
        await self._child.start(messages.encode(self._plan))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._child.close(sound=self._over)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Ready | Second | WorkerLost | Done:
        if self._over:
            raise StopAsyncIteration
        try:
            line = await self._line()
        except WsctlError:
            self._over = True
            raise
        try:
            report: Report = messages.decode_report(line)
        except msgspec.DecodeError as error:
            raise WsctlError(f"the load's process said what cannot be read: {error}") from error
        self._over = isinstance(report, Done | Failed)
        if isinstance(report, Failed):
            raise raised(report.message, report.hint, report.exit_code)
        return report

    async def _line(self) -> bytes:
        """The next line. Raises WsctlError when it ended before, and when it hangs.

        Waited for second by second, so that a parent that was stopped itself (Ctrl-Z) does not take that for silence.
        """
        within = SILENCE + self._first_after
        line = asyncio.ensure_future(self._child.line())
        try:
            for _ in range(within):
                done, _ = await asyncio.wait({line}, timeout=1.0)
                if done:
                    self._first_after = 0
                    return line.result()
        finally:
            line.cancel()
        raise WsctlError(f"the load's process hangs: it said nothing for {within} s")

    async def set_users(self, users: int) -> None:
        """There should be so many from now on."""
        await self._child.send(messages.encode(SetUsers(users=users)))

    async def stop(self) -> None:
        """Enough: Done follows."""
        await self._child.send(messages.encode(Stop()))

    def hurry(self) -> None:
        """Whenever the block is left now, the process is killed: what it started ends with it."""
        self._child.patience = 0.0

"""Services: programs of wsctl's own that run as long as a scenario, each a child process."""

import asyncio
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import psutil

from wsctl.errors import TargetError, WsctlError
from wsctl.scenario.programs import Program

START_TIMEOUT = 20.0
"""seconds until a service must listen"""
STOP_TIMEOUT = 5.0
"""seconds that it may take to end when told to"""
_LAST_LINES = 3
"""lines of its log that an error repeats"""


class Service:
    """A program as a child: `async with Service("feed", program, folder) as service: service.url …`.

    It runs in a session of its own, so that Ctrl-C in a terminal ends it by our hand only; and it ends with its
    stdin, so that it does not outlive us however we end. Its log is `NAME.log` in the folder. Entering raises
    WsctlError when it does not come up, with what it said last.
    """

    def __init__(self, name: str, program: Program, folder: Path) -> None:
        self.name = name
        self.url = ""
        self.control = ""
        """where it is told what to do, if not below its URL"""
        self.log = folder / f"{name}.log"
        self._program = program
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        with tempfile.TemporaryDirectory(prefix="wsctl-") as scratch:  # ours alone: options may hold a secret
            ready = Path(scratch, "ready")
            self._process = await self._start(self._program(Path(scratch)), ready)
            try:
                await self._wait_until_ready(self._process, ready)
            except BaseException:
                await self._stop()
                raise
        return self

    async def _start(self, command: Sequence[str], ready: Path) -> asyncio.subprocess.Process:
        with self.log.open("wb") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                *("-P", "-m", "wsctl"),  # -P: no module beside the user's files takes the place of one of ours
                *command,
                *("--ready-file", str(ready), "--until-stdin-ends"),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={name: value for name, value in os.environ.items() if name != "WSCTL_JWT_SECRET"},
                start_new_session=True,
            )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None, "a Service is used inside `async with`"
        return self._process.pid

    def check(self) -> None:
        """Raise TargetError if it is not running any more."""
        if self._process is not None and self._process.returncode is not None:
            raise TargetError(f"service {self.name} ended by itself ({_ending(self._process)}){self._last_words()}")

    async def check_soon(self, patience: float) -> None:
        """The same, for who saw its connections end: sockets are closed a moment before a process has ended."""
        assert self._process is not None, "a Service is used inside `async with`"
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._process.wait()
        self.check()

    def kill(self) -> None:
        """End it at once: the last resort of a process that is leaving."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def _wait_until_ready(self, process: asyncio.subprocess.Process, ready: Path) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while not ready.exists():  # noqa: ASYNC240 (a look at a local folder)
                    if process.returncode is not None:
                        how = _ending(process)
                        raise WsctlError(f"service {self.name} did not start ({how}){self._last_words()}")
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            message = f"service {self.name} did not listen within {START_TIMEOUT:g} s{self._last_words()}"
            raise WsctlError(message) from error
        told = msgspec.json.decode(ready.read_bytes(), type=dict[str, Any])  # noqa: ASYNC240 (a line)
        self.url, self.control = told["url"], told.get("control", told["url"])

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await process.wait()
        except (TimeoutError, asyncio.CancelledError) as error:
            self.kill()
            await process.wait()
            if isinstance(error, asyncio.CancelledError):
                raise

    def _last_words(self) -> str:
        with self.log.open("rb") as log:
            lines = deque((line.decode(errors="replace").rstrip() for line in log), maxlen=_LAST_LINES)
        said = " / ".join(line.strip() for line in lines if line)
        return f": {said}" if said else ""


class Usage:
    """CPU and memory of a process from `now` (monotonic seconds) on: `sample()` now and then, then `metrics()`.

    Making one raises psutil.Error when the process is gone.
    """

    def __init__(self, pid: int, now: float) -> None:
        self._process = psutil.Process(pid)
        self._began = self._latest = (now, self._cpu())
        self._rss = 0

    def sample(self, now: float) -> None:
        """Look. Raises psutil.Error when the process is gone."""
        self._latest = (now, self._cpu())
        self._rss = max(self._rss, self._process.memory_info().rss)

    def metrics(self) -> dict[str, float]:
        """server.cpu (1.0 is one core) and server.rss (the largest seen, bytes); nothing before the first sample."""
        if self._latest[0] <= self._began[0]:
            return {}
        seconds, used = (end - begin for end, begin in zip(self._latest, self._began, strict=True))
        return {"server.cpu": used / seconds, "server.rss": float(self._rss)}

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        used: float = times.user + times.system
        return used


def _ending(process: asyncio.subprocess.Process) -> str:
    code = process.returncode
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit {code}"

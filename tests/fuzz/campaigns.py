"""Runs of generated cases against small servers with known bugs (`planted`)."""

import asyncio
import shlex
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.fuzz import planted

from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.fuzz.events import Event
from wsctl.fuzz.options import FuzzOptions
from wsctl.fuzz.result import Failure, FuzzResult
from wsctl.fuzz.run import FuzzRun

SECONDS = 50.0
"""until a run is given up"""


def options(url: str, **more: Any) -> FuzzOptions:
    """Of a run with one quick probe, for there have to be some."""
    target = Target(url=url, dialect=more.pop("dialect", "socketio"))
    return FuzzOptions(**{"target": target, "seed": 1, "probes": ("F1",), "cases": 0, **more})


def started(bug: str, **more: Any) -> FuzzOptions:
    """Of a run that starts a server with a bug itself; the bug ends it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = shlex.join([sys.executable, "-I", "-S", str(Path(planted.__file__)), str(port), bug])
    return options(f"http://127.0.0.1:{port}", command=command, **more)


@contextmanager
def serving(bug: str, late: threading.Event | None = None) -> Iterator[str]:
    """A server with a bug, in a thread: the bug cuts its other connections, once it is `late`. Its URL."""

    def cut(own: object = None) -> None:
        if late is not None:
            late.wait(SECONDS)
        for connection in server.connections - {own}:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    with planted.Server(0, bug, cut) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
            cut()


def fuzzed(given: FuzzOptions, meanwhile: Callable[[FuzzRun, Event], None] = lambda run, event: None) -> FuzzResult:
    """Run, on a loop of its own; no task may be left. `meanwhile` hears of what happens."""

    async def bounded() -> FuzzResult:
        run = FuzzRun(given, SystemClock(), lambda event: meanwhile(run, event))
        async with asyncio.timeout(SECONDS):
            result = await run.run()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"
        return result

    return asyncio.run(bounded())


def only_failure(result: FuzzResult) -> Failure:
    """The one that there is."""
    assert result.generated is not None
    (failure,) = result.generated.failures
    return failure

"""Run a command's coroutine on uvloop."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any

from wsctl.errors import ExitCode


def run(command: Coroutine[Any, Any, ExitCode]) -> ExitCode:
    """Run to the end. Ctrl-C cancels the coroutine, lets it clean up, then raises KeyboardInterrupt (exit 130)."""
    interruptible()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(command)


def interruptible() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt: there is something to clean up or to report."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


async def until_terminated(work: Coroutine[Any, Any, Any]) -> None:
    """Run `work` until it ends or SIGTERM comes; SIGTERM is the ordinary way to end a service.

    Further ones change nothing: what follows is the end already, and it is bounded.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    terminated = False

    def terminate() -> None:
        nonlocal terminated
        terminated = True
        task.cancel()

    with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers on the loop
        loop.add_signal_handler(signal.SIGTERM, terminate)
    try:
        await task
    except asyncio.CancelledError:
        if not terminated:
            raise


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:  # Windows
        return None
    return uvloop.new_event_loop

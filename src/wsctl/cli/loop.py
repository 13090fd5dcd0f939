"""Run a command's coroutine on uvloop."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from wsctl.errors import ExitCode

STDIN = 0


def run(command: Coroutine[Any, Any, ExitCode]) -> ExitCode:
    """Run to the end. Ctrl-C cancels the coroutine, lets it clean up, then raises KeyboardInterrupt (exit 130)."""
    interruptible()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(command)


def interruptible() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt: there is something to clean up or to report."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def on_signals(stop: Callable[[], None], called: Callable[[], bool]) -> Iterator[None]:
    """Ctrl-C and SIGTERM call `stop` until the block is left: reports are written whole."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers on the loop
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # as above
                loop.remove_signal_handler(number)
        if called():  # all is done, and the exit code is settled: another Ctrl-C must not make a traceback of it
            signal.signal(signal.SIGINT, signal.SIG_IGN)


async def until_terminated(work: Coroutine[Any, Any, Any], *, or_stdin_ends: bool = False) -> None:
    """Run `work` until it ends or SIGTERM comes; SIGTERM is the ordinary way to end a service.

    Further ones change nothing: what follows is the end already, and it is bounded. `or_stdin_ends`: stdin, a pipe,
    is a lifeline; it ends when whoever holds the other end does, however that ended. Where it is a file, such as
    /dev/null, nobody does.
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
    if or_stdin_ends:
        try:
            loop.add_reader(STDIN, _on_end_of_stdin, terminate)
        except PermissionError:  # epoll's word for a file
            terminate()
    try:
        await task
    except asyncio.CancelledError:
        if not terminated:
            raise


def _on_end_of_stdin(then: Callable[[], None]) -> None:
    if not os.read(STDIN, 4096):
        asyncio.get_running_loop().remove_reader(STDIN)
        then()


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:  # Windows
        return None
    return uvloop.new_event_loop

"""What a process needs to be a good home for thousands of connections."""

import asyncio
import contextlib
import gc
import os
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from wsctl.errors import ExitCode, UsageError

SPARE_DESCRIPTORS = 50
"""open files beside the connections"""


class CpuMeter:
    """CPU that this process uses. Exact where psutil's ticks of 10 ms would tell nonsense of a moment."""

    def __init__(self) -> None:
        self._latest = time.monotonic(), time.process_time()

    def cores(self) -> float:
        """Used since the latest look, or since the beginning."""
        then, used_then = self._latest
        now, used = self._latest = time.monotonic(), time.process_time()
        return (used - used_then) / max(now - then, 1e-3)


def loop_factory() -> Any:
    """Makes the loop of such a process; None: the usual one."""
    try:
        import uvloop
    except ImportError:  # Windows
        return None
    return uvloop.new_event_loop


def tune_collector() -> None:
    """Leave what is there alone: collections over thousands of live connections take long and find nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def raise_descriptor_limit(clients: int) -> None:
    """As far as the system lets us. Raises UsageError when that is too little for so many clients."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # an unlimited hard limit may be refused
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    if soft != resource.RLIM_INFINITY and soft < clients + SPARE_DESCRIPTORS:
        raise UsageError(
            f"{clients:,} clients need {clients + SPARE_DESCRIPTORS:,} open files; the limit is {soft:,}",
            hint="ulimit -Hn raises it, or several swarms share the clients",
        )


def run_child(serve: Callable[[], Coroutine[Any, Any, ExitCode]]) -> NoReturn:
    """Run a child to its end.

    A failure of its own is told on stderr and ends it at once: the interpreter cannot end in order while a thread
    reads stdin, and would abort with words about that instead.
    """
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            code = runner.run(serve())
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(ExitCode.INTERNAL)
    sys.exit(code)

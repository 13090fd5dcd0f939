"""What a process needs to be a good home for thousands of connections."""

import contextlib
import gc
import time
from typing import Any

from wsctl.errors import UsageError

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

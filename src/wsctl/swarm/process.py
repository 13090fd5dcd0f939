"""What a process needs to be a good home for thousands of connections."""

import contextlib
import gc
from typing import Any

from wsctl.errors import UsageError

SPARE_DESCRIPTORS = 50
"""open files beside the connections"""


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

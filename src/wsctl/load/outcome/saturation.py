"""Whether the processes of a load could keep up: one idea for its verdict and for each number of users tried."""

from wsctl.load.messages import Second
from wsctl.swarm.generator import MOST_CPU, MOST_LAG, saturation

BUSY_SHARE = 0.1
"""of the seconds measured: in so many of them the generator may be too busy, as any machine is for a moment"""


class Saturation:
    """Fed with the seconds that count."""

    def __init__(self) -> None:
        self._seconds = 0
        self._busy = 0
        """of these, those in which a process could not keep up"""
        self._busiest: tuple[float, str] = 0.0, ""
        """of them: by how much, and how that is said"""

    def add(self, second: Second) -> None:
        """Take a second in, if anybody told how it was."""
        if not second.processes:
            return
        self._seconds += 1
        if (busy := _busy(second)) is not None:
            self._busy += 1
            self._busiest = max(self._busiest, busy)

    @property
    def reason(self) -> str | None:
        """Why latencies are those of the generator, if they are: it could not keep up in too many seconds."""
        if self._busy <= self._seconds * BUSY_SHARE:
            return None
        return f"{self._busiest[1]}; so it was in {self._busy:,} of {self._seconds:,} seconds"


def _busy(second: Second) -> tuple[float, str] | None:
    """Whether any process could not keep up in a second: how far beyond what is allowed, and in words."""
    cpu = max(max(process.cpu, process.control_cpu) for process in second.processes)
    lag = max((process.lag for process in second.processes if process.lag is not None), default=0.0)
    words = saturation({"generator.cpu": cpu, "generator.lag.p99": lag})
    return None if words is None else (max(cpu / MOST_CPU, lag / MOST_LAG), words)

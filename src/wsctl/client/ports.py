"""Ports: which of a client's sockets was its at a time; for those whom others know by nothing else."""

from collections import deque
from collections.abc import Collection, Iterator

KEPT = 4
"""connections of a client that are remembered, the latest"""


class Ports:
    """The ports of a client's own sockets. Times are unix seconds."""

    def __init__(self) -> None:
        self._opened: deque[tuple[int, float]] = deque(maxlen=KEPT)

    def opened(self, port: int, at: float) -> None:
        """A connection from this port is up."""
        self._opened.append((port, at))

    def at(self, ports: Collection[int], at: float) -> Iterator[tuple[int, float]]:
        """Those of the ports that were its by then, and since when. The system hands a port out again: of several
        that had one, it was the latest's."""
        yield from ((port, since) for port, since in self._opened if port in ports and since <= at)

"""Struck: the connections that faults struck, each once by each fault, however many of its messages were harmed."""

from itertools import islice
from typing import Any

from wsctl.chaos.firing import Firing

MOST = 65_536
"""connections of one fault that are remembered, the first ones"""


class Struck:
    """To be told of every firing."""

    def __init__(self) -> None:
        self._by: dict[str, dict[str, dict[str, Any]]] = {}
        """by fault and connection"""

    def __call__(self, firing: Firing) -> None:
        """A fault struck; where it struck no connection, nobody is to be remembered."""
        if firing.conn is None:
            return
        known = self._by.setdefault(firing.fault, {})
        if firing.conn not in known and len(known) < MOST:
            known[firing.conn] = {
                "conn": firing.conn,
                "client": firing.client,
                "port": firing.port,
                "at": firing.time,
            }

    def by(self, fault: str, start: int = 0) -> list[dict[str, Any]]:
        """Whom a fault struck, without the first so many: `{"conn", "client", "port", "at"}`, at in unix seconds."""
        return list(islice(self._by.get(fault, {}).values(), start, None))

    def forget(self, fault: str | None = None) -> None:
        """Those of a fault, or of all."""
        if fault is None:
            self._by.clear()
        else:
            self._by.pop(fault, None)

"""Struck: the connections that faults struck, each once by each fault, however many of its messages were harmed."""

from collections import OrderedDict
from itertools import islice
from typing import Any

from wsctl.chaos.firing import Firing

MOST = 65_536
"""connections of one fault that are remembered, the latest"""


class Struck:
    """To be told of every strike."""

    def __init__(self) -> None:
        self._by: dict[str, _Connections] = {}
        """by fault"""

    def __call__(self, firing: Firing) -> None:
        """A fault struck; where it struck no connection, nobody is to be remembered."""
        if firing.conn is None:
            return
        known = self._by.setdefault(firing.fault, _Connections())
        if firing.conn in known:
            return
        known[firing.conn] = {"conn": firing.conn, "client": firing.client, "port": firing.port, "at": firing.time}
        if len(known) > MOST:
            known.popitem(last=False)
            known.forgotten += 1

    def by(self, fault: str, start: int = 0) -> dict[str, Any]:
        """Whom a fault struck, in their order, without the first so many.

        `{"struck": [{"conn", "client", "port", "at"}], "left_out": 0}`: at in unix seconds; left out are those that are
        forgotten. Who asks for news soon enough leaves out nobody.
        """
        known = self._by.get(fault, _Connections())
        missed = known.forgotten - start
        return {"struck": list(islice(known.values(), max(0, -missed), None)), "left_out": max(0, missed)}

    def forget(self, fault: str | None = None) -> None:
        """Those of a fault, or of all."""
        if fault is None:
            self._by.clear()
        else:
            self._by.pop(fault, None)


class _Connections(OrderedDict[str, dict[str, Any]]):
    """Of one fault, by name, the oldest first."""

    forgotten = 0
    """that came before those"""

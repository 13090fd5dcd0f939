"""Names: what those who come to a proxy may call it, for their requests to be addressed to the server behind it.

A page of another site may have its own name point to this machine (DNS rebinding). It comes with that name, and is
handed on with it, so that the server may refuse it as it would without a proxy. A number, nobody can make point
elsewhere.
"""

import re
from ipaddress import ip_address

from msgspec import Struct

from wsctl.server.loopback import is_loopback_host

_NETLOC = re.compile(r"(\[[^\[\]]+\]|[^:\[\]]+)(?::(\d{1,5}))?", re.ASCII)
_PORTS = {"http": 80, "https": 443}


class Names(Struct, frozen=True):
    """Of a proxy, for a client that reached it at an address and port."""

    host: str | None
    """that it was told to listen on"""
    address: str
    port: int

    def has(self, host: str) -> bool:
        """Whether a Host header calls it so; by which port it was reached may have been another's decision."""
        found = _NETLOC.fullmatch(host)
        return found is not None and (_is_number(found[1]) or self._is_called(found[1]))

    def served(self, origin: str) -> bool:
        """Whether an Origin header tells of a page that came through it."""
        scheme, _, netloc = origin.partition("://")
        found = _NETLOC.fullmatch(netloc)
        if found is None or scheme not in _PORTS:
            return False
        return int(found[2] or _PORTS[scheme]) == self.port and self._is_called(found[1])

    def _is_called(self, name: str) -> bool:
        name = name.lower()
        return is_loopback_host(name) or name.strip("[]") in ((self.host or "").lower(), self.address)


def _is_number(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True

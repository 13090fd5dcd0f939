"""Sessions: what is known of Engine.IO sessions that begin with polling, where a client has several connections."""

import re
from typing import TypeVar

from wsctl.chaos.message import client_name
from wsctl.chaos.upstream import Upstream

MOST = 65536
"""sessions that are remembered"""
_SID = re.compile(rb'"sid":"([^"]+)"')
_SEPARATOR = b"\x1e"

T = TypeVar("T")


class Sessions:
    """By their ids: which upstream opened a session, to which all its requests have to come; and whose it is."""

    def __init__(self) -> None:
        self._upstreams: dict[str, Upstream] = {}
        self._clients: dict[str, str] = {}

    def opened(self, answer: bytes, upstream: Upstream) -> None:
        """An upstream answers who asked for a session, `0{"sid":"…`; again, once more of that has come."""
        found = _SID.search(answer)
        if found is not None:
            _keep(self._upstreams, found[1].decode("latin-1"), upstream)

    def heard(self, sid: str, body: bytes) -> None:
        """A client says something; again, once more of that has come."""
        for packet in body.split(_SEPARATOR):
            name = client_name(packet) if packet.startswith(b"40") else None
            if name is not None:
                _keep(self._clients, sid, name)

    def upstream(self, sid: str | None) -> Upstream | None:
        """The one that opened a session; None: nobody knows."""
        return self._upstreams.get(sid) if sid else None

    def client(self, sid: str | None) -> str | None:
        """What a session's client calls itself, if it does."""
        return self._clients.get(sid) if sid else None


def _keep(known: dict[str, T], sid: str, value: T) -> None:
    if len(known) >= MOST:
        del known[next(iter(known))]
    known[sid] = value

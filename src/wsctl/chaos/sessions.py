"""Sessions: which upstream opened an Engine.IO session. All requests of a session have to come to it."""

import re

from wsctl.chaos.upstream import Upstream

MOST = 65536
"""sessions that are remembered"""
_SID = re.compile(rb'"sid":"([^"]+)"')


class Sessions:
    """By the id that an upstream gave."""

    def __init__(self) -> None:
        self._upstreams: dict[str, Upstream] = {}

    def note(self, opening: bytes, upstream: Upstream) -> None:
        """What an upstream answers who asked for a session: `0{"sid":"…`; again, once more of it has come."""
        found = _SID.search(opening)
        if found is not None:
            if len(self._upstreams) >= MOST:
                del self._upstreams[next(iter(self._upstreams))]
            self._upstreams[found[1].decode("latin-1")] = upstream

    def upstream(self, sid: str | None) -> Upstream | None:
        """The one that opened a session; None: nobody knows."""
        return self._upstreams.get(sid) if sid else None

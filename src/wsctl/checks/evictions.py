"""Evictions: does the limit of connections per user hit the oldest one, and leave the others alone?"""

import math
from dataclasses import dataclass
from typing import Final

TOLERANCE: Final = 0.05
"""seconds; of two things that different connections saw closer together than this, either may have been first"""


@dataclass(slots=True)
class _Live:
    user: str
    joined_at: float
    heard_at: float = -math.inf


@dataclass(slots=True)
class _Doubt:
    """An eviction that seems to have passed over an older connection, whose own end may just not be seen yet."""

    at: float
    joined_at: float
    """of the connection evicted"""


class EvictionCheck:
    """Watches the connections of users, all of them of one step; anonymous ones have no limit and are not handed in.

    Times are unix seconds. Everything is judged by what the clients saw: hand in the events of all connections in the
    order of their times.
    """

    def __init__(self, tolerance: float = TOLERANCE) -> None:
        self.evictions = 0
        self._since: float | None = None
        self._before = 0
        """evictions until then"""
        self._until = math.inf
        self._tolerance = tolerance
        self._live: dict[str, _Live] = {}
        """by connection"""
        self._users: dict[str, list[_Live]] = {}
        """those of each user"""
        self._doubts: dict[str, list[_Doubt]] = {}
        """by user"""
        self._judged = 0
        """evictions of connections that were known"""
        self._wrong = 0
        """those of them that were not the oldest"""
        self._seen = False
        """a connection of a user, ever"""
        self._disturbed_at = -math.inf
        """the latest eviction or refusal"""

    def begin(self, at: float) -> None:
        """The measured time begins: the rate of evictions is taken from here on."""
        self._since, self._before = at, self.evictions

    def joined(self, user: str, conn: str, at: float) -> None:
        """A connection of the user is up."""
        if at < self._until:
            self._seen = True
            live = self._live[conn] = _Live(user, at)
            self._users.setdefault(user, []).append(live)

    def evicted(self, conn: str, at: float) -> None:
        """The server closed it with reason `evicted`; that it `ended` need not be told as well."""
        if at >= self._until:
            return
        self.evictions += 1
        self._disturbed_at = at
        live = self._live.get(conn)
        if live is not None:
            self._judged += 1
            self._expire(live.user, at)
            self._doubts.setdefault(live.user, []).append(_Doubt(at, live.joined_at))
            self._remove(conn, live)

    def refused(self, at: float) -> None:
        """A connection was turned away for the limit, as `reject-newest` does."""
        if at < self._until:
            self._disturbed_at = at

    def ended(self, conn: str, at: float) -> None:
        """It ended otherwise; one that never was up does not matter."""
        live = self._live.get(conn)
        if live is not None and at < self._until:
            self._expire(live.user, at)
            self._remove(conn, live)

    def heard(self, conn: str, at: float) -> None:
        """A message came. The latest one of each connection, told before the figures are read, is enough."""
        live = self._live.get(conn)
        if live is not None and at < self._until:
            live.heard_at = at

    def close(self, at: float) -> None:
        """The measured time ends, and what is told later does not count, such as that we close the connections."""
        self._until = at

    def metrics(self, now: float) -> dict[str, float]:
        """`limit.*` as of now, or of the end; empty when no user was ever connected.

        Evictions are told oldest first when there were any. Survivors are the connections still open; a survivor
        receives when a message came after the latest eviction or refusal, or at all where nobody was turned away.
        Absent when nobody is left. Leave them time for a message: an eviction just before the end makes them all
        look silent.
        """
        if not self._seen:
            return {}
        measured: dict[str, float] = {}
        if self._judged:
            wrong = self._wrong + sum(map(len, self._doubts.values()))
            measured["limit.evicted_oldest_first"] = (self._judged - wrong) / self._judged
        if self._live:
            receiving = sum(live.heard_at > self._disturbed_at for live in self._live.values())
            measured["limit.survivors_receiving"] = receiving / len(self._live)
        if self._since is not None and (duration := min(now, self._until) - self._since) > 0:
            measured["limit.evictions_rate"] = (self.evictions - self._before) / duration
        return measured

    def _expire(self, user: str, at: float) -> None:
        """What is seen from now on no longer clears the doubts that are too old."""
        doubts = self._doubts.get(user, [])
        fresh = [doubt for doubt in doubts if at <= doubt.at + self._tolerance]
        self._wrong += len(doubts) - len(fresh)
        self._keep(user, fresh)

    def _remove(self, conn: str, live: _Live) -> None:
        """Forget a connection, and the doubts for which it was the last one that was older."""
        del self._live[conn]
        others = self._users[live.user]
        others.remove(live)
        if not others:
            del self._users[live.user]
        oldest = min((other.joined_at for other in others), default=math.inf)
        doubts = self._doubts.get(live.user, [])
        self._keep(live.user, [doubt for doubt in doubts if oldest < doubt.joined_at - self._tolerance])

    def _keep(self, user: str, doubts: list[_Doubt]) -> None:
        if doubts:
            self._doubts[user] = doubts
        else:
            self._doubts.pop(user, None)

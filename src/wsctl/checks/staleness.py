"""Staleness: do messages keep coming while the exchange's time stands still?

Such a feed looks alive and tells the past (ccxt#23214: an order book that kept returning, its time stuck).
"""

from typing import Final

from wsctl.checks.sequence import is_control, name_of
from wsctl.model.finding import Finding
from wsctl.model.observation import Kind, Observation

STALE: Final = "stale"
LIMIT: Final = 10.0
"""seconds"""


class _Content:
    """The newest that one client heard on one channel."""

    __slots__ = ("newest", "seq", "since", "told")

    def __init__(self, newest: float, seen: Observation) -> None:
        self.newest = newest
        """exchange time, unix seconds"""
        self.since = seen.received_at
        """when it came"""
        self.seq = seen.seq
        self.told = False
        """an objection was made; one is enough until time moves on"""


class StalenessCheck:
    """Objects to a channel that brings news for longer than `limit` seconds, none of it newer than what came before.

    A message whose seq does not rise brings no news: Bybit repeats a quiet book, OKX says that nothing changed,
    Coinbase's heartbeat carries the last number. Nor do snapshots and heartbeats of the platform. Messages without an
    exchange time are left out. Ties are legal: one time may hold for a burst. Time is `received_at`, never a clock.
    """

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit
        self._contents: dict[tuple[str, str], _Content] = {}
        """by client and channel"""
        self._longest: float | None = None

    def add(self, observation: Observation) -> list[Finding]:
        """Take in one Observation; the finding it brought to light, mostly none."""
        sent_at = observation.sent_at
        if sent_at is None or observation.kind is not Kind.UPDATE or is_control(observation):
            return []
        key = observation.client, name_of(observation)
        content = self._contents.get(key)
        if content is None or sent_at > content.newest:
            self._contents[key] = _Content(sent_at, observation)
            self._longest = self._longest or 0.0
            return []
        if observation.seq is not None and content.seq is not None and observation.seq <= content.seq:
            return []
        stood_still = observation.received_at - content.since
        self._longest = max(self._longest or 0.0, stood_still)
        if content.told or stood_still <= self._limit:
            return []
        content.told = True
        text = f"messages came for {stood_still:.1f} s on {key[1]}, none newer than the first; expected newer ones"
        return [
            Finding(
                kind=STALE,
                conn=observation.conn,
                channel=key[1],
                first=content.seq,
                last=observation.seq,
                at=observation.received_at,
                message=text,
            )
        ]

    def metrics(self) -> dict[str, float]:
        """`staleness.max` in seconds; empty when no message had an exchange time."""
        return {} if self._longest is None else {"staleness.max": self._longest}

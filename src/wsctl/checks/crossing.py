"""Crossing: a channel across a cut: is what comes news, and which messages were lost, replayed, or came twice?"""

from typing import Self

from msgspec import Struct

from wsctl.checks.freshness import Had
from wsctl.model.observation import Observation

MARGIN = 0.005
"""seconds before a connection from which on a message counts as sent to it: what clocks that agree may differ by"""


class Crossed(Struct, frozen=True):
    """Messages of a client's channels, by what a cut did to them; None: nothing could show that."""

    lost: int | None = None
    """between the last before the cut and the first after it: never received"""
    replayed: int | None = None
    """sent while the client was away, received after all"""
    duplicated: int | None = None
    """received before the cut, and again"""

    def __add__(self, other: Self) -> "Crossed":
        return Crossed(
            _sum(self.lost, other.lost),
            _sum(self.replayed, other.replayed),
            _sum(self.duplicated, other.duplicated),
        )


class Crossing:
    """One channel on a further connection of a client. `add` its messages until it `is_over`."""

    __slots__ = ("_first", "_had", "_since", "is_fresh", "is_over")

    def __init__(self, had: Had, since: float) -> None:
        """`had`: what the client had before; `since`: when the connection came up, in unix seconds."""
        self.is_fresh = False
        """whether something came that the client did not have"""
        self.is_over = False
        """what comes from now on was sent to this connection, as far as can be told"""
        self._had = had
        self._since = since - MARGIN
        self._first = True

    def add(self, seen: Observation, sent_at: float | None, *, is_state: bool) -> Crossed:
        """What a message adds. `sent_at` by our clock, None where clocks cannot be compared; `is_state`: a snapshot."""
        had, first = self._had, self._first
        self._first = False
        distance = seen.seq - had.last if had.counted and seen.seq is not None and had.last is not None else None
        if seen.epoch != had.epoch:
            distance = None
        lost = None
        if not self.is_fresh:
            if not is_state and not had.is_passed_by(seen):
                # feeds of others answer a subscription with the latest once more, which is a snapshot by another name
                again = distance is not None and not (first and distance == 0)
                return Crossed(0, None, int(again)) if distance is not None else Crossed()
            self.is_fresh = True
            lost = None if distance is None else max(0, distance - 1)
        is_late = not is_state and sent_at is not None and sent_at < self._since
        self.is_over = not is_state and not is_late
        replayed = None if sent_at is None or is_state else int(is_late)
        return Crossed(lost, replayed, None if distance is None else 0)


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other

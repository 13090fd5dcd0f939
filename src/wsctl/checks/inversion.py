"""Inversion: does the exchange's time fall while its numbers rise?"""

from typing import Final, NamedTuple

from wsctl.checks.sequence import is_control, name_of
from wsctl.model.finding import Finding
from wsctl.model.observation import Kind, Observation

INVERSION: Final = "inversion"


class _Place(NamedTuple):
    conn: str
    epoch: str | None
    seq: int
    sent_at: float


class InversionCheck:
    """Objects to a message that is numbered higher than the highest before it, and was sent earlier.

    Equal times are legal. Numbers that do not rise are the ordering check's to judge; where there are none, nothing
    is. Each connection and each epoch begins anew: another server's clock may be behind.
    """

    def __init__(self) -> None:
        self.count = 0
        self._highest: dict[tuple[str, str], _Place] = {}
        """by client and channel"""
        self._compared = False

    def add(self, observation: Observation) -> list[Finding]:
        """Take in one Observation; the finding it brought to light, mostly none."""
        seq, sent_at = observation.seq, observation.sent_at
        if seq is None or sent_at is None or observation.kind is not Kind.UPDATE or is_control(observation):
            return []
        name = name_of(observation)
        key = observation.client, name
        before = self._highest.get(key)
        place = _Place(observation.conn, observation.epoch, seq, sent_at)
        if before is None or (before.conn, before.epoch) != (place.conn, place.epoch):
            self._highest[key] = place
            return []
        if seq <= before.seq:
            return []
        self._highest[key] = place
        self._compared = True
        if sent_at >= before.sent_at:
            return []
        self.count += 1
        fall = before.sent_at - sent_at
        text = f"seq {seq} was sent {fall:.3f} s before {before.seq} on {name}; expected after it"
        at = observation.received_at
        return [Finding(kind=INVERSION, conn=place.conn, channel=name, first=seq, last=seq, at=at, message=text)]

    def metrics(self) -> dict[str, int]:
        """`ordering.time_inversions`; empty when no two times could be compared."""
        return {"ordering.time_inversions": self.count} if self._compared else {}

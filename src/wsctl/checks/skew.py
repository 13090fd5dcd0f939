"""Skew: is an exchange's time ahead of the time at which its message came?

A message cannot arrive before it was sent, so one of the clocks is wrong, and no latency can be read off them. That a
clock is behind cannot be told from a slow network.
"""

from typing import Final

from wsctl.checks.sequence import is_control, name_of
from wsctl.model.finding import Finding
from wsctl.model.observation import Observation

SKEW: Final = "skew"
TOLERANCE: Final = 0.1
"""seconds that two clocks set over the internet may differ by"""


class SkewCheck:
    """Objects once per connection and channel to a time that is ahead by more than `tolerance` seconds.

    Again when it is ahead once more after it was not.
    """

    def __init__(self, tolerance: float = TOLERANCE) -> None:
        self._tolerance = tolerance
        self._ahead: set[tuple[str, str]] = set()
        """the clients and channels whose latest message was"""
        self._most: float | None = None

    def add(self, observation: Observation) -> list[Finding]:
        """Take in one Observation; the finding it brought to light, mostly none."""
        sent_at = observation.sent_at
        if sent_at is None or is_control(observation):
            return []
        ahead = sent_at - observation.received_at
        self._most = max(self._most or 0.0, ahead)
        key = observation.client, name_of(observation)
        if ahead <= self._tolerance:
            self._ahead.discard(key)
            return []
        if key in self._ahead:
            return []
        self._ahead.add(key)
        text = f"sent {ahead:.3f} s after it came on {key[1]}; expected before: the clocks differ"
        seq = observation.seq
        at = observation.received_at
        return [Finding(kind=SKEW, conn=observation.conn, channel=key[1], first=seq, last=seq, at=at, message=text)]

    def metrics(self) -> dict[str, float]:
        """`clock.skew.max` in seconds, 0 where no time was ahead; empty when no message had one."""
        return {} if self._most is None else {"clock.skew.max": self._most}

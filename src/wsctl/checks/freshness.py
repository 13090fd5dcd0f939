"""Freshness: is a message news to a client that was gone, or what it had already?

A server may answer a subscription with what it sent last, or with the last so many messages, long after its own
source has died. So that something came is no proof; that it goes beyond what the client had is.
"""

from typing import Self

from msgspec import Struct

from wsctl.checks.channel_report import Missing
from wsctl.checks.lane import Lane
from wsctl.checks.sequence import same_payload
from wsctl.model.observation import Observation


class Had(Struct, frozen=True):
    """What a client had on a channel when it lost its connection."""

    epoch: str | None
    last: int | None
    """its position; None where nothing was numbered"""
    messages: tuple[Observation, ...]
    """the latest, as many as a lane remembers"""
    counted: bool = False
    """whether numbers count messages: one more for each"""

    @classmethod
    def of(cls, lane: Lane) -> Self:
        """As a lane has it before the first message of a further connection."""
        counted = lane.proves_loss and lane.missing is Missing.MESSAGES
        return cls(lane.epoch, lane.last if lane.started else None, tuple(lane.recent), counted)

    def is_passed_by(self, seen: Observation) -> bool:
        """Whether a message goes beyond it.

        By its number, where numbers tell: it is higher, whatever the scheme, or of another epoch. Without a number,
        or with a lower one on a feed without epochs, which may number each connection afresh, by its time of
        sending, later than any that the client had. Without times, by saying what none of those messages said: a
        value that returns to a former one is taken for old until it changes again.
        """
        if seen.seq is not None and self.last is not None:
            if seen.epoch is not None and seen.epoch != self.epoch:
                return True
            if seen.seq > self.last:
                return True
            if self.epoch is not None:
                return False
        times = [message.sent_at for message in self.messages if message.sent_at is not None]
        if seen.sent_at is not None and times:
            return seen.sent_at > max(times)
        return not any(same_payload(message, seen) for message in self.messages)

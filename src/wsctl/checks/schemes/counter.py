"""counter: each message is numbered one higher than the one before.

The platform's own `seq`, with its epochs, snapshots, heartbeats and declared skips; and counters of others (Coinbase's
`full`, Bybit's `u`), where a snapshot is the state anew: Bybit sends one with the same `u` when nothing changed, with a
higher one when it likes, and with 1 when its service restarted.

Proves exactly which messages are missing. Blind to loss at the tail that no heartbeat announces; and to loss before a
snapshot that replaces what was sent: that is counted as skipped.
"""

from typing import Final

from wsctl.checks.channel_report import REGRESSION, Missing
from wsctl.checks.sequence import replaces_state
from wsctl.checks.span_lane import SpanLane
from wsctl.model.observation import Kind, Observation

_FLOOR: Final = 1
"""a snapshot numbered so, or lower, says that its service restarted (Bybit)"""


class CounterLane(SpanLane):
    """The only scheme with a common path; see Lane."""

    __slots__ = ()

    scheme = "counter"
    missing = Missing.MESSAGES
    noun = "seq"

    def message(self, observation: Observation, reconnected: bool) -> None:
        """Judge an update or a snapshot."""
        seq = observation.seq
        if seq is None:
            self.pass_over(observation)
        elif self.begins(observation, seq):
            self.accept(observation, seq)
        elif observation.kind is Kind.SNAPSHOT:
            self._snapshot(observation, seq, reconnected)
        elif self._starts_anew(observation, seq):
            self._replace(observation, seq)
        elif reconnected and self.epoch is None and seq <= self.last:
            # On feeds of others the first message after a reconnection that repeats the last seq is the
            # current state, and a lower one is a connection that numbers for itself.
            if seq < self.last:
                self._reset(seq)
            self._cut(seq, seq)
            self.candidate = None
            self.accept(observation, seq)
        else:
            self.update(observation, seq, seq)

    def heartbeat(self, observation: Observation, announced: int, reconnected: bool) -> None:
        """Every seq below `announced` was sent: what did not come is lost, or on its way."""
        position = announced - 1
        if self.begins(observation, position):
            return
        if position >= self.last:
            self._go_ahead(observation, position)
            self.last = position
        elif position == self.candidate:
            self._restart(observation, position)
        elif reconnected and self.epoch is None:
            self._reset(position)
        else:
            self.report.misannounced += 1
            self.candidate = position
            text = f"heartbeat announced next {announced} after {self.last} on {self.name}; expected {self._next}"
            self._object(REGRESSION, observation.conn, announced, announced, observation.received_at, text)

    def skipped(self, observation: Observation, first: int, last: int) -> None:
        """`first` to `last` were left out on purpose; what lies before them was not."""
        self.begins(observation, first - 1)
        self.report.skipped += last - first + 1
        if last > self.last:
            self._go_ahead(observation, first - 1)
            self.last = last
        self._cut(first, last)

    def settle(self) -> None:
        """Whatever came is dealt with: see whether anything is still open."""
        super().settle()
        self.calm = self.settled

    def _snapshot(self, observation: Observation, seq: int, reconnected: bool) -> None:
        """The platform's: repeats the latest seq. After a reconnection it stands for what was left out."""
        if reconnected and seq >= self.last:
            self._return_to_former(seq)
            self.lose_all()
            self.candidate = None
            self.report.skipped += seq - self.last
            self.accept(observation, seq)
        elif seq >= self.last:
            # The update it repeats should have come before it, so a hole takes in that one as well.
            self._go_ahead(observation, seq)
            self.accept(observation, seq)
        elif reconnected and self.epoch is None:
            self._reset(seq)
            self.accept(observation, seq)
        elif self.candidate is not None and seq - self.candidate in (0, 1):
            self._restart(observation, seq)
            self.accept(observation, seq)
        else:
            self._regress(observation, seq, seq)

    def _starts_anew(self, observation: Observation, seq: int) -> bool:
        """Whether it is a state that replaces what came, and not an old one that came late or again."""
        if self.epoch is not None or not replaces_state(observation):
            return False
        return seq >= self.last or (seq <= _FLOOR and not self._seen(observation)[1])

    def _replace(self, observation: Observation, seq: int) -> None:
        if seq < self.last:
            self._reset(seq)
        elif seq > self.last:
            self._return_to_former(seq)
            self.lose_all()
            self.report.skipped += seq - self.last - 1
        self.candidate = None
        self.accept(observation, seq)

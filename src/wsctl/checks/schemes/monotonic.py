"""monotonic: numbers rise and leave out any number of others (Coinbase's ticker and matches, Binance's bookTicker).

A number must not fall. An equal one is legal when the message says something else (several trades of one number, a
heartbeat while nothing happened) or is a whole state, which feeds send again (Binance's `@depth20` with its
`lastUpdateId`, whatever calls itself a snapshot). The same message word for word is a duplicate.

Proves order, and that what came came once. Blind to loss: that nothing is missing is never verified.
"""

from wsctl.checks.channel_report import DUPLICATE, REGRESSION, ChannelReport, Missing
from wsctl.checks.lane import Lane, Window
from wsctl.checks.link import LinkOf
from wsctl.checks.sequence import replaces_state
from wsctl.model.observation import Kind, Observation


class MonotonicLane(Lane):
    """`last` is the number of the latest message that was no duplicate: a fall is objected to once."""

    __slots__ = ("top",)

    scheme = "monotonic"
    missing = Missing.UNKNOWN
    proves_loss = False

    def __init__(self, name: str, report: ChannelReport, window: Window, link_of: LinkOf) -> None:
        super().__init__(name, report, window, link_of)
        self.top = 0
        """the highest number since the numbers began: beyond it nothing can be a repeat"""

    def arrive(self, at: float) -> None:
        """Count something heard on the channel."""
        if self.settled:
            self.top = self.last
        super().arrive(at)

    def settle(self) -> None:
        """Whatever came is dealt with: beyond the highest number nothing can be a repeat."""
        self.settled = self.started and self.last == self.top

    def message(self, observation: Observation, reconnected: bool) -> None:
        """Judge an update or a snapshot."""
        seq = observation.seq
        if seq is None:
            self.pass_over(observation)
        elif self.begins(observation, seq):
            self.accept(observation, seq)
        elif reconnected:  # the latest again (Coinbase's last_match), or numbers of its own
            if seq < self.last and self.epoch is None:
                self._reset(seq)
            self._follow(observation, seq)
        elif seq <= self.top and not self._is_legal_tie(observation, seq) and self._seen(observation)[1]:
            text = f"seq {seq} came again on {self.name}; expected {self.last} or more"
            self._object(DUPLICATE, observation.conn, seq, seq, observation.received_at, text)
        else:
            self._follow(observation, seq)

    def _follow(self, observation: Observation, seq: int) -> None:
        if seq < self.last:
            text = f"seq {seq} after {self.last} on {self.name}; expected {self.last} or more"
            self._object(REGRESSION, observation.conn, seq, seq, observation.received_at, text)
        self.top = max(self.top, seq)
        self.accept(observation, seq)

    def _is_legal_tie(self, observation: Observation, seq: int) -> bool:
        return seq == self.last and _is_state(observation)

    def _rebase(self, position: int) -> None:
        self.last = self.top = position


def _is_state(observation: Observation) -> bool:
    data = observation.data
    if observation.kind is Kind.SNAPSHOT or replaces_state(observation):
        return True
    return isinstance(data, dict) and "lastUpdateId" in data

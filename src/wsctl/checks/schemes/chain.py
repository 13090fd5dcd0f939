"""chain: a message names the id before it, beside its own (OKX's `prevSeqId` and `seqId`).

`prevSeqId` is the last `seqId`; ids jump by any amount. -1 begins a new chain: a snapshot. Two odd cases are legal:
nothing changed (`prevSeqId` and `seqId` are both the last one) and a reset (`prevSeqId` is the last, `seqId` lower).
New chains and resets are counted as resets.

Proves that something is missing; how much, nobody can tell, so that `missing` counts one for each gap. Blind to loss
at the tail and between two connections.
"""

from typing import Final

from wsctl.checks.channel_report import GAP, Missing
from wsctl.checks.span_lane import SpanLane
from wsctl.model.observation import Observation

_NEW: Final = -1
"""what a snapshot names as the id before it"""


class ChainLane(SpanLane):
    """A message covers the ids after the one it names, up to its own; `last` is the id of the newest."""

    __slots__ = ()

    scheme = "chain"
    missing = Missing.UNKNOWN
    noun = "id"

    def message(self, observation: Observation, reconnected: bool) -> None:
        """Judge an update or a snapshot."""
        before, id = self.link_of(self.name, observation.data).previous, observation.seq
        if before is None or id is None:
            self.pass_over(observation)
            return
        if self.begins(observation, id):
            self.accept(observation, id)
        elif before == _NEW:
            self._begin_anew(observation, id, reconnected)
        elif reconnected and before != self.last:
            self._reset(id)
            self.accept(observation, id)
        else:
            self._go_on(observation, before, id)

    def _begin_anew(self, observation: Observation, id: int, reconnected: bool) -> None:
        if id == self.last:  # asked for again while nothing changed
            self.lose_all()
            self.accept(observation, id)
        elif not reconnected and self._seen(observation)[1]:
            self._repeat(observation, id, id, changed=False)
        else:
            self._reset(id)
            self.accept(observation, id)

    def _go_on(self, observation: Observation, before: int, id: int) -> None:
        if before == self.candidate:
            self._restart(observation, before)
        if before < self.last < id:
            self._break(observation, before, id)
        elif before < id:
            self.update(observation, before + 1, id)
        elif before < self.last:
            self._behind(observation, id, id)
        else:
            self._stay_or_fall(observation, before, id)

    def _stay_or_fall(self, observation: Observation, before: int, id: int) -> None:
        """Nothing changed, or the chain was reset."""
        self._go_ahead(observation, before)
        if id < before:  # what is missing could not be told from what is to come
            self._reset(id)
        self.accept(observation, id)

    def _break(self, observation: Observation, before: int, id: int) -> None:
        """It comes after an id that was never the last: a reset that we did not hear of, and perhaps more."""
        self.lose_all()
        self.report.missing += 1
        text = f"id {id} comes after {before} on {self.name}; expected one after {self.last}"
        self._object(GAP, observation.conn, before + 1, id, observation.received_at, text)
        self._rebase(id)
        self.accept(observation, id)

    def _size(self, first: int, last: int) -> int:
        return 1

    def _absence(self, first: int, last: int) -> str:
        return f"what comes after {first - 1} never came on {self.name}; the next one known comes after {last}"

    def _named(self, first: int, last: int) -> str:
        return f"id {last}"

    @property
    def _next(self) -> str:
        return f"one after {self.last}"

"""range: a message covers the update-ids `U` to `u` and goes on where the one before ended (Binance's depth).

`U` is the last `u` plus 1. What straddles that (`U` ≤ last + 1 ≤ `u`) is in place as well; what ends at or before the
last `u` is old. On futures ids are shared with other symbols, so a message says itself which `u` it comes after,
`pu`, and covers what lies between.

Proves loss, in update-ids, not in messages. Blind to loss at the tail and between two connections: a client begins
with a state out of REST, which is not seen here, so the first message of a connection is taken as it is, and the ids
that no connection brought are counted as skipped.
"""

from wsctl.checks.channel_report import Missing
from wsctl.checks.span_lane import SpanLane
from wsctl.model.observation import Observation


class RangeLane(SpanLane):
    """`last` is the highest `u` that came."""

    __slots__ = ()

    scheme = "range"
    missing = Missing.UPDATE_IDS
    noun = "update-id"

    def message(self, observation: Observation, reconnected: bool) -> None:
        """Judge an update."""
        first, last = self._first(observation), observation.seq
        if first is None or last is None or first > last:
            self.pass_over(observation)
            return
        if self.begins(observation, last):
            self.accept(observation, last)
        elif reconnected:
            self.lose_all()
            self.former = None
            self.report.skipped += max(0, first - 1 - self.last)
            self._rebase(last)
            self.accept(observation, last)
        else:
            self.update(observation, first, last)

    def _first(self, observation: Observation) -> int | None:
        link = self.link_of(self.name, observation.data)
        return link.first if link.previous is None else link.previous + 1

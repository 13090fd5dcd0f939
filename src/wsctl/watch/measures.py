"""Measures: everything that one watched client says about its feed, as metrics of the vocabulary."""

from wsctl.checks.channel_report import FINDINGS_KEPT
from wsctl.checks.crossing import Crossing
from wsctl.checks.freshness import Had
from wsctl.checks.latency import Histogram, LatencyCheck
from wsctl.checks.reconnection import HOLD, ReconnectionCheck
from wsctl.checks.sequence import is_control, name_of
from wsctl.client.subscription import ACCESS
from wsctl.clock import Clock
from wsctl.errors import Denied, Refused, Unserved
from wsctl.model import event
from wsctl.model.finding import Finding
from wsctl.model.lifecycle import Lifecycle, Stage
from wsctl.model.metrics import METRICS
from wsctl.model.observation import Kind, Observation
from wsctl.watch.judging import Judging
from wsctl.wire.dialect import Dialect

CLIENT = "c1"
"""the one client's name in Observations and Lifecycles"""
AUTHENTICATION_ERROR = "Authentication error"
"""the connect error that a bad token gets"""
_LONGEST_SOURCE = 3600.0
"""seconds; a value due longer ago than this was recorded once, and its age is no latency"""

_FAMILIES = ("connections.", "auth.", "latency.", "ordering.", "reconnect.", "silence.", "staleness.", "clock.")
_NEVER = frozenset({"connections.rate", "connections.limit"})
MEASURED = frozenset(
    {name for name in METRICS if name.startswith(_FAMILIES)} - _NEVER | {"messages.received", "messages.rate", "errors"}
)
"""what one client can measure"""


class Measures:
    """Feed it what a Watching yields; read `metrics()` at any time. `dialect` is the feed's; None: the platform's."""

    def __init__(self, clock: Clock, dialect: Dialect | None = None, *, recovery_hold: float = HOLD) -> None:
        self.judging = Judging(dialect, times=True)
        self.ordering = self.judging.ordering
        self.latency = LatencyCheck()
        self.reconnection = ReconnectionCheck(recovery_hold)
        self.findings: list[Finding] = []
        """the first FINDINGS_KEPT of them"""
        self.longest_silence: float | None = None
        """seconds; None: nobody listened for silence"""
        self._source = Histogram()
        self._clock = clock
        self._counts = dict.fromkeys(
            ("opened", "subscribed", "refused", "evicted", "closed", "denied", "unauthorised"), 0
        )
        self._errors = 0
        self._received = 0
        self._measured_from: tuple[float, int] | None = None
        """when the subscription was first served, in unix seconds, and messages by then"""
        self._ended_at: float | None = None
        """unix seconds"""
        self._connected = False
        self._transport: str | None = None
        self._heard = False
        """a message came since the latest subscription"""
        self._heard_on: dict[str, str] = {}
        """by channel: the connection that it spoke on last"""
        self._crossing: dict[str, Crossing] = {}
        """by channel, until it brings what was sent to the current connection, and not to the one before"""
        self._joined_at = 0.0
        """unix seconds: the latest"""
        self._objections: dict[str, None] = {}
        """what the server said of subscriptions that are not as asked for"""

    def add(self, item: Observation | Lifecycle) -> None:
        """Take what happened."""
        if isinstance(item, Lifecycle):
            self._add_stage(item)
        else:
            self._add_observation(item)

    def refused(self, error: Refused | Unserved) -> None:
        """The feed did not let us in, or not to what was asked for, and that is the end of it."""
        self._connected = False
        if isinstance(error, Denied | Unserved):
            self._add_refusals(error.codes)
        else:
            self._counts["refused"] += 1
            self._counts["unauthorised"] += AUTHENTICATION_ERROR in error.message

    def malformed(self, frames: int) -> None:
        """So many could not be read."""
        self.ordering.malformed += frames
        self._errors += frames

    def close(self) -> None:
        """No more will come."""
        self._ended_at = self._clock.now()
        self._keep(self.ordering.close())

    def metrics(self) -> dict[str, float]:
        """What was measured, in base units; what was not is absent."""
        counts, now = self._counts, self._now()
        found: dict[str, float] = {
            "connections.asked": 1,
            "connections.opened": min(1, counts["opened"]),
            "connections.subscribed": min(1, counts["subscribed"]),
            "connections.receiving": int(self._connected and self._heard),
            "connections.polling": int(self._connected and self._heard and self._transport == "polling"),
            "connections.peak": min(1, counts["opened"]),
            "connections.refused": counts["refused"],
            "connections.evicted": counts["evicted"],
            "connections.closed": counts["closed"],
            "auth.refused": counts["unauthorised"],
            "auth.denied": counts["denied"],
            "errors": self._errors,
        }
        if self._measured_from is not None:
            since, before = self._measured_from
            if now > since:
                found["messages.rate"] = (self._received - before) / (now - since)
        if self.longest_silence is not None:
            found["silence.max"] = self.longest_silence
        found |= self.latency.metrics() | self._source.metrics("latency.source")
        return found | self.judging.metrics() | self.reconnection.metrics(now)

    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures should know."""
        now = self._now()
        funnel = self.reconnection.funnel(now)
        return (*self._objections, *(() if funnel is None else (str(funnel),)), *self.reconnection.notes(now))

    def _now(self) -> float:
        return self._clock.now() if self._ended_at is None else self._ended_at

    def _add_stage(self, stage: Lifecycle) -> None:
        self.reconnection.stage(stage)
        match stage.stage:
            case Stage.JOINED:
                self._counts["opened"] += 1
                self._connected, self._transport, self._joined_at = True, stage.transport, stage.at
            case Stage.SUBSCRIBED:
                self._counts["subscribed"] += not stage.refused
                self._add_refusals(stage.refused)
                if stage.reason is not None:
                    self._objections[stage.reason] = None
                self._heard = False
                if self._measured_from is None:
                    self._measured_from = (stage.at, self._received)
            case Stage.FAILED:
                self._errors += 1
            case Stage.CUT:
                self._counts["closed"] += 1
                self._connected = False

    def _add_refusals(self, codes: tuple[str, ...]) -> None:
        """Subscriptions that were not served."""
        self._errors += len(codes)
        self._counts["denied"] += sum(code in ACCESS for code in codes)

    def _add_observation(self, seen: Observation) -> None:
        self._note_connection(seen)
        self._keep(self.judging.add(seen))
        self.latency.add(seen)
        if is_control(seen):
            self._counts["evicted"] += _is_eviction(seen)
            return
        if seen.kind in (Kind.HEARTBEAT, Kind.SKIPPED):
            return
        self._received += 1
        self._heard = True
        self._add_source_latency(seen)
        self.reconnection.heard(CLIENT, name_of(seen), seen.received_at, self._is_news(seen))

    def _note_connection(self, seen: Observation) -> None:
        """Keep what a channel said on the former connection, before it says something on this one."""
        name = name_of(seen)
        former = self._heard_on.get(name)
        if former == seen.conn:
            return
        self._heard_on[name] = seen.conn
        lane = None if former is None else self.ordering.lane(former, name)
        if lane is not None:
            self._crossing[name] = Crossing(Had.of(lane), self._joined_at)

    def _is_news(self, seen: Observation) -> bool:
        """Whether it goes beyond what the client had when it lost a connection."""
        name = name_of(seen)
        crossing = self._crossing.get(name)
        if crossing is None:
            return True
        # a latency is there where clocks can be compared
        sent_at = None if seen.latency_ms is None else seen.received_at - seen.latency_ms / 1000
        self.reconnection.across(CLIENT, crossing.add(seen, sent_at, is_state=seen.kind is Kind.SNAPSHOT))
        if crossing.is_over:
            del self._crossing[name]
        return crossing.is_fresh

    def _add_source_latency(self, seen: Observation) -> None:
        """Received − sourceTime, by the clocks' difference that the latency was corrected by."""
        due = seen.data.get("sourceTime") if isinstance(seen.data, dict) else None
        if seen.kind is not Kind.UPDATE or seen.latency_ms is None or seen.sent_at is None:
            return
        if not isinstance(due, int | float) or isinstance(due, bool):
            return
        seconds = seen.latency_ms / 1000 + seen.sent_at - due / 1000
        if 0 <= seconds < _LONGEST_SOURCE:
            self._source.record(seconds)

    def _keep(self, findings: list[Finding]) -> None:
        self.findings += findings[: FINDINGS_KEPT - len(self.findings)]
        for finding in findings:
            if finding.kind == "gap":
                self.reconnection.lost(CLIENT, finding.at)


def _is_eviction(seen: Observation) -> bool:
    return seen.event == event.CLOSING and isinstance(seen.data, dict) and seen.data.get("reason") == "evicted"

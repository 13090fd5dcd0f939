"""Ordering: did every message of a channel come, once, and in its place?

One position is kept per client and channel, in a lane: what its numbers mean, the channel's scheme says
(checks/schemes). Most can show holes, and what a message means is read off its distance to the position
(checks/span_lane); some cannot, and then nothing is verified, whatever comes.

Time is always the `received_at` of a message, never a clock, so that a recorded stream gives the verdict that
the live one gave.
"""

from collections.abc import Callable
from typing import Any

from wsctl.checks.channel_report import ChannelReport
from wsctl.checks.lane import Lane, Window
from wsctl.checks.link import LinkOf, no_link
from wsctl.checks.schemes import SCHEMES
from wsctl.checks.schemes.counter import CounterLane
from wsctl.checks.sequence import WINDOW_MESSAGES, WINDOW_SECONDS, is_control, left_out, name_of, next_seq
from wsctl.model.finding import Finding, Verdict
from wsctl.model.observation import Kind, Observation

_LOSS = ("gaps", "missing")
_COUNTS = ("duplicates", "reorders", "regressions", "resets", "skipped")


def _counted(channel: str) -> str:
    return CounterLane.scheme


class OrderingCheck:
    """Judges a stream of Observations of any number of clients and channels, each by the scheme of its channel.

    `scheme_of` names a channel's scheme, a key of SCHEMES; unless told otherwise, all are counters. `link_of` reads
    how a message ties to the one before out of a channel's payload; a dialect knows. Hand in the messages of one
    client and channel as they arrived; clients and channels may interleave.
    """

    def __init__(
        self,
        scheme_of: Callable[[str], str] = _counted,
        link_of: LinkOf = no_link,
        *,
        window_messages: int = WINDOW_MESSAGES,
        window_seconds: float = WINDOW_SECONDS,
    ) -> None:
        self.channels: dict[str, ChannelReport] = {}
        self.malformed = 0
        """frames of the server that could not be read, as whoever reads them says: each may have been a message"""
        self._scheme_of = scheme_of
        self._link_of = link_of
        self._window = Window(window_messages, window_seconds)
        self._lanes: dict[tuple[str, str], Lane] = {}
        """by client and name"""
        self._current: dict[tuple[str, str], Lane] = {}
        """the same lanes by connection and name, so that the common path need not parse the connection"""

    def add(self, observation: Observation) -> list[Finding]:
        """Take in one Observation; the findings it brought to light, mostly none."""
        channel = observation.channel
        lane = self._current.get((observation.conn, observation.event if channel is None else channel))
        # The common path: the next update of a channel on which nothing is open. Several hundred thousand
        # a second must pass here, so it asks only what can tell it from every other case.
        if (
            lane is not None
            and lane.calm
            and observation.seq == lane.last + 1
            and observation.epoch == lane.epoch
            and observation.event == lane.event
        ):
            data = observation.data
            if type(data) is dict and "snapshot" not in data and "n" not in data:
                lane.last += 1
                lane.remember(observation)
                lane.report.messages += 1
                return []
        return self._judge(observation)

    def lane(self, conn: str, name: str) -> Lane | None:
        """Where a connection stands on a channel; None before the first message there that has a place.

        For those who take the common path of `add` themselves, over tens of thousands of connections.
        """
        return self._current.get((conn, name))

    def leave(self, conn: str, name: str) -> list[Finding]:
        """A connection no longer listens to a channel: its open holes become gaps, its place is given up."""
        lane = self._current.pop((conn, name), None)
        if lane is None:
            return []
        del self._lanes[conn.partition(".")[0], name]
        lane.lose_all()
        lane.settle()
        return lane.take_findings()

    def close(self) -> list[Finding]:
        """The stream has ended: holes still open become gaps. The findings that makes."""
        found: list[Finding] = []
        for lane in self._lanes.values():
            lane.lose_all()
            lane.settle()
            found += lane.take_findings()
        return found

    @property
    def verdict(self) -> Verdict:
        """fail if any channel fails; pass if messages came, every channel proves that none is missing and every
        frame could be read; else unverifiable.

        A channel on which only heartbeats or declared skips came has nothing to judge and does not weigh in.
        """
        reports = self.channels.values()
        if any(report.objections for report in reports):
            return Verdict.FAIL
        verdicts = {report.verdict for report in reports if report.messages}
        return Verdict.PASS if verdicts == {Verdict.PASS} and not self.malformed else Verdict.UNVERIFIABLE

    @property
    def findings_left_out(self) -> int:
        """How many findings were counted and not kept."""
        return sum(report.findings_left_out for report in self.channels.values())

    def metrics(self) -> dict[str, int]:
        """`ordering.*` over all channels, as far as anything numbered came; absent is what nothing could show.

        `ordering.missing` counts what the channels count: see ChannelReport.missing_unit.
        """
        numbered = [report for report in self.channels.values() if report.numbered]
        names = (*(_LOSS if any(report.proves_loss for report in numbered) else ()), *(_COUNTS if numbered else ()))
        return {f"ordering.{name}": sum(getattr(one, name) for one in self.channels.values()) for name in names}

    def as_json(self) -> dict[str, Any]:
        """What `ordering-check --format json` prints."""
        return {
            "verdict": self.verdict.value,
            "channels": {name: report.as_json() for name, report in self.channels.items()},
            "malformed": self.malformed,
        }

    def _judge(self, observation: Observation) -> list[Finding]:
        if is_control(observation):
            return []
        kind = observation.kind
        if kind is Kind.HEARTBEAT:
            return self._heartbeat(observation)
        if kind is Kind.SKIPPED:
            return self._skipped(observation)
        lane, reconnected = self._arrival(observation)
        lane.report.messages += 1
        lane.message(observation, reconnected)
        if kind is Kind.UPDATE:
            lane.event = observation.event
        lane.settle()
        return lane.take_findings()

    def _heartbeat(self, observation: Observation) -> list[Finding]:
        announced = next_seq(observation)
        if observation.channel is None or announced is None:
            return []
        lane, reconnected = self._arrival(observation)
        lane.heartbeat(observation, announced, reconnected)
        lane.settle()
        return lane.take_findings()

    def _skipped(self, observation: Observation) -> list[Finding]:
        declared = left_out(observation)
        if observation.channel is None or declared is None:
            return []
        lane, _ = self._arrival(observation)
        lane.skipped(observation, *declared)
        lane.settle()
        return lane.take_findings()

    def _arrival(self, observation: Observation) -> tuple[Lane, bool]:
        """The lane it belongs to, the window closed on it; and whether the client reconnected since."""
        conn, name = observation.conn, name_of(observation)
        lane = self._current.get((conn, name))
        reconnected = False
        if lane is None:
            key = (observation.client, name)
            lane = self._lanes.get(key)
            if lane is None:
                lane = self._lanes[key] = self._new_lane(name)
            else:
                reconnected = True
                del self._current[lane.conn, name]
            self._current[conn, name] = lane
            lane.conn = conn
        lane.arrive(observation.received_at)
        return lane, reconnected

    def _new_lane(self, name: str) -> Lane:
        kind = SCHEMES[self._scheme_of(name)]
        report = self.channels.get(name)
        if report is None:
            report = ChannelReport(kind.scheme, kind.missing, kind.proves_loss)
            self.channels[name] = report
        return kind(name, report, self._window, self._link_of)

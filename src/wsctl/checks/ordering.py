"""Ordering: did every message of a channel come, once, and in its place?

One position is kept per client and channel: `last`, the highest seq that came or was declared. What a message
means is read off its distance to that position, by the dialect's rules:

    seq == last + 1          in place
    seq >  last + 1          a hole opens; it is a gap once the reorder window has closed on it
    seq <= last, in a hole   a reorder: it came after a later one, inside the window
    seq <= last, seen        a duplicate
    seq <= last, else        a regression, and perhaps a restart: the next message tells
    another epoch            a reset: counted, not objected to

Time is always the `received_at` of a message, never a clock, so that a recorded stream gives the verdict that
the live one gave. Holes are intervals: a jump of millions costs what a jump of two costs.
"""

from typing import Any

from wsctl.checks.channel_report import ChannelReport
from wsctl.checks.lane import Lane, Window
from wsctl.checks.sequence import WINDOW_MESSAGES, WINDOW_SECONDS, is_control, left_out, name_of, next_seq
from wsctl.model.finding import Finding, Verdict
from wsctl.model.observation import Kind, Observation


class OrderingCheck:
    """Judges a stream of Observations of any number of clients and channels.

    Hand in the messages of one client and channel as they arrived; clients and channels may interleave.
    """

    def __init__(self, *, window_messages: int = WINDOW_MESSAGES, window_seconds: float = WINDOW_SECONDS) -> None:
        self.channels: dict[str, ChannelReport] = {}
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
        """fail if any channel fails; pass if messages came and all of them were numbered; else unverifiable.

        A channel on which only heartbeats or declared skips came has nothing to judge and does not weigh in.
        """
        reports = self.channels.values()
        if any(report.objections for report in reports):
            return Verdict.FAIL
        verdicts = {report.verdict for report in reports if report.messages}
        return Verdict.PASS if verdicts == {Verdict.PASS} else Verdict.UNVERIFIABLE

    @property
    def findings_left_out(self) -> int:
        """How many findings were counted and not kept."""
        return sum(report.findings_left_out for report in self.channels.values())

    def metrics(self) -> dict[str, int]:
        """`ordering.*` over all channels; empty when no numbered message came: nothing was measured then."""
        reports = self.channels.values()
        if not any(report.numbered for report in reports):
            return {}
        names = ("gaps", "missing", "duplicates", "reorders", "regressions", "resets", "skipped")
        return {f"ordering.{name}": sum(getattr(report, name) for report in reports) for name in names}

    def as_json(self) -> dict[str, Any]:
        """What `ordering-check --format json` prints."""
        return {
            "verdict": self.verdict.value,
            "channels": {name: report.as_json() for name, report in self.channels.items()},
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
        if observation.seq is None:
            lane.report.unnumbered += 1
        elif lane.begins(observation, observation.seq):
            lane.accept(observation, observation.seq)
        elif kind is Kind.SNAPSHOT:
            lane.snapshot(observation, observation.seq, reconnected)
        else:
            lane.update(observation, observation.seq, reconnected)
        if kind is Kind.UPDATE:
            lane.event = observation.event
        lane.settle()
        return lane.take_findings()

    def _heartbeat(self, observation: Observation) -> list[Finding]:
        announced = next_seq(observation)
        if observation.channel is None or announced is None:
            return []
        lane, reconnected = self._arrival(observation)
        if not lane.begins(observation, announced - 1):
            lane.heartbeat(observation, announced, reconnected)
        lane.settle()
        return lane.take_findings()

    def _skipped(self, observation: Observation) -> list[Finding]:
        declared = left_out(observation)
        if observation.channel is None or declared is None:
            return []
        lane, _ = self._arrival(observation)
        lane.begins(observation, declared[0] - 1)
        lane.skipped(observation, *declared)
        lane.settle()
        return lane.take_findings()

    def _arrival(self, observation: Observation) -> tuple["Lane", bool]:
        """The lane it belongs to, the window closed on it; and whether the client reconnected since."""
        conn, name = observation.conn, name_of(observation)
        lane = self._current.get((conn, name))
        reconnected = False
        if lane is None:
            key = (observation.client, name)
            lane = self._lanes.get(key)
            if lane is None:
                report = self.channels.setdefault(name, ChannelReport())
                lane = self._lanes[key] = Lane(name, report, self._window)
            else:
                reconnected = True
                del self._current[lane.conn, name]
            self._current[conn, name] = lane
            lane.conn = conn
        lane.arrive(observation.received_at)
        return lane, reconnected

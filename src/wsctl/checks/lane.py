"""A lane: one channel as one client hears it. What its numbers mean, a scheme says: see checks/schemes."""

from abc import ABC, abstractmethod
from collections import deque
from typing import ClassVar

import msgspec

from wsctl.checks.channel_report import ChannelReport, Missing
from wsctl.checks.link import LinkOf
from wsctl.checks.sequence import same_payload
from wsctl.model.finding import Finding
from wsctl.model.observation import Observation


class Window(msgspec.Struct, frozen=True):
    """How long what is missing may still come: so many later messages, so many seconds."""

    messages: int
    seconds: float


class Pending(msgspec.Struct, frozen=True):
    """Something that the window closes on: when it began, in time and in arrivals on its lane."""

    at: float
    arrival: int


class Lane(ABC):
    """What the lanes of all schemes have in common.

    The common path of OrderingCheck.add reads and moves a lane's fields itself: where `calm`, a message of the same
    event and epoch and of seq `last + 1` is in place. A lane for which that is not so is never calm.

    The swarm's common path holds for all schemes. Two lanes of a channel that are `settled` in the same epoch at the
    same `last` judge the same message alike; so what one of them made of it may be done to the other: `last` moved,
    the message remembered.
    """

    __slots__ = (
        "arrivals",
        "calm",
        "conn",
        "epoch",
        "event",
        "found",
        "last",
        "link_of",
        "name",
        "recent",
        "remember",
        "report",
        "settled",
        "started",
        "window",
    )

    scheme: ClassVar[str]
    """its name, as dialects say it"""
    missing: ClassVar[Missing]
    """what it counts as missing"""
    proves_loss: ClassVar[bool]
    """whether its numbers show if something is missing"""

    def __init__(self, name: str, report: ChannelReport, window: Window, link_of: LinkOf) -> None:
        self.name = name
        self.report = report
        self.window = window
        self.link_of = link_of
        self.conn = ""
        self.epoch: str | None = None
        self.event: str | None = None
        """event name of the latest update: what the common path compares with"""
        self.started = False
        self.last = 0
        """the position, once started"""
        self.calm = False
        """settled, and one update follows another: the next one in sequence needs no thought"""
        self.settled = False
        """nothing is open: epoch and `last` decide what is made of a message that goes beyond `last`"""
        self.arrivals = 0
        """counts on while not calm; only differences matter"""
        self.recent: deque[Observation] = deque(maxlen=window.messages)
        """the latest messages: repeats are known by them"""
        self.remember = self.recent.append
        self.found: list[Finding] = []

    @abstractmethod
    def message(self, observation: Observation, reconnected: bool) -> None:
        """Judge an update or a snapshot; `reconnected`: it is the first thing heard on a further connection."""

    # The platform's own control events; no other scheme knows them.

    def heartbeat(self, observation: Observation, announced: int, reconnected: bool) -> None:  # noqa: B027
        """Every number below `announced` was sent."""

    def skipped(self, observation: Observation, first: int, last: int) -> None:  # noqa: B027
        """`first` to `last` were left out on purpose."""

    def arrive(self, at: float) -> None:
        """Count something heard on the channel and close the window on what waited too long."""
        self.arrivals += 1

    def settle(self) -> None:  # noqa: B027
        """Whatever came is dealt with: see whether anything is still open."""

    def lose_all(self) -> None:  # noqa: B027
        """What did not come yet never will."""

    def pass_over(self, observation: Observation) -> None:
        """Nothing that the scheme could judge is in it."""
        self.report.unnumbered += 1
        self.remember(observation)

    def take_findings(self) -> list[Finding]:
        """The findings since the last time."""
        found, self.found = self.found, []
        return found

    def begins(self, observation: Observation, position: int) -> bool:
        """Take `position` as baseline of a new lane or of a new epoch; False where the sequence goes on."""
        if not self.started:
            self.started = True
            self._rebase(position)
            self.epoch = observation.epoch
            return True
        if observation.epoch is None or observation.epoch == self.epoch:
            return False
        renumbered, self.epoch = self.epoch is not None, observation.epoch
        if renumbered:
            self._reset(position)
        return renumbered

    def accept(self, observation: Observation, position: int) -> None:
        """It is the newest."""
        self.last = position
        self.remember(observation)

    def _rebase(self, position: int) -> None:
        self.last = position

    def _reset(self, position: int) -> None:
        """Numbers start again, and the feed says so: what was open can no longer be filled."""
        self.report.resets += 1
        self.lose_all()
        self.recent.clear()
        self._rebase(position)

    def _is_over(self, pending: Pending, at: float) -> bool:
        window = self.window
        return self.arrivals - pending.arrival > window.messages or at - pending.at > window.seconds

    def _seen(self, observation: Observation) -> tuple[bool, bool]:
        """Whether a message of its seq came lately; whether one of them says the same."""
        seen = [known for known in self.recent if known.seq == observation.seq]
        return bool(seen), any(same_payload(known, observation) for known in seen)

    def _object(self, kind: str, conn: str, first: int, last: int, at: float, message: str) -> None:
        finding = Finding(kind=kind, conn=conn, channel=self.name, first=first, last=last, at=at, message=message)
        self.found.append(finding)
        self.report.take(finding)

"""The course of a load: how many users there should be at every moment."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from wsctl.load.profile import StageSpec


class Leg(Struct, frozen=True):
    """A stretch over which the number of users goes evenly from one to another. Times in seconds from the start."""

    stage: int
    """index of the stage that it belongs to"""
    begins: float
    ends: float
    first: int
    last: int

    def users(self, at: float) -> int:
        """How many there should be at a moment within it."""
        if at >= self.ends:
            return self.last
        return self.first + round((self.last - self.first) * (at - self.begins) / (self.ends - self.begins))


class Course:
    """Stages as a function of time; it begins with nobody."""

    def __init__(self, stages: Sequence[StageSpec]) -> None:
        self.legs = tuple(_legs(stages))
        self.duration = self.legs[-1].ends if self.legs else 0.0
        """seconds"""
        self.most = max((max(leg.first, leg.last) for leg in self.legs), default=0)
        """users at the peak"""

    def leg(self, at: float) -> Leg | None:
        """Where the course is at a moment; None once it is over."""
        return leg_at(self.legs, at)

    def users(self, at: float) -> int | None:
        """How many there should be at a moment; None once it is over."""
        leg = self.leg(at)
        return None if leg is None else leg.users(at)


def leg_at(legs: Sequence[Leg], at: float) -> Leg | None:
    """The one that a moment is in; None after the last."""
    return next((leg for leg in legs if at < leg.ends), None)


def _legs(stages: Sequence[StageSpec]) -> Iterator[Leg]:
    at, users = 0.0, 0
    for index, stage in enumerate(stages):
        for lasts, first, last in _course(stage, users):
            yield Leg(index, at, at + lasts, first, last)
            at, users = at + lasts, last


def _course(stage: StageSpec, users: int) -> Iterator[tuple[float, int, int]]:
    """How long, from how many, to how many; a ramp over no time is there at once."""
    if stage.ramp is not None:
        assert stage.over is not None
        yield stage.over, users, stage.ramp
    elif stage.hold is not None:
        yield stage.hold, users, users
    elif stage.step is not None:
        assert stage.every is not None
        assert stage.until is not None
        while users < stage.until:
            users = min(users + stage.step, stage.until)
            yield stage.every, users, users
    else:
        assert stage.spike is not None
        assert stage.lasting is not None
        yield stage.lasting, users + stage.spike, users + stage.spike
        yield 0.0, users, users

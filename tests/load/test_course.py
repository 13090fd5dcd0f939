"""Stages as numbers of users over time."""

import pytest

from wsctl.errors import UsageError
from wsctl.load.course import Course
from wsctl.load.profile import StageSpec

RAMP, HOLD = StageSpec(ramp=100, over=10.0), StageSpec(hold=5.0)


def at(stages: list[StageSpec], *moments: float) -> list[int | None]:
    """How many users there should be at some moments."""
    course = Course(stages)
    return [course.users(moment) for moment in moments]


def test_a_ramp_is_even_and_a_hold_keeps_its_end() -> None:
    assert at([RAMP, HOLD], 0, 1, 5, 9.99, 10, 14.9, 15) == [0, 10, 50, 100, 100, 100, None]


def test_a_ramp_may_fall_and_go_at_once() -> None:
    assert at([StageSpec(ramp=40, over=0.0), HOLD, StageSpec(ramp=0, over=4.0)], 0, 5, 7, 8.99) == [40, 40, 20, 0]


def test_steps_are_held_and_the_last_one_is_shorter() -> None:
    steps = [StageSpec(step=300, every=2.0, until=1000)]
    assert at(steps, 0, 1.9, 2, 4, 6, 7.9, 8) == [300, 300, 600, 900, 1000, 1000, None]


def test_steps_that_are_there_already_take_no_time() -> None:
    assert Course([RAMP, StageSpec(step=10, every=2.0, until=100)]).duration == 10


def test_a_spike_goes_as_it_came() -> None:
    stages = [RAMP, StageSpec(spike=50, lasting=3.0), HOLD]
    assert at(stages, 9, 10, 12.9, 13, 17.9, 18) == [90, 150, 150, 100, 100, None]
    assert Course(stages).most == 150


def test_the_stage_of_a_moment_is_known() -> None:
    course = Course([RAMP, HOLD])
    assert [leg and leg.stage for leg in map(course.leg, (0, 9.9, 10, 15))] == [0, 0, 1, None]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "a stage says nothing; expected one of ramp, hold, step, spike"),
        ({"ramp": 1, "hold": 2.0, "over": 1.0}, "a stage says ramp and hold; expected one of ramp, hold, step, spike"),
        ({"ramp": 1}, "ramp lacks 'over'"),
        ({"hold": 1.0, "every": 2.0}, "hold knows no 'every'"),
        ({"step": 1, "every": 1.0}, "step lacks 'until'"),
    ],
)
def test_a_stage_that_makes_no_sense_is_told(said: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match="^" + message.replace("(", "\\(") + "$"):
        StageSpec(**said)  # type: ignore[arg-type]

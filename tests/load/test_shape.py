"""The course as Locust asks for it. In a process of its own: importing Locust patches the process."""

import json
import subprocess
import sys

from tests.cli.program import environment

ASK = """
import json, sys
from wsctl.load.locust import shape
from wsctl.load.course import Course
from wsctl.load.profile import StageSpec
now = [100.0]
shape.time.monotonic = lambda: now[0]
shape.BEGIN_WITHIN = 0.01
asked = shape.CourseShape(Course([StageSpec(**stage) for stage in json.loads(sys.argv[1])]).legs)
told = []
for at in json.loads(sys.argv[2]):
    now[0] = 100.0 + at
    users = asked.tick()
    told.append([users and users[0], asked.stage, asked.stage_at(at - 0.5)])
print(json.dumps(told))
"""


def told(stages: list[dict[str, float]], *moments: float) -> list[list[float | None]]:
    """How many users, in which stage, and in which half a second before; at some moments."""
    arguments = [sys.executable, "-c", ASK, json.dumps(stages), json.dumps(moments)]
    ended = subprocess.run(arguments, env=environment(), capture_output=True, check=True, timeout=60)
    answer: list[list[float | None]] = json.loads(ended.stdout)
    return answer


def test_all_users_of_a_ramp_are_asked_for_within_it_and_those_of_the_next_stage_are_not() -> None:
    stages = [{"ramp": 30, "over": 3.0}, {"spike": 5, "lasting": 2.0}, {"hold": 2.0}]
    assert told(stages, 0, 1.01, 2.02, 3.03, 4.04, 5.05, 6.06, 7.07) == [
        [10, 0, None],
        [20, 0, 0],
        [30, 0, 0],
        [35, 1, 0],
        [35, 1, 1],
        [30, 2, 1],
        [30, 2, 2],
        [None, None, 2],
    ]


def test_a_ramp_over_next_to_no_time_is_at_its_end_at_once() -> None:
    assert told([{"ramp": 50, "over": 0.06}, {"hold": 1.0}], 0, 1.0) == [[50, 0, None], [50, 1, 0]]

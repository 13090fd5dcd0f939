"""The shipped scenarios of chaos, in small: each passes, and fails where something is broken on purpose.

A copy has its steps twice, the second time broken: one start of its services for both.
"""

from collections.abc import Callable, Iterator, Set
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.scenario.suite import SUITE, Edit, run
from wsctl.scenario.read import ASIDE, read_scenarios

Result = dict[str, Any]


class Case(NamedTuple):
    """A scenario made short, how its steps are broken, and what those miss; `told` is in a note of them."""

    name: str
    smaller: tuple[Edit, ...]
    broken: Edit
    missed: Set[str]
    told: str = ""
    perhaps: Set[str] = frozenset()
    """what may be missed as well, depending on how busy the machine is"""


FORGETFUL = ("reconnect: {", "reconnect: {resubscribe: false, ")
LOST = {"reconnect.success_rate", "reconnect.time.p99", "connections.receiving"}
CASES = (
    Case(
        "flash",
        (
            ("clients: 1500", "clients: 60"),
            ("cut: 1500", "cut: 60"),
            ("receiving: 1500", "receiving: 60"),
            ('lower: ">= 99.8 %"', 'lower: ">= 95 %"'),  # as much as sixty can prove
            ("delay_max: 5s", "attempts: 100, delay: 100ms, delay_max: 500ms"),
            ("duration: 45s", "duration: 5s"),
            ("at: 5s", "at: 1s"),
            ("outage: 3s", "outage: 500ms, within: 2500ms, hold: 1s"),
            ("< 20 s", "< 3 s"),
        ),
        FORGETFUL,
        {*LOST, "reconnect.success_rate_lower", "reconnect.stale.p99"},
        "60 did not subscribe",
    ),
    Case(
        "silent-channel",
        (
            ("duration: 8s", "duration: 4500ms"),
            ("at: 2s", "at: 500ms"),
            ("for: 4s", "for: 2500ms"),
            ("> 3500 ms", "> 2200 ms"),
            ("> 80", "> 20"),
        ),
        ("for: 2500ms", "for: 600ms"),
        {"silence.max"},
    ),
    Case(
        "zombie",
        (
            ("clients: 20", "clients: 5"),
            ("cut: 20", "cut: 5"),
            ("receiving: 20", "receiving: 5"),
            ("times: 20", "times: 5"),
            ("ping_interval: 1s, ping_timeout: 1s", "ping_interval: 400ms, ping_timeout: 800ms"),
            ("duration: 12s", "duration: 6s"),
            ("within: 8s, hold: 2s", "within: 4s, hold: 500ms"),
            ("delay_max: 1s", "delay: 100ms, delay_max: 200ms"),
            ("> 500 ms", "> 100 ms"),
        ),
        ("times: 5, ", ""),  # whoever comes is stalled, too
        LOST,
        "not back in time",
        perhaps={"reconnect.detect.p99"},
    ),
    Case(
        "rolling-restart",
        (
            ("clients: 60", "clients: 12"),
            ("cut: 90", "cut: 18"),
            ("receiving: 60", "receiving: 12"),
            ("duration: 14s", "duration: 6500ms"),
            ("delay: 500ms, delay_max: 1s", "delay: 100ms, delay_max: 300ms"),
            ("down: 2s, pause: 3s, within: 5s, hold: 1s", "down: 500ms, pause: 2s, within: 2500ms, hold: 500ms"),
        ),
        FORGETFUL,
        {*LOST, "reconnect.cut", "ordering.resets"},  # who was forgotten by the first restart is not cut by the second
        "12 did not subscribe",
    ),
    Case(
        "message-loss",
        (
            ("clients: 30", "clients: 5"),
            ("cut: 30", "cut: 5"),
            ("receiving: 30", "receiving: 5"),
            ("duration: 12s", "duration: 6s"),
            ("delay_max: 1s", "delay: 100ms, delay_max: 300ms"),
            ("at: 1s", "at: 300ms"),
            ("nth: 20, times: 60, for: 3s", "nth: 5, times: 20, for: 2s"),
            ("gaps: 60", "gaps: 20"),
            ("missing: 60", "missing: 20"),
            ("at: 4s", "at: 2500ms"),
            ("within: 5s, hold: 2s", "within: 2500ms, hold: 500ms"),
        ),
        ("drop: {", "duplicate: {"),
        {"ordering.gaps", "ordering.missing", "ordering.duplicates"},
    ),
    Case(
        "slow-reader",
        (
            ("clients: 4", "clients: 2"),
            ("receiving: 4", "receiving: 2"),
            ("clients: 8", "clients: 2"),
            ("receiving: 8", "receiving: 2"),
            ("duration: 10s", "duration: 4s"),
            ("at: 1s", "at: 300ms"),
            ("for: 5s", "for: 3s"),
            ("< 50 ms", "< 250 ms"),
        ),
        ("rate: 20000", "rate: 20000000"),  # wide enough
        {"ordering.skipped"},
        perhaps={"latency.p95"},
    ),
    Case(
        "too-many-requests",
        (
            ("clients: 50", "clients: 10"),
            ("cut: 50", "cut: 10"),
            ("receiving: 50", "receiving: 10"),
            ("duration: 13s", "duration: 5500ms"),
            ("at: 1s", "at: 500ms"),
            ("at: 1100ms", "at: 600ms"),
            ("retry_after: 2, for: 3s", "retry_after: 1, for: 1s"),
            ("within: 8s, hold: 2s", "within: 4s, hold: 500ms"),
        ),
        ("reconnect: {delay: 200ms", "reconnect: {policy: fixed, attempts: 100, delay: 50ms"),
        {"reconnect.attempts"},
    ),
)


def copied(case: Case) -> str:
    """The scenario in small, its steps twice."""
    text = (SUITE / "chaos" / f"{case.name}.yaml").read_text()
    for old, new in case.smaller:
        assert old in text, f"{case.name}.yaml says {old!r} no more"
        text = text.replace(old, new)
    steps = text.partition("steps:\n")[2]
    assert case.broken[0] in steps
    return text + steps.replace(*case.broken).replace("- name: ", "- name: broken, ")


@pytest.fixture(scope="module")
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Case], Any]]:
    """Runs every case that a test is about to ask for, two at a time."""

    def run_one(case: Case, folder: Path) -> Result:
        (folder / "s.yaml").write_text(copied(case))
        (scenario,) = run(str(folder), out=folder / "results")["scenarios"]
        return scenario

    with ThreadPoolExecutor(2) as pool:
        wanted = [item.callspec.params["case"] for item in request.session.items if _is_case(item)]
        started: dict[str, Future[Result]] = {
            case.name: pool.submit(run_one, case, tmp_path_factory.mktemp("chaos")) for case in wanted
        }
        yield lambda case: started[case.name].result()


def _is_case(item: Any) -> bool:
    return getattr(item, "function", None) is test_it_passes_and_can_fail


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_passes_and_can_fail(case: Case, running: Callable[[Case], Result]) -> None:
    """What is broken is named, and nothing else."""
    steps = running(case)["steps"]
    sound, broken = steps[: len(steps) // 2], steps[len(steps) // 2 :]
    assert {step["verdict"] for step in sound} == {"pass"}, sound
    assert "fail" in {step["verdict"] for step in broken} <= {"pass", "fail"}, broken
    missed = {one["metric"] for step in broken for one in step["expectations"] if one["verdict"] != "pass"}
    assert missed - (case.perhaps - case.missed) == case.missed, broken
    assert case.told in "\n".join(note for step in broken for note in step.get("notes", ())), broken


def test_all_make_sense_and_are_chosen_by_their_tag() -> None:
    """And each is run here."""
    shipped = {file.stem for file in (SUITE / "chaos").glob("*.yaml")}
    assert {Path(one.file).stem for one in read_scenarios([], {}, ["chaos"])} == shipped
    assert {case.name for case in CASES} == shipped
    assert "chaos" in ASIDE

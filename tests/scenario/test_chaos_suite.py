"""The shipped scenarios of chaos, in small: each passes, and fails where something is broken on purpose.

A copy has its step twice, the second time broken: one start of its services for both.
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
    """A scenario made short, how its second step is broken, and what that one misses; `told` is in a note of it."""

    name: str
    smaller: tuple[Edit, ...]
    broken: Edit
    missed: Set[str]
    told: str = ""


CASES = (
    Case(
        "flash",
        (
            ("clients: 1500", "clients: 60"),
            ("cut: 1500", "cut: 60"),
            ("receiving: 1500", "receiving: 60"),
            ('lower: ">= 99.8 %"', 'lower: ">= 95 %"'),  # as much as sixty can prove
            ("delay_max: 5s", "attempts: 100, delay: 100ms, delay_max: 500ms"),
            ("duration: 45s", "duration: 4s"),
            ("at: 5s", "at: 500ms"),
            ("outage: 3s", "outage: 500ms, within: 2s, hold: 1s"),
            ("< 20 s", "< 2 s"),
        ),
        ("reconnect: {", "reconnect: {resubscribe: false, "),
        {
            "reconnect.success_rate",
            "reconnect.success_rate_lower",
            "reconnect.time.p99",
            "reconnect.stale.p99",
            "connections.receiving",
        },
        "60 did not subscribe",
    ),
    Case(
        "silent-channel",
        (
            ("duration: 8s", "duration: 3s"),
            ("at: 2s", "at: 300ms"),
            ("for: 4s", "for: 1500ms"),
            ("> 3500 ms", "> 1200 ms"),
            ("> 80", "> 25"),
        ),
        ("for: 1500ms", "for: 300ms"),
        {"silence.max"},
    ),
    Case(
        "zombie",
        (
            ("clients: 20", "clients: 5"),
            ("cut: 20", "cut: 5"),
            ("receiving: 20", "receiving: 5"),
            ("times: 20", "times: 5"),
            ("ping_interval: 1s, ping_timeout: 1s", "ping_interval: 300ms, ping_timeout: 500ms"),
            ("duration: 12s", "duration: 5s"),
            ("within: 8s, hold: 2s", "within: 3s, hold: 500ms"),
            ("delay_max: 1s", "delay: 100ms, delay_max: 200ms"),
            ("> 500 ms", "> 100 ms"),
        ),
        ("times: 5, ", ""),  # whoever comes is stalled, too
        {"reconnect.success_rate", "reconnect.time.p99", "connections.receiving"},
        "not back in time",
    ),
    Case(
        "message-loss",
        (
            ("clients: 30", "clients: 5"),
            ("cut: 30", "cut: 5"),
            ("receiving: 30", "receiving: 5"),
            ("duration: 12s", "duration: 5s"),
            ("delay_max: 1s", "delay: 100ms, delay_max: 300ms"),
            ("at: 1s", "at: 200ms"),
            ("nth: 20, for: 2s", "nth: 5, for: 1s"),
            ("at: 4s", "at: 1500ms"),
            ("within: 5s, hold: 2s", "within: 2500ms, hold: 500ms"),
            ('["> 90", "< 150"]', '["> 15", "< 70"]'),
        ),
        ("drop: {", "duplicate: {"),
        {"ordering.gaps", "ordering.missing", "ordering.duplicates"},
    ),
    Case(
        "too-many-requests",
        (
            ("clients: 50", "clients: 10"),
            ("cut: 50", "cut: 10"),
            ("receiving: 50", "receiving: 10"),
            ("duration: 13s", "duration: 5s"),
            ("at: 1s", "at: 200ms"),
            ("at: 1100ms", "at: 300ms"),
            ("retry_after: 2, for: 3s", "retry_after: 1, for: 1s"),
            ("within: 8s, hold: 2s", "within: 4s, hold: 500ms"),
        ),
        ("reconnect: {delay: 200ms", "reconnect: {policy: fixed, attempts: 100, delay: 50ms"),
        {"reconnect.attempts"},
    ),
)


def copied(case: Case) -> str:
    """The scenario in small, its step twice."""
    text = (SUITE / "chaos" / f"{case.name}.yaml").read_text()
    for old, new in case.smaller:
        assert old in text, f"{case.name}.yaml says {old!r} no more"
        text = text.replace(old, new)
    head, _, step = text.partition("steps:\n  - name: ")
    name, _, rest = step.partition("\n")
    assert case.broken[0] in rest
    return f"{head}steps:\n  - name: {name}\n{rest}  - name: broken\n{rest.replace(*case.broken)}"


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
    sound, broken = running(case)["steps"]
    assert sound["verdict"] == "pass", sound
    assert broken["verdict"] == "fail", broken
    missed = {one["metric"] for one in broken["expectations"] if one["verdict"] != "pass"}
    assert missed == case.missed, broken
    assert case.told in "\n".join(broken.get("notes", ())), broken


def test_all_make_sense_and_are_chosen_by_their_tag() -> None:
    """Those that are not run here are read and checked."""
    shipped = {file.stem for file in (SUITE / "chaos").glob("*.yaml")}
    assert {Path(one.file).stem for one in read_scenarios([], {}, ["chaos"])} == shipped
    assert {case.name for case in CASES} < shipped
    assert "chaos" in ASIDE

"""A scenario that attacks its own service."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.scenario.runs import run
from tests.scenario.suite import python_path
from tests.scenario.texts import HEAD
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.errors import UsageError
from wsctl.fuzz.catalogue import PROBES, chosen
from wsctl.fuzz.options import WAIT, FuzzOptions
from wsctl.fuzz.repro import Repro, write
from wsctl.fuzz.steps import Case, Join, Say, data
from wsctl.scenario.aiming import check_aimed
from wsctl.scenario.read import Scenario, read_scenarios, shipped_suite
from wsctl.scenario.steps.fuzz import _fuzz_options
from wsctl.scenario.steps.kind import Context, Files

BROKEN = Path(__file__).parent / "broken"


def step(options: str, expect: str = "") -> str:
    expected = f"    expect: {{{expect}}}\n" if expect else ""
    return f"{HEAD}steps:\n  - name: s\n    fuzz: {{{options}}}\n{expected}"


def read(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Scenario:
    (folder / "s.yaml").write_text(text)
    (scenario,) = read_scenarios([folder / "s.yaml"], environ or {})
    return scenario


DIES = """\
name: Dies
services:
  feed: {serve: {symbols: BTC/USDT}}
steps:
  - name: survives
    fuzz: {probes: F1, seed: 7}
    expect: {fuzz.passed: 1, fuzz.failed: 0, canary.time.p95: "< 20 s", server.rss: "> 1 MB"}
  - name: dies
    fuzz: {repro: REPRO}
"""


def test_a_service_that_dies_of_it_has_failed(tmp_path: Path) -> None:
    """Not ended by itself, which would be an error of the scenario."""
    case = Case(steps=(Join(), Say(data=data('42["price:subscribe",{}]'))))
    kept = write(Repro.of(FuzzOptions(target=Target(url="http://127.0.0.1:1"), seed=1), ("it dies",), case), tmp_path)
    env = {"PYTHONPATH": python_path(BROKEN), "WSCTL_TEST_BREAK": "die-of-an-event"}
    done = run(tmp_path, DIES.replace("REPRO", kept.name), env=env)
    survives, dies = done.steps["survives"], done.steps["dies"]
    assert (done.code, survives["verdict"], dies["verdict"]) == (1, "pass", "fail")
    assert survives["metrics"]["server.rss"] > 10_000_000
    assert dies["reason"].startswith("a generated case: ")
    assert "a connection beside it was cut" in dies["reason"]
    assert """the generated case: join, then say '42["price:subscribe",{}]'""" in dies["notes"]
    assert "dies/feed.log" in done.left


@pytest.mark.parametrize(("pid", "wait"), [(5, 0.0), (None, WAIT)])
def test_the_process_of_a_service_is_watched_and_not_waited_for(tmp_path: Path, pid: int | None, wait: float) -> None:
    scenario = read(tmp_path, step("probes: F1"))
    context = Context(
        target=Target(url="http://127.0.0.1:1"),
        tokens={},
        files=Files(tmp_path, tmp_path),
        clock=SystemClock(),
        progress=lambda metrics: None,
        measuring=lambda: None,
        measured=lambda: None,
        pid=pid,
    )
    options = _fuzz_options(scenario.spec.steps[0], context)
    assert (options.pid, options.wait, options.cases) == (pid, wait, 0)


UNSOUND = {
    "probe": (step("probes: F99"), "6:20: no probe 'F99'"),
    "group": (
        step("groups: frame"),
        "6:20: steps[0].fuzz.groups[0] is 'frame'; expected engineio, frames, handshake, ",
    ),
    "file": (step("repro: gone.json"), "6:19: there is no "),
    "repro and more": (step("repro: gone.json, cases: 5"), "6:11: repro plays its file and nothing else; cases says"),
    "no cases": (
        step("probes: F1", "fuzz.failures: 0"),
        "7:14: fuzz.failures is not measured by this fuzz step",
    ),
    "another's metric": (step("probes: F1", "latency.p95: 0"), "7:14: latency.p95 is not measured by this fuzz step"),
}


@pytest.mark.parametrize(("text", "message"), UNSOUND.values(), ids=UNSOUND)
def test_what_makes_no_sense(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(tmp_path, text)
    assert message in raised.value.message


def test_a_target_elsewhere_takes_somebodys_word(tmp_path: Path) -> None:
    elsewhere, here = Target(url="http://feed.example"), Target(url="http://127.0.0.1:3000")
    scenario = read(tmp_path, step("probes: F1"))
    check_aimed(scenario, here)
    with pytest.raises(UsageError, match=r"http://feed\.example is not on this machine") as raised:
        check_aimed(scenario, elsewhere)
    assert raised.value.hint == "i_own_this_target: true says that you may do that to it"
    check_aimed(read(tmp_path, step("probes: F1, i_own_this_target: true")), elsewhere)


def test_the_shipped_one_leaves_nothing_out_but_what_takes_half_a_minute() -> None:
    (scenario,) = read_scenarios([shipped_suite() / "fuzz"], {})
    options = scenario.spec.steps[0].fuzz
    assert options is not None
    played = {probe.id for probe in chosen(options.probes, options.groups)}
    assert {probe.id for probe in PROBES if probe.attacks == "server"} - played == {"H11"}
    (by_tag,) = read_scenarios([], {}, ["fuzz"])
    assert by_tag.name == scenario.name
    assert scenario.name not in {one.name for one in read_scenarios([], {})}

"""What came of fuzzing, and how far it is, on terminals and in files."""

from io import StringIO
from xml.etree.ElementTree import fromstring

import pytest
from msgspec.structs import replace
from rich.console import Console

from tests.report.test_terminal import StoppedClock
from wsctl.fuzz.events import Event, Listening, Planned, Played
from wsctl.fuzz.expected import judged
from wsctl.fuzz.probe import Verdict as CaseVerdict
from wsctl.fuzz.progress import Progress
from wsctl.fuzz.result import Failure, FuzzResult, Generated, ProbeResult
from wsctl.fuzz.steps import Case, Join, Say, data
from wsctl.model.expectation import parse_expectation
from wsctl.model.finding import Verdict
from wsctl.report.fuzz_lines import FuzzLines
from wsctl.report.fuzz_live import FuzzLive
from wsctl.report.fuzz_steps import as_run
from wsctl.report.fuzz_table import FuzzTable
from wsctl.report.junit import junit


def probe(id: str, verdict: CaseVerdict, ending: str = "closed with 1002 (why)", **more: object) -> ProbeResult:
    given = {"title": f"title of {id}", "group": "frames", "source": f"CVE-{id}", "expected": "close 1002", **more}
    return ProbeResult(id=id, verdict=verdict, ending=ending, **given)  # type: ignore[arg-type]


PASSED = probe("F1", CaseVerdict.PASSED)
LAX = probe("F2", CaseVerdict.NON_STRICT, "closed with 1000", case="a byte")
UNFIT = probe("F3", CaseVerdict.INCONCLUSIVE, "neither ended nor answers", reason="the target does not\x1b compress")
HARMED = probe("F4", CaseVerdict.FAILED, "cut without a close", harms=("a connection beside it was cut",), sent="c1")
FAILURE = Failure(
    harms=("a fresh connection was not accepted", "the process is gone"),
    case=Case(steps=(Join(), Say(data=data('42["x"]')))),
    ending="cut without a close",
    shrunk_from=9,
    again=False,
    repro="my files/wsctl-fuzz-1.json",
)
RESULT = FuzzResult(
    name="fuzz",
    verdict=Verdict.FAIL,
    reason=None,
    duration=61.0,
    started_at=1_700_000_000.0,
    target="http://127.0.0.1:3000",
    interrupted=False,
    seed=7,
    counts={"passed": 1, "inconclusive": 1, "non-strict": 1, "failed": 1},
    metrics={"fuzz.failed": 1, "canary.time.p95": 0.0031, "canary.time.max": 0.2},
    probes=(HARMED, UNFIT, PASSED, LAX),
    generated=Generated(cases=215, conclusive=200, failures=(FAILURE,), reason="stopped at a failure"),
    notes=("2 probes do not apply to a raw WebSocket",),
)
PLANNED = Planned(target="http://127.0.0.1:3000", seed=7, probes=3, cases=200, patient=("E8",))


def table(result: FuzzResult, width: int = 120) -> list[str]:
    console = Console(width=width, file=StringIO(), record=True)
    console.print(FuzzTable(result, "wsctl fuzz http://127.0.0.1:3000"), crop=False)
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_the_calm_first_and_what_failed_last() -> None:
    result = judged(RESULT, [parse_expectation("fuzz.failed == 0")])
    assert table(result) == [
        "passed  F1  title of F1  closed with 1002",
        "inconclusive  F3  title of F3",
        "                  the target does not� compress",
        "non-strict    F2  title of F2",
        "                  a byte: closed with 1000",
        "                  expected close 1002",
        "failed        F4  title of F4",
        "                  cut without a close",
        "                  a connection beside it was cut",
        "                  expected close 1002",
        "                  CVE-F4",
        "                  sent c1…",
        "",
        "failed  generated  1. join",
        """                   2. say '42["x"]'""",
        "                   cut without a close; shrunk from 9 steps; it did not harm each time",
        "                   a fresh connection was not accepted",
        "                   the process is gone",
        "again: wsctl fuzz http://127.0.0.1:3000 --repro 'my files/wsctl-fuzz-1.json'",
        "",
        "target: http://127.0.0.1:3000  seed: 7  1 m 1 s",
        "4 probes: 1 passed, 1 inconclusive, 1 non-strict, 1 failed",
        "215 generated cases: 1 failure; stopped at a failure",
        "again: wsctl fuzz http://127.0.0.1:3000 --probe F4",
        "a connection beside them was answered within 3.1 ms (p95), 200.0 ms at most",
        "note: 2 probes do not apply to a raw WebSocket",
        "✗ fuzz.failed  expected == 0, observed 1",
        "verdict: fail",
    ]


def test_a_narrow_terminal_has_a_line_for_each_that_passed() -> None:
    long = replace(PASSED, title="a title that is longer than any terminal of this width has columns for")
    lines = table(replace(RESULT, probes=(long, long), generated=None), 60)
    assert lines[:2] == ["passed  F1  a title that is longer than a…  closed with 1002"] * 2


def test_commands_to_be_copied_are_on_one_line() -> None:
    lines = table(RESULT, 40)
    assert "again: wsctl fuzz http://127.0.0.1:3000 --probe F4" in lines
    assert "again: wsctl fuzz http://127.0.0.1:3000 --repro 'my files/wsctl-fuzz-1.json'" in lines


def test_no_verdict_says_that_anything_is_secure() -> None:
    calm = replace(RESULT, verdict=Verdict.PASS, probes=(PASSED,), counts={"passed": 1}, generated=None)
    text = "\n".join(table(calm)).lower()
    assert "verdict: pass" in text
    assert "secur" not in text
    assert "safe" not in text


@pytest.mark.parametrize(
    ("was", "bound", "then"),
    [
        (Verdict.PASS, "fuzz.failed == 1", Verdict.PASS),
        (Verdict.PASS, "fuzz.failed == 0", Verdict.FAIL),
        (Verdict.PASS, "fuzz.cases == 0", Verdict.FAIL),  # was not measured
        (Verdict.UNVERIFIABLE, "fuzz.failed == 1", Verdict.UNVERIFIABLE),
        (Verdict.ERROR, "fuzz.failed == 0", Verdict.ERROR),
    ],
)
def test_an_expectation_can_only_make_it_graver(was: Verdict, bound: str, then: Verdict) -> None:
    assert judged(replace(RESULT, verdict=was), [parse_expectation(bound)]).verdict is then


def test_junit_has_a_case_for_each_probe_and_each_failure() -> None:
    root = fromstring(junit(as_run(judged(RESULT, [parse_expectation("fuzz.failed == 0")]))))
    (suite,) = root
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["6", "3", "0", "1"]
    found = {case.get("name"): case for case in suite.iter("testcase")}
    assert [[one.tag for one in case] for case in found.values()] == [
        ["failure"],
        ["skipped"],
        [],
        [],
        ["failure"],
        ["failure", "system-out"],
    ]
    failed = found["F4 title of F4"][0]
    assert failed.get("message") == "cut without a close; a connection beside it was cut"
    assert "CVE-F4" in str(failed.text)
    skipped = found["F3 title of F3"][0]
    assert skipped.get("message") == "the target does not� compress"
    generated = found["generated case 1"][0]
    assert """say '42["x"]'""" in str(generated.text)
    assert "kept: my files/wsctl-fuzz-1.json" in str(generated.text)


def test_what_was_interrupted_is_an_error_in_junit() -> None:
    stopped = replace(RESULT, verdict=Verdict.ERROR, reason="interrupted", probes=(PASSED,), generated=None)
    (suite,) = fromstring(junit(as_run(stopped)))
    assert (suite.get("errors"), [case.get("name") for case in suite.iter("testcase")]) == (
        "1",
        ["fuzz", "F1 title of F1"],
    )


def test_a_probe_that_is_blamed_later_counts_once() -> None:
    progress = Progress()
    for event in (PLANNED, PASSED, LAX, replace(PASSED, verdict=CaseVerdict.FAILED)):
        progress.listen(event)
    assert (progress.probes, dict(progress.counts)) == (2, {"failed": 1, "non-strict": 1})


def test_lines_now_and_then_and_of_each_failure() -> None:
    clock, said = StoppedClock(), list[str]()
    lines = FuzzLines(clock, said.append)
    events: tuple[Event, ...] = (PLANNED, PASSED, HARMED, probe("E8", CaseVerdict.PASSED))
    for event in (*events, *(Played(cases, 0) for cases in (10, 20, 30)), FAILURE):
        lines.listen(event)
        clock.time += 3
    assert said == [
        "   0.0 s  3 probes and 200 generated cases for http://127.0.0.1:3000, seed 7",
        "   6.0 s  failed: F4 title of F4: cut without a close; a connection beside it was cut",
        "  12.0 s  3 of 3 probes: 2 passed, 1 failed; 10 of 200 generated cases",
        "  18.0 s  3 of 3 probes: 2 passed, 1 failed; 30 of 200 generated cases",
        "  21.0 s  failed: a generated case: a fresh connection was not accepted; the process is gone",
    ]


def test_probes_that_only_wait_are_named_once() -> None:
    clock, said = StoppedClock(), list[str]()
    lines = FuzzLines(clock, said.append)
    for event in (replace(PLANNED, cases=0, patient=("E8", "H13")), PASSED, replace(PASSED, id="E8")):
        lines.listen(event)
    assert said[1:] == ["   0.0 s  1 of 3 probes: 1 passed; waits for E8, H13"]


def drawn(*events: Event, width: int = 80) -> list[str]:
    console = Console(width=width, height=30, record=True, force_terminal=True, file=StringIO())
    with FuzzLive(StoppedClock(), console) as live:
        for event in events:
            live.listen(event)
        console.export_text()
        live.refresh()
        return [line.rstrip() for line in console.export_text().splitlines() if line.strip()]


def test_a_live_view() -> None:
    assert drawn()[0].endswith("fuzz  0 s")
    lines = drawn(PLANNED, PASSED, HARMED, Played(50, 1), FAILURE)
    assert lines[0].endswith("fuzz  http://127.0.0.1:3000  0 s")
    assert lines[1].split() == ["probes", "━" * 16 + "─" * 8, "2", "of", "3"]
    assert lines[2].strip() == "1 passed, 1 failed"
    assert lines[3].split() == ["generated", "━" * 6 + "─" * 18, "50", "of", "200"]
    assert lines[4].strip() == "waits for E8: they end with the target's own timeouts"
    assert lines[5].strip() == "✗ F4  title of F4  cut without a close; a connection beside it was cut"
    assert lines[6].strip().startswith("✗ generated  a fresh connection was not accepted; ")
    serving = drawn(Listening("http://127.0.0.1:3000"), replace(PLANNED, cases=0, patient=()))
    assert serving[-1].strip() == "waits for clients to connect"

"""junit.xml, read as strictly as the schemas of Jenkins and Ant would."""

import re
from collections.abc import Mapping
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.report.results import (
    ALL_PASSED,
    BROKEN,
    EVERY_VERDICT,
    FAULTLESS,
    FLASH,
    INVALID,
    LATENCY,
    SILENT,
    SKIPPED,
    gap,
    judge,
    run,
    scenario,
    step,
)
from wsctl.model.expectation import Judged
from wsctl.model.finding import Verdict
from wsctl.model.run import RunResult, ScenarioResult
from wsctl.report.junit import junit

_DECIMAL = r"\d+\.\d{3}"
_ATTRIBUTES: Mapping[str, Mapping[str, str]] = {
    "testsuites": {},
    "testsuite": {
        "id": r"\d+",
        "package": ".+",
        "name": "(?s).+",
        "hostname": ".+",
        "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
        "tests": r"\d+",
        "failures": r"\d+",
        "errors": r"\d+",
        "skipped": r"\d+",
        "time": _DECIMAL,
    },
    "properties": {},
    "property": {"name": ".+", "value": "(?s).*"},
    "testcase": {"classname": "(?s).+", "name": "(?s).+", "time": _DECIMAL},
    "failure": {"type": ".+", "message": "(?s).+"},
    "error": {"type": ".+", "message": "(?s).+"},
    "skipped": {"type": ".+", "message": "(?s).+"},
    "system-out": {},
}
"""attributes of each element, all of them required, and what they look like"""
_CHILDREN = {
    "testsuites": "(testsuite )*",
    "testsuite": "properties (testcase )*",
    "properties": "(property )*",
    "testcase": "(failure |error |skipped )?(system-out )?",
}


def strictly(data: bytes) -> Element:
    """The document, once it has kept every rule."""
    root = ElementTree.fromstring(data)
    assert root.tag == "testsuites"
    for element in root.iter():
        rules = _ATTRIBUTES[element.tag]
        assert set(element.attrib) == set(rules), element.tag
        for name, value in element.attrib.items():
            assert re.fullmatch(rules[name], value), (element.tag, name, value)
        children = "".join(f"{child.tag} " for child in element)
        assert re.fullmatch(_CHILDREN.get(element.tag, ""), children), (element.tag, children)
    for number, suite in enumerate(root):
        assert int(suite.attrib["id"]) == number
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase")) > 0
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[attribute]) == len(suite.findall(f"testcase/{tag}"))
        spent = sum(float(case.attrib["time"]) for case in suite.findall("testcase"))
        assert spent <= float(suite.attrib["time"]) + 0.001
    return root


def told(one: ScenarioResult) -> list[tuple[str, str, str, str]]:
    """Each case of a scenario: name, what it is, message, output."""
    root = strictly(junit(run(one)))
    cases = []
    for case in root.iter("testcase"):
        (why,) = [child for child in case if child.tag != "system-out"] or [Element("pass")]
        assert why.get("type", "").startswith({"failure": "fail"}.get(why.tag, ""))
        cases.append((case.attrib["name"], why.tag, why.get("message", ""), case.findtext("system-out", "")))
    return cases


def test_every_verdict_keeps_the_schema() -> None:
    """Suites in the order of the scenarios, with times and places."""
    root = strictly(junit(EVERY_VERDICT))
    suites = list(root)
    assert [suite.attrib["name"] for suite in suites] == [one.name for one in EVERY_VERDICT.scenarios]
    assert suites[0].attrib["timestamp"] == "2027-01-15T08:00:00"
    assert suites[1].attrib["timestamp"] == "2027-01-15T08:00:10"
    properties = {one.attrib["name"]: one.attrib["value"] for one in suites[1].iter("property")}
    assert properties == {"file": "scenarios/reconnection.yaml", "verdict": "fail"}
    assert junit(EVERY_VERDICT) == junit(EVERY_VERDICT)


def test_a_case_per_expectation_with_its_value() -> None:
    """The name does not hold the value, so that CI knows the case again; the step's time is on its first case."""
    first = "one client at 200 updates per second"
    assert told(LATENCY) == [
        (f"{first}: latency.p50 < 5 ms", "pass", "", "observed 900 µs"),
        (f"{first}: latency.p95 < 50 ms", "pass", "", "observed 3.1 ms"),
        (f"{first}: latency.p99 < 100 ms", "pass", "", "observed 9.8 ms"),
        (f"{first}: ordering.gaps == 0", "pass", "", "observed 0"),
    ]
    times = [case.attrib["time"] for case in strictly(junit(run(LATENCY))).iter("testcase")]
    assert times == ["10.200", "0.000", "0.000", "0.000"]


def test_missed_expectations_are_failures() -> None:
    """Bound and value are in the message; what was found and kept is told once."""
    flash = "fifteen hundred clients ride out a flash"
    assert told(FLASH) == [
        ("everybody connects: connections.receiving == 1500", "pass", "", "observed 1,500"),
        (
            f"{flash}: reconnect.success_rate >= 99.8 %",
            "failure",
            "expected >= 99.8 %, observed 99.793 %",
            "observed 99.793 %",
        ),
        (f"{flash}: reconnect.time.p99 < 15 s", "failure", "expected < 15 s, observed never", "observed never"),
        (f"{flash}: latency.p95 < 50 ms", "failure", "expected < 50 ms, observed 83.2 ms", "observed 83.2 ms"),
        (f"{flash}: fanout.reach >= 99.9 %", "failure", "expected >= 99.9 %, was not measured", "was not measured"),
        (f"{flash}: ordering.duplicates == 0", "pass", "", "observed 0"),
    ]
    texts = [failure.text for failure in strictly(junit(run(FLASH))).iter("failure")]
    assert texts[1:] == [None, None, None]
    lines = (texts[0] or "").splitlines()
    assert lines[0] == "gap: seq 41 after 39 on symbol:BTC/USDT:ticker; expected 40"
    assert lines[-3:] == [
        "12 latencies left out: the clocks cannot be compared",
        "kept: reconnection/observations.jsonl",
        "kept: reconnection/feed.log",
    ]


@pytest.mark.parametrize(
    ("one", "cases"),
    [
        (SILENT, [("listen", "error", SILENT.steps[0].reason, "")]),
        (INVALID, [("twenty thousand clients", "error", INVALID.steps[0].reason, "")]),
        (SKIPPED, [("A bad token is refused", "skipped", SKIPPED.reason, "")]),
        (BROKEN, [("Long-polling where WebSocket is blocked", "error", BROKEN.reason, "")]),
        (
            FAULTLESS,
            [
                ("one of fifty stops reading", "error", FAULTLESS.steps[0].reason, ""),
                ("one of fifty stops reading: latency.p95 < 50 ms", "pass", "", "observed 4.0 ms"),
            ],
        ),
        (scenario("Emit", "emit", step("ping", 0.1, {})), [("ping", "pass", "", "")]),
        (
            scenario("Order", "order", step("listen", 1.0, {}, verdict=Verdict.FAIL, findings=(gap(40),))),
            [("listen", "failure", "seq 41 after 39 on symbol:BTC/USDT:ticker; expected 40", "")],
        ),
        (
            replace(LATENCY, verdict=Verdict.ERROR, reason="interrupted"),
            [("Prices reach a client in time", "error", "interrupted", ""), *told(LATENCY)],
        ),
    ],
    ids=lambda value: value.name if isinstance(value, ScenarioResult) else "",
)
def test_no_end_is_lost(one: ScenarioResult, cases: list[tuple[str, str, str, str]]) -> None:
    """Whatever ended a step or a scenario is a case, also where expectations held."""
    assert told(one) == cases


def test_only_pass_and_skipped_are_green() -> None:
    """CI cannot take for good what could not be verified, not even in an expectation."""
    for verdict in Verdict:
        judged = Judged("errors", "== 0", None, verdict, "so it is")
        root = strictly(junit(run(scenario("s", "s", step("x", 1.0, {}, verdict=verdict, expectations=(judged,))))))
        red = len(root.findall(".//failure") + root.findall(".//error"))
        assert red == (0 if verdict in (Verdict.PASS, Verdict.SKIPPED) else 1)
        if verdict in (Verdict.INVALID, Verdict.UNVERIFIABLE, Verdict.ERROR):
            (error,) = root.iter("error")
            assert error.attrib["type"] == verdict.value


def test_what_xml_cannot_hold_is_replaced() -> None:
    """Control characters and half surrogate pairs; the rest is kept and escaped."""
    name = 'a\x00b\x1b[31m\ud800\uffff <&>"é😀'
    root = strictly(junit(run(scenario(name, "x", step("s", 1.0, {}, verdict=Verdict.ERROR, reason="x\x08\ny")))))
    assert root[0].attrib["name"] == 'a�b�[31m�� <&>"é😀'
    (error,) = root.iter("error")
    assert error.text == "x�\ny"


@given(st.text(st.characters(codec=None), min_size=1))
def test_any_text(text: str) -> None:
    """Whatever a file or a feed says, the document is well-formed."""
    judged = judge({"errors": 1.0}, "errors == 0")
    broken = step(
        text, 1.0, {}, expectations=judged, verdict=Verdict.FAIL, reason=text, notes=(text,), evidence=(text,)
    )
    strictly(junit(run(scenario(text, "x", broken, reason=text))))


def test_a_calm_run() -> None:
    """Nothing red where everything held."""
    root = strictly(junit(ALL_PASSED))
    assert not root.findall(".//failure") + root.findall(".//error") + root.findall(".//skipped")


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (run(), "no scenario was run"),
        (run(LATENCY, SKIPPED, verdict=Verdict.ERROR, interrupted=True), "interrupted"),
    ],
)
def test_the_verdict_of_the_run_is_not_lost(result: RunResult, message: str) -> None:
    """A run interrupted between scenarios, or of none, is red as well."""
    root = strictly(junit(result))
    (error,) = root.iter("error")
    assert error.attrib == {"type": result.verdict.value, "message": message}
    assert root[-1].attrib["name"] == "wsctl run"

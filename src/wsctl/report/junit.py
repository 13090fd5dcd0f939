"""junit.xml: what CI systems read; a suite per scenario, a case per expectation.

Valid by the schema of Jenkins (xunit-plugin's junit-10.xsd), with every attribute that Ant's demands as well. Of the
verdicts, only pass and skipped leave CI green: fail is a failure; error, invalid and unverifiable are errors.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from msgspec import Struct
from msgspec.structs import replace

from wsctl.model.expectation import Judged
from wsctl.model.finding import Verdict
from wsctl.model.run import RunResult, ScenarioResult, StepResult
from wsctl.report.judged import observed, outcome

_ELEMENTS = {
    Verdict.FAIL: "failure",
    Verdict.ERROR: "error",
    Verdict.INVALID: "error",
    Verdict.UNVERIFIABLE: "error",
    Verdict.SKIPPED: "skipped",
}
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""what XML 1.0 cannot hold, not even escaped (its production Char)"""


class _Case(Struct, frozen=True, kw_only=True):
    name: str
    verdict: Verdict
    message: str = ""
    """why it is not pass"""
    details: str = ""
    """what else explains that, on lines"""
    output: str = ""
    """the observed value"""
    duration: float = 0.0


def junit(result: RunResult) -> bytes:
    """The file. The same result makes the same bytes."""
    root = Element("testsuites")
    began = result.started_at
    for number, scenario in enumerate([*result.scenarios, *_run_itself(result)]):
        root.append(_suite(number, scenario, began))
        began += scenario.duration
    indent(root)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _run_itself(result: RunResult) -> Iterator[ScenarioResult]:
    """A suite for the run where its verdict is more than that of its scenarios: interrupted, nothing to run."""
    if all(scenario.verdict is not result.verdict for scenario in result.scenarios):
        reason = "interrupted" if result.interrupted else None if result.scenarios else "no scenario was run"
        yield ScenarioResult(name="wsctl run", file="", verdict=result.verdict, duration=0.0, reason=reason)


def _suite(number: int, scenario: ScenarioResult, began: float) -> Element:
    cases = list(_cases(scenario))
    elements = [_ELEMENTS.get(case.verdict) for case in cases]
    suite = Element("testsuite")
    for name, value in {
        "id": str(number),
        "package": "wsctl",
        "name": scenario.name,
        "hostname": "localhost",
        "timestamp": datetime.fromtimestamp(began, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "tests": str(len(cases)),
        "failures": str(elements.count("failure")),
        "errors": str(elements.count("error")),
        "skipped": str(elements.count("skipped")),
        "time": f"{scenario.duration:.3f}",
    }.items():
        suite.set(name, _xml(value))
    properties = SubElement(suite, "properties")
    for name, value in (("file", scenario.file), ("verdict", scenario.verdict.value)):
        SubElement(properties, "property", name=name, value=_xml(value))
    for case in cases:
        _add(suite, scenario.name, case)
    return suite


def _add(suite: Element, scenario: str, case: _Case) -> None:
    attributes = {"classname": _xml(scenario), "name": _xml(case.name), "time": f"{case.duration:.3f}"}
    element = SubElement(suite, "testcase", attributes)
    kind = _ELEMENTS.get(case.verdict)
    if kind is not None:
        why = SubElement(element, kind, type=case.verdict.value, message=_xml(case.message or case.verdict.value))
        why.text = _xml(case.details) or None
    if case.output:
        SubElement(element, "system-out").text = _xml(case.output)


def _cases(scenario: ScenarioResult) -> Iterator[_Case]:
    """Those of its steps; and one of the scenario itself where its verdict is more than theirs."""
    if scenario.reason is not None or all(step.verdict is not scenario.verdict for step in scenario.steps):
        yield _Case(
            name=scenario.name,
            verdict=scenario.verdict,
            message=scenario.reason or "",
            details=_details((), scenario.evidence),
            duration=0.0 if scenario.steps else scenario.duration,
        )
    for step in scenario.steps:
        yield from _step_cases(step)


def _step_cases(step: StepResult) -> list[_Case]:
    """One per expectation; and one of the step itself where it has none of the step's verdict."""
    cases = [_expectation(step.name, judged) for judged in step.expectations]
    if all(case.verdict is not step.verdict for case in cases):
        message = step.reason or (step.findings[0].message if step.findings else "")
        cases.insert(0, _Case(name=step.name, verdict=step.verdict, message=message))
    cases[0] = replace(cases[0], duration=step.duration)
    objected = next((place for place, case in enumerate(cases) if case.verdict is not Verdict.PASS), None)
    if objected is not None:  # once: what else explains the step is the same for all of its cases
        lines = [*([step.reason] if step.reason else ()), *_objections(step), *step.notes]
        cases[objected] = replace(cases[objected], details=_details(lines, step.evidence))
    return cases


def _expectation(step: str, judged: Judged) -> _Case:
    return _Case(
        name=f"{step}: {judged.metric} {judged.bound}",
        verdict=judged.verdict,
        message=outcome(judged),
        output=judged.reason or f"observed {observed(judged)}",
    )


def _objections(step: StepResult) -> list[str]:
    return [f"{finding.kind}: {finding.message}" for finding in step.findings]


def _details(lines: Sequence[str], evidence: Sequence[str]) -> str:
    return "\n".join([*lines, *(f"kept: {file}" for file in evidence)])


def _xml(text: str) -> str:
    return _NOT_XML.sub("�", text)

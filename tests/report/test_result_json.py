"""result.json and its schema."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from tests.report.results import ALL_PASSED, EVERY_VERDICT, FLASH, run, scenario, step
from wsctl.model.run import RunResult
from wsctl.report.result_json import result_json, result_schema


def read(result: RunResult) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(result_json(result), parse_constant=refuse)


def test_names_and_shapes_that_scripts_rely_on() -> None:
    """The FIXED part; what is infinite or was not measured is null."""
    result = read(run(FLASH))
    assert (result["wsctl"], result["version"], result["verdict"]) == ("run", 1, "fail")
    (scenario,) = result["scenarios"]
    assert (scenario["name"], scenario["verdict"]) == ("Clients come back after a network flash", "fail")
    assert scenario["file"] == "scenarios/reconnection.yaml"
    first, second = scenario["steps"]
    assert (first["name"], first["verdict"]) == ("everybody connects", "pass")
    assert second["metrics"] == {
        "latency.p95": 0.0832,
        "ordering.duplicates": 0.0,
        "reconnect.success_rate": 0.9979333,
        "reconnect.time.p99": None,
    }
    assert list(second["metrics"]) == sorted(second["metrics"])
    fixed = [{key: one[key] for key in ("metric", "bound", "observed", "verdict")} for one in second["expectations"]]
    assert fixed == [
        {"metric": "reconnect.success_rate", "bound": ">= 99.8 %", "observed": 0.9979333, "verdict": "fail"},
        {"metric": "reconnect.time.p99", "bound": "< 15 s", "observed": None, "verdict": "fail"},
        {"metric": "latency.p95", "bound": "< 50 ms", "observed": 0.0832, "verdict": "fail"},
        {"metric": "fanout.reach", "bound": ">= 99.9 %", "observed": None, "verdict": "fail"},
        {"metric": "ordering.duplicates", "bound": "== 0", "observed": 0.0, "verdict": "pass"},
    ]


def test_it_is_for_people_too() -> None:
    """Indented, keys as the model has them, text as it is, and the same bytes each time."""
    text = result_json(EVERY_VERDICT).decode()
    assert text.startswith('{\n  "wsctl": "run",\n  "version": 1,\n  "verdict": "error",\n')
    assert "give tokens: {alice: …}" in text
    assert text.endswith("}\n")
    assert text == result_json(EVERY_VERDICT).decode()


def test_what_json_cannot_say() -> None:
    """Half a surrogate pair, as YAML can write it, does not cost the report."""
    result = read(run(scenario("a\ud800b", "x", step("\x00\udfff", 1.0, {"latency.p95": float("nan")}))))
    assert result["scenarios"][0]["name"] == "a?b"
    assert result["scenarios"][0]["steps"][0]["name"] == "\x00?"
    assert result["scenarios"][0]["steps"][0]["metrics"] == {"latency.p95": None}


@pytest.mark.parametrize("result", [EVERY_VERDICT, ALL_PASSED, run(), run(FLASH, target="http://feed.test")])
def test_the_schema_holds(result: RunResult) -> None:
    """Every result is valid by the published schema, which is a valid one itself."""
    schema = json.loads(json.dumps(result_schema()))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(read(result))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("wsctl",), "load"),
        (("version",), 2),
        (("verdict",), "passed"),
        (("scenarios", 0, "steps", 0, "metrics", "connections.receiving"), "1500"),
        (("scenarios", 0, "steps", 0, "expectations", 0, "verdict"), None),
        (("scenarios", 0, "file"), ...),
        (("scenarios", 0, "steps", 0, "expectations", 0, "observed"), ...),
    ],
)
def test_the_schema_can_fail(path: tuple[str | int, ...], value: Any) -> None:
    """What breaks the shape is not valid by it; `...` stands for a key left out."""
    document = read(run(FLASH))
    *where, last = path
    place = document
    for key in where:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    with pytest.raises(ValidationError):
        Draft202012Validator(result_schema()).validate(document)

"""The JSON Schema of scenario files, as editors use it: what runs is accepted, what is misspelt is not."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.program import wsctl
from tests.scenario.texts import HEAD, STEP, during, expect, step
from wsctl.scenario.read import read_scenarios, shipped_suite
from wsctl.spec.loader import load_yaml

SUITE = sorted(shipped_suite().rglob("*.yaml"))
"""with those that fill a machine"""

EXAMPLE = """\
name: Clients come back after a network flash
tags: [reconnection]
services:                          # started first, stopped last; each has a name that steps can target
  feed: {serve: {symbols: [BTC/USDT, ETH/USDT], rate: 20, seed: 7}}
steps:
  - name: fifteen hundred clients ride out a flash
    subscribe: {target: feed, symbols: [BTC/USDT], clients: 1500, duration: 50s, reconnect: {delay_max: 5s}}
    during:
      - {at: 10s, flash: {target: feed, percent: 100, outage: 3s}}
    expect:
      reconnect.success_rate: ">= 99.8 %"
      reconnect.time.p99: "< 15 s"
      latency.p95: "< 50 ms"
      ordering.duplicates: 0
"""
"""the example that the language was designed by"""


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    """A strict validator of what `wsctl schema` prints."""
    printed = wsctl("schema")
    assert (printed.code, printed.err) == (0, "")
    schema: dict[str, Any] = json.loads(printed.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("file", SUITE, ids=lambda file: file.name)
def test_the_suite_is_accepted(validator: jsonschema.Draft202012Validator, file: Path) -> None:
    """Every file that is shipped."""
    validator.validate(load_yaml(file.read_text(), file.name).data)


def test_there_is_a_suite() -> None:
    """The test above tests something."""
    assert len(SUITE) >= 12
    assert {file.parent.name for file in SUITE} == {"scenarios", "chaos", "fuzz", "load"}


def test_the_example_is_accepted_and_makes_sense(validator: jsonschema.Draft202012Validator, tmp_path: Path) -> None:
    """The example of the design."""
    validator.validate(load_yaml(EXAMPLE, "example").data)
    (tmp_path / "s.yaml").write_text(EXAMPLE)
    (scenario,) = read_scenarios([tmp_path / "s.yaml"], {})
    assert scenario.name == "Clients come back after a network flash"


ACCEPTED = {
    "variables": step("symbols: '${S}', duration: '${D}', clients: '${N}', spread: '${B}', transport: '${T}'"),
    "a variable inside a text": step("symbols: A, duration: '${SECONDS}s'"),
    "a matrix": HEAD + "matrix: {n: [1, 2], who: [{user: a}, ~]}\n" + STEP,
    "defaults": HEAD + "defaults: {duration: 3s, symbols: A, wait: 1s}\nsteps: [{name: s, subscribe: {}}]\n",
    "a command alone": HEAD + "defaults: {duration: 3s, symbols: A}\nsteps:\n  - name: s\n    subscribe:\n",
    "several bounds": expect("{latency.p95: [< 50 ms, '> 0 s'], errors: 0, 'ordering.gaps': [0, '< 3']}"),
    "an action alone": during("{at: 1s, pause: }"),
    "no time": during("{at: 0, pause: {}}"),
    "parallel": HEAD + "steps:\n  - parallel:\n      - {name: a, emit: {event: x}}\n",
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted(validator: jsonschema.Draft202012Validator, case: str) -> None:
    """What is filled in, inherited or left out before a file is typed."""
    validator.validate(load_yaml(ACCEPTED[case], case).data)


REJECTED = {
    "misspelt key of the scenario": HEAD.replace("services", "servces") + STEP,
    "misspelt key of a service": HEAD.replace("serve:", "server:") + STEP,
    "misspelt option of serve": HEAD.replace("symbols", "symbol") + STEP,
    "misspelt key of a step": HEAD + STEP.replace("subscribe", "subscrib"),
    "misspelt option of a command": step("symbols: A, duraton: 10s"),
    "misspelt option of reconnect": step("symbols: A, duration: 10s, reconnect: {atempts: 3}"),
    "misspelt key of an action": during("{at: 1s, flsh: {}}"),
    "misspelt option of an action": during("{at: 1s, flash: {percnt: 3}}"),
    "duration without a unit": step("symbols: A, duration: 10"),
    "duration of a wrong unit": step("symbols: A, duration: 10 sec"),
    "text where a number is expected": step("symbols: A, duration: 10s, clients: many"),
    "no steps": HEAD,
    "a step that is a text": HEAD + "steps: [subscribe]\n",
    "not a mapping": "- name: N\n",
}


@pytest.mark.parametrize("case", REJECTED)
def test_rejected(validator: jsonschema.Draft202012Validator, case: str) -> None:
    """What `wsctl run` objects to because of its form, editors do as well."""
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(load_yaml(REJECTED[case], case).data)

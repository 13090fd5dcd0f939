"""The flash of scenarios/chaos at its own size, before a server of others', and by clients that are broken.

1,500 clients of Node's socket.io server are all back; those that never resubscribe are not, and the scenario fails and
says at which stage. Two minutes; exit 1 if anything is otherwise.

    python -m tests.flash_at_size
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.scenario.suite import SUITE
from tests.scenario.test_chaos import node_server
from tests.scenario.test_chaos_suite import CASES

Scenario = dict[str, Any]


def main() -> int:
    """The exit code."""
    text = (SUITE / "chaos" / "flash.yaml").read_text()
    step = yaml.safe_load(text)["steps"][0]["subscribe"]
    clients = step["clients"]
    wrong = []
    with tempfile.TemporaryDirectory(prefix="wsctl-flash-") as name:
        folder = Path(name)
        with node_server(folder, rate=2, symbols=",".join(step["symbols"])) as url:
            wrong += objections("Node's server", run(before(url, yaml.safe_load(text)), folder), set())
        broken = run(forgetful(yaml.safe_load(text)), folder)
        missed = next(case.missed for case in CASES if case.name == "flash")
        wrong += objections("clients that never resubscribe", broken, set(missed))
        if not any(f"{clients:,} did not subscribe" in note for note in broken["notes"]):
            wrong.append(f"clients that never resubscribe: no note names the stage: {broken['notes']}")
    print("\n".join(wrong) or "as it should be")
    return 1 if wrong else 0


def before(url: str, scenario: Scenario) -> Scenario:
    """Another server behind the proxy."""
    del scenario["services"]["feed"]
    scenario["services"]["proxy"]["chaos"]["upstream"] = url
    return scenario


def forgetful(scenario: Scenario) -> Scenario:
    """Clients that come back, and ask for nothing."""
    scenario["steps"][0]["subscribe"]["reconnect"]["resubscribe"] = False
    return scenario


def run(scenario: Scenario, folder: Path) -> dict[str, Any]:
    """`wsctl run`, which prints its funnel and figures: the result of the step."""
    file, out = folder / "flash.yaml", folder / "results"
    file.write_text(json.dumps(scenario))  # JSON is YAML
    subprocess.run([sys.executable, "-m", "wsctl", "run", str(file), "--out", str(out)], check=False)
    (ended,) = json.loads((out / "result.json").read_text())["scenarios"]
    step: dict[str, Any] = ended["steps"][0]
    return step


def objections(what: str, step: dict[str, Any], expected: set[str]) -> list[str]:
    """What is wrong with a step that should miss these expectations and no others."""
    missed = {one["metric"] for one in step["expectations"] if one["verdict"] != "pass"}
    verdict = "fail" if expected else "pass"
    if (step["verdict"], missed) == (verdict, expected):
        return []
    return [f"{what}: {step['verdict']}, missed {sorted(missed)}; expected {verdict}, {sorted(expected)}"]


if __name__ == "__main__":
    sys.exit(main())

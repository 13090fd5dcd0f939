"""The shipped suite in small, and what came of a run of it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.cli.program import environment

SUITE = Path(__file__).parents[2] / "scenarios"
WAIT = 50.0
"""seconds that a run may take"""
PATIENCE = 5
"""times the latency that a scenario allows: a copy is run beside other tests; breaks are slower still"""

LATENCY = re.compile(r'((?:latency|spread)[.a-z]*[.]p\d+: "< )(\d+) ms"')

Edit = tuple[str, str]

SMALLER: Mapping[str, tuple[Edit, ...]] = {
    "auth": (("wait: 1s", "wait: 500ms"), ("duration: 3s", "duration: 2s")),
    "connection-limit": (("duration: 4s", "duration: 1s"), ("connect_rate: 5", "connect_rate: 20")),
    "eviction-storm": (("duration: 5s", "duration: 2s"), ("connect_rate: 10", "connect_rate: 50")),
    "fallback": (("rate: 5", "rate: 40"), ("duration: 4s", "duration: 2s")),
    "latency": (
        ("clients: 200", "clients: 20"),
        ("receiving: 200", "receiving: 20"),
        ("duration: 10s, warmup: 1s", "duration: 2500ms, warmup: 500ms"),
        ("duration: 5s", "duration: 2s"),
    ),
    "ordering": (
        ("clients: 300", "clients: 20"),
        ("receiving: 300", "receiving: 20"),
        ("rate: 20", "rate: 40"),
        ("duration: 8s", "duration: 2500ms"),
    ),
    "platform-claims": (
        ("clients: 2000", "clients: 20"),
        ("receiving: 2000", "receiving: 20"),
        ("duration: 15s, warmup: 2s", "duration: 3s, warmup: 500ms"),
    ),
    "reconnection": (
        ("clients: 1500", "clients: 100"),
        ("receiving: 1500", "receiving: 100"),
        ("cut: 1500", "cut: 100"),
        ('lower: ">= 99.8 %"', 'lower: ">= 97 %"'),  # as much as a hundred can prove
        ("delay_max: 5s", "attempts: 100, delay: 100ms, delay_max: 500ms"),
        ("duration: 45s", "duration: 4s"),
        ("at: 5s", "at: 500ms"),
        ("outage: 3s", "outage: 500ms, within: 2s, hold: 1s"),
        ("< 20 s", "< 2 s"),
    ),
    "replay": (
        ("clients: 50", "clients: 10"),
        ("receiving: 50", "receiving: 10"),
        ("restamp: true", "restamp: true, speed: 4"),
        ("duration: 8s", "duration: 3s"),
    ),
    "slow-reader": (("duration: 12s", "duration: 8s"), ("slow_for: 6s", "slow_for: 5s")),
    "throttle": (("duration: 6s", "duration: 3s"),),
}
"""what makes each scenario short enough for a test; what it shows stays"""


def smaller(name: str, folder: Path, *edits: Edit) -> Path:
    """A copy of a shipped scenario, shortened and then edited. Each text to be replaced must be there."""
    text = (SUITE / f"{name}.yaml").read_text()
    for old, new in (*SMALLER[name], *edits):
        assert old in text, f"{name}.yaml says {old!r} no more"
        text = text.replace(old, new)
    text = LATENCY.sub(lambda bound: f'{bound[1]}{int(bound[2]) * PATIENCE} ms"', text)
    path = folder / f"{name}.yaml"
    path.write_text(text)
    shutil.copytree(SUITE / "tapes", folder / "tapes", dirs_exist_ok=True)
    return path


def retape(folder: Path, change: Callable[[list[str]], None]) -> None:
    """Change the tape of a copy: a list of its lines."""
    tape = folder / "tapes" / "binance.jsonl"
    lines = tape.read_text().splitlines()
    before = list(lines)
    change(lines)
    assert lines != before
    tape.write_text("\n".join(lines) + "\n")


def run(*arguments: str, out: Path, **env: str) -> dict[str, Any]:
    """`wsctl run` to its end: result.json. What it printed is in the folder, too."""
    command = [sys.executable, "-m", "wsctl", "run", *arguments, "--out", str(out)]
    done = subprocess.run(command, env=environment(**env), capture_output=True, text=True, timeout=WAIT)
    assert (out / "result.json").exists(), done.stderr
    (out / "printed.txt").write_text(done.stdout + done.stderr)
    result: dict[str, Any] = json.loads((out / "result.json").read_text())
    assert (done.returncode == 0) is (result["verdict"] == "pass"), done.stderr
    return result


def missed(result: dict[str, Any]) -> set[str]:
    """The metrics of all expectations that were not met."""
    return {
        expectation["metric"]
        for scenario in result["scenarios"]
        for step in scenario["steps"]
        for expectation in step["expectations"]
        if expectation["verdict"] not in ("pass", "skipped")
    }


def python_path(*folders: Path) -> str:
    """PYTHONPATH with folders before whatever is on it."""
    return os.pathsep.join((*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])))

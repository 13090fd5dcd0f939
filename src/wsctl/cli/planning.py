"""What run shows instead of running: the list of scenarios, and the plan of each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wsctl.cli.console import print_text
from wsctl.errors import ExitCode
from wsctl.scenario.judge import expectations
from wsctl.scenario.options import RunOptions
from wsctl.scenario.read import Scenario, tags_of
from wsctl.scenario.skipping import skip_reason
from wsctl.scenario.spec import StepSpec
from wsctl.spec.document import Document, Path

_SECRETS = ("token", "jwt_secret")
"""options that are named and not shown"""


def list_scenarios(documents: Sequence[Document]) -> ExitCode:
    """One a line: file, name, tags. As they are written: what a list says needs no environment."""
    width = max((len(document.file) for document in documents), default=0)
    for document in documents:
        tags = f"  [{', '.join(tags_of(document))}]" if tags_of(document) else ""
        name = document.data.get("name", "") if isinstance(document.data, dict) else ""
        print_text(f"{document.file:{width}}  {name}{tags}")
    return ExitCode.PASSED


def show_plan(scenarios: Sequence[Scenario], options: RunOptions) -> ExitCode:
    """What would be run: services, steps, what is expected of them, and what --url would leave out."""
    for scenario in scenarios:
        print_text(f"{scenario.name}  ({scenario.file})")
        for line in _plan(scenario, aimed=options.target is not None):
            print_text(f"  {line}")
    return ExitCode.PASSED


def _plan(scenario: Scenario, *, aimed: bool) -> Iterator[str]:
    if not aimed:
        for name in scenario.spec.services:
            for program, options in scenario.document.at(("services", name)).items():
                yield f"service {name}: {program}{_given(options)}"
    for path, step in scenario.spec.every_step():
        if step.parallel:
            yield "at the same time:"
            continue
        margin = "  " if "parallel" in path else ""
        skipped = skip_reason(step, scenario.spec) if aimed else None
        yield margin + (step.name or "") + (f"  (skipped: {skipped})" if skipped else "")
        for line in _step(scenario.document, path, step):
            yield f"{margin}  {line}"


def _step(document: Document, path: Path, step: StepSpec) -> Iterator[str]:
    command, _ = step.command
    yield command + _given(document.at((*path, command)))
    for index, action in enumerate(step.during):
        name, _ = action.kind
        yield f"at {action.at:g} s {name}{_given(document.at((*path, 'during', index, name)))}"
    for expectation in expectations(step):
        yield f"expects {expectation.metric} {expectation.bound}"


def _given(options: Mapping[str, Any] | None) -> str:
    """Options as they were written, on one line."""
    shown = ", ".join(f"{name}: {'…' if name in _SECRETS else _text(value)}" for name, value in (options or {}).items())
    return f"  {shown}" if shown else ""


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)

"""result.json: what came of a run for scripts, which rely on its names and shapes."""

import json
import math
from inspect import cleandoc
from typing import Any

import msgspec
from msgspec import Struct

from wsctl.fuzz.result import FuzzResult
from wsctl.load.outcome.result import LoadResult
from wsctl.model.run import RunResult, ScenarioResult, StepResult


def result_json(result: RunResult | LoadResult | FuzzResult) -> bytes:
    """The file: keys in the order of the model, metrics by name, numbers in base units.

    What JSON cannot say is said otherwise: a number that is not finite is null, half a surrogate pair is `?`.
    """
    sayable = _sayable(msgspec.to_builtins(result, order="deterministic"))
    return json.dumps(sayable, ensure_ascii=False, indent=2).encode() + b"\n"


def result_schema(kind: type[RunResult | LoadResult | FuzzResult] = RunResult) -> dict[str, Any]:
    """JSON Schema (2020-12) of the file. All keys are always there; more may come."""
    (schema,), definitions = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    for definition in definitions.values():
        definition["description"] = cleandoc(definition["description"])
        if "properties" in definition:
            definition["required"] = list(definition["properties"])
            for value in definition["properties"].values():
                value.pop("default", None)
    about = definitions[kind.__name__]["properties"]
    about["wsctl"] = {"const": _default(kind, "wsctl")}
    about["version"] = {"const": _default(kind, "version")}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "$defs": definitions}


def as_run(result: LoadResult, file: str) -> RunResult:
    """A load as a run of one step, for reports that know only runs. `file` is its profile."""
    step = StepResult(
        name=result.name,
        verdict=result.verdict,
        duration=result.duration,
        metrics=result.metrics,
        expectations=result.expectations,
        reason=result.reason,
        notes=result.notes,
    )
    scenario = ScenarioResult(
        name=result.name, file=file, verdict=result.verdict, duration=result.duration, steps=(step,)
    )
    return RunResult(
        verdict=result.verdict,
        duration=result.duration,
        started_at=result.started_at,
        target=result.target,
        interrupted=result.interrupted,
        scenarios=(scenario,),
    )


def _default(kind: type[Struct], field: str) -> Any:
    return next(one.default for one in msgspec.structs.fields(kind) if one.name == field)


def _sayable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {_sayable(key): _sayable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_sayable(one) for one in value]
    return value

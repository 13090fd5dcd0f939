"""JSON Schema of scenario files, for editors and validators."""

from typing import Any

from wsctl.scenario.spec import COMMAND_SPECS, ScenarioSpec
from wsctl.spec.schema import json_schema


def scenario_schema() -> dict[str, Any]:
    """That of the typed spec, as files are before their defaults are handed to the steps.

    A step need not say what `defaults` may say for it, and `defaults` knows the options of every command.
    """
    schema = json_schema(ScenarioSpec)
    definitions = schema["$defs"]
    options: dict[str, Any] = {}
    for spec in COMMAND_SPECS.values():
        definition = definitions[spec.__name__]
        definition.pop("required", None)
        for name, described in definition["properties"].items():
            known = options.setdefault(name, described)
            if known != described:  # commands differ in what they call by that name
                options[name] = {"anyOf": [*known.get("anyOf", [known]), described]}
    defaults = definitions[ScenarioSpec.__name__]["properties"]["defaults"]
    defaults |= {"properties": options, "additionalProperties": False}
    return schema

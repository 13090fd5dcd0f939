"""JSON Schema of typed specs: valid, told in full, and of one mind with what is read."""

import json
from typing import Annotated, Any, Literal

import pytest
from jsonschema import Draft202012Validator
from msgspec import Meta, Struct

from wsctl.errors import UsageError
from wsctl.server.options import ServeOptions
from wsctl.spec.loader import load_yaml
from wsctl.spec.schema import json_schema
from wsctl.spec.typed import Duration, Names, build


class Flash(Struct, frozen=True, kw_only=True):
    """Cuts clients.

    For a while.
    """

    outage: Annotated[Duration, Meta(description="how long", gt=0)] = 3.0
    percent: Annotated[float, Meta(ge=0, le=100)] = 100.0


class Step(Struct, frozen=True, kw_only=True, rename="kebab"):
    name: Annotated[str, Meta(min_length=1)]
    clients: Annotated[int, Meta(ge=1, description="how many")] | None = None
    duration: Annotated[Duration | None, Meta(description="how long")] = 0.25
    warm_up: Duration = 0.0
    symbols: Annotated[Names, Meta(min_length=1, description="which")] = ("BTC/USDT",)
    transport: Literal["websocket", "polling"] = "websocket"
    slow: bool = False
    flash: Flash | None = None
    first: Duration | Literal["never"] = "never"
    expect: dict[str, str | float] = {}
    limit: float = float("inf")
    args: Any = None
    parallel: tuple["Step", ...] = ()


VARIABLE = {"type": "string", "pattern": r"\$\{"}
DURATION = {"type": "string", "pattern": r"^(?:0|(\d+(?:\.\d+)?)\s*(ms|s|m|h))$"}
ZERO = {"type": "integer", "const": 0}
NULL = {"type": "null"}


def test_the_whole_schema() -> None:
    assert json_schema(Step) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": "#/$defs/Step",
        "$defs": {
            "Step": {
                "title": "Step",
                "type": "object",
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "clients": {
                        "description": "how many",
                        "anyOf": [{"type": "integer", "minimum": 1}, VARIABLE, NULL],
                    },
                    "duration": {
                        "description": "how long",
                        "anyOf": [DURATION, VARIABLE, ZERO, NULL],
                        "default": "250ms",
                    },
                    "warm-up": {"anyOf": [DURATION, VARIABLE, ZERO], "default": 0},
                    "symbols": {
                        "description": "which",
                        "anyOf": [
                            {"type": "string", "minLength": 1},
                            {"type": "array", "items": {"type": "string"}, "minItems": 1},
                        ],
                        "default": ["BTC/USDT"],
                    },
                    "transport": {"anyOf": [{"enum": ["polling", "websocket"]}, VARIABLE], "default": "websocket"},
                    "slow": {"anyOf": [{"type": "boolean"}, VARIABLE], "default": False},
                    "flash": {"anyOf": [{"$ref": "#/$defs/Flash"}, NULL]},
                    "first": {"anyOf": [DURATION, VARIABLE, ZERO, {"enum": ["never"]}], "default": "never"},
                    "expect": {
                        "type": "object",
                        "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "number"}, VARIABLE]},
                    },
                    "limit": {"anyOf": [{"type": "number"}, VARIABLE]},
                    "args": {},
                    "parallel": {"type": "array", "items": {"$ref": "#/$defs/Step"}, "default": []},
                },
                "required": ["name"],
                "additionalProperties": False,
            },
            "Flash": {
                "title": "Flash",
                "description": "Cuts clients.\n\nFor a while.",
                "type": "object",
                "properties": {
                    "outage": {"description": "how long", "anyOf": [DURATION, VARIABLE], "default": "3s"},
                    "percent": {
                        "anyOf": [{"type": "number", "minimum": 0, "maximum": 100}, VARIABLE],
                        "default": 100.0,
                    },
                },
                "additionalProperties": False,
            },
        },
    }


@pytest.mark.parametrize("kind", [Step, Flash, ServeOptions])
def test_schemas_are_schemas(kind: type[Struct]) -> None:
    schema = json_schema(kind)
    Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema, allow_nan=False)) == schema


@pytest.mark.parametrize(
    "text",
    [
        "{name: a}",
        "{name: a, clients: , flash: , args: }",
        "{name: a, clients: 2, duration: 1.5 h, warm-up: 0, slow: true}",
        "{name: a, symbols: 'a,b', transport: polling, first: never}",
        "{name: a, symbols: [a], first: 500ms, args: {x: [1]}, limit: 5}",
        "{name: a, flash: {outage: 1s}, expect: {m: < 5 ms, n: 0}, parallel: [{name: b}]}",
    ],
)
def test_what_is_read_fits(text: str) -> None:
    document = load_yaml(text, "f")
    build(document, (), Step)
    Draft202012Validator(json_schema(Step)).validate(document.data)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "{name: 5}",
        "{name: ''}",
        "{name: a, zzz: 1}",
        "{name: a, clients: 0}",
        "{name: a, clients: x}",
        "{name: a, clients: true}",
        "{name: a, duration: 10}",
        "{name: a, duration: soon}",
        "{name: a, symbols: []}",
        "{name: a, symbols: ''}",
        "{name: a, symbols: [1]}",
        "{name: a, transport: x}",
        "{name: a, slow: yes}",
        "{name: a, flash: {outage: 0}}",
        "{name: a, flash: {percent: 101}}",
        "{name: a, flash: {x: 1}}",
        "{name: a, first: nevr}",
        "{name: a, expect: {m: [1]}}",
        "{name: a, parallel: [{}]}",
        "{name: a, parallel: {name: b}}",
    ],
)
def test_what_is_not_read_does_not_fit(text: str) -> None:
    document = load_yaml(text, "f")
    with pytest.raises(UsageError):
        build(document, (), Step)
    assert not Draft202012Validator(json_schema(Step)).is_valid(document.data)


@pytest.mark.parametrize("key", ["name", "clients", "duration", "symbols", "transport", "slow", "first", "limit"])
@pytest.mark.parametrize("variable", ["${X}", "${X:-5}", "${matrix.x}0s"])
def test_any_scalar_may_be_a_variable(key: str, variable: str) -> None:
    Draft202012Validator(json_schema(Step)).validate({"name": "a", key: variable})


def _namesake() -> type[Struct]:
    class Flash(Struct):
        other: Any

    return Flash


class Both(Struct):
    one: Flash
    two: _namesake()  # type: ignore[valid-type]


def test_namesakes_are_kept_apart() -> None:
    definitions = json_schema(Both)["$defs"]
    assert definitions["Both"]["properties"]["two"] == {"$ref": "#/$defs/Flash2"}
    assert list(definitions["Flash2"]["properties"]) == ["other"]


class Odd(Struct):
    fine: int = 0
    odd: bytes = b""


def test_what_no_spec_can_hold() -> None:
    with pytest.raises(TypeError, match="a spec cannot hold"):
        json_schema(Odd)

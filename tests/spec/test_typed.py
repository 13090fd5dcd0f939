"""Typed specs: what is read, and the message for each thing that can be wrong."""

from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct, field

from wsctl.errors import UsageError
from wsctl.server.options import ServeOptions
from wsctl.spec.document import Document
from wsctl.spec.loader import load_yaml
from wsctl.spec.typed import Duration, Names, build

Percent = Annotated[float, Meta(ge=0, le=100)]


class Flash(Struct, frozen=True, kw_only=True):
    percent: Annotated[Percent, Meta(description="share of the clients")] = 100.0
    outage: Annotated[Duration, Meta(description="how long", gt=0, le=60)] = 3.0


class Step(Struct, frozen=True, kw_only=True, rename="kebab"):
    name: Annotated[str, Meta(min_length=1, max_length=9)]
    clients: Annotated[int, Meta(ge=1, lt=10_000, description="how many")] | None = None
    duration: Duration | None = None
    symbols: Annotated[Names, Meta(min_length=1, description="which")] | None = None
    transport: Literal["websocket", "polling"] = "websocket"
    level: Literal[1, 2] = 1
    slow_reader: bool = False
    flash: Flash | None = None
    first: Duration | Literal["never"] = "never"
    expect: dict[str, str | float] = {}
    tags: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(max_length=2)] = ()
    args: Any = None
    kind: str = field(default="", name="type")
    parallel: tuple["Step", ...] = ()

    def __post_init__(self) -> None:
        if self.flash and self.duration and self.flash.outage > self.duration:
            raise UsageError("the outage outlasts the step", hint="make duration longer")


KNOWN = (
    "name, clients, duration, symbols, transport, level, slow-reader, flash, first, expect, tags, args, type, parallel"
)


class Scenario(Struct, frozen=True, kw_only=True):
    steps: tuple[Step, ...]
    services: Annotated[dict[str, Flash], Meta(min_length=1)] = {}


def read(text: str) -> Step:
    return build(load_yaml(text, "f"), (), Step)


def test_everything_at_once() -> None:
    text = """\
    name: a
    clients: 3
    duration: 2m
    symbols: BTC/USDT, ETH/USDT
    transport: polling
    level: 2
    slow-reader: true
    flash: {percent: 50, outage: 500ms}
    first: 10s
    expect: {latency.p95: < 50 ms, ordering.gaps: 0}
    tags: [x, y]
    args: [1, {a: null}]
    type: k
    parallel: [{name: b}]
    """
    assert read(text) == Step(
        name="a",
        clients=3,
        duration=120.0,
        symbols=("BTC/USDT", "ETH/USDT"),
        transport="polling",
        level=2,
        slow_reader=True,
        flash=Flash(percent=50.0, outage=0.5),
        first=10.0,
        expect={"latency.p95": "< 50 ms", "ordering.gaps": 0.0},
        tags=("x", "y"),
        args=[1, {"a": None}],
        kind="k",
        parallel=(Step(name="b"),),
    )


def test_what_is_not_given_is_the_default() -> None:
    assert read("name: a") == Step(name="a")
    assert read("{name: a, clients: , duration: null, symbols: ~, args: }") == Step(name="a")


def test_an_empty_value_for_a_struct_is_an_empty_mapping() -> None:
    assert read("{name: a, flash: }").flash == Flash()
    assert build(load_yaml("", "f"), (), Flash) == Flash()
    document = load_yaml("steps: [{name: a, parallel: [ ~ ]}]", "f")
    with pytest.raises(UsageError, match=r"f:1:31: steps\[0\]\.parallel\[0\] lacks 'name'"):
        build(document, (), Scenario)


@pytest.mark.parametrize(
    ("text", "value"),
    [("500ms", 0.5), ("10s", 10.0), ("2m", 120.0), ("0", 0.0), ("0.0", 0.0), ("'0'", 0.0), ("1.5 h", 5400.0)],
)
def test_durations(text: str, value: float) -> None:
    assert read(f"{{name: a, duration: {text}}}").duration == value


@pytest.mark.parametrize("text", ["a,b", "' a, b '", "[a, b]"])
def test_names(text: str) -> None:
    given = f"{{name: a, symbols: {text}}}" if text.startswith("[") else f"name: a\nsymbols: {text}"
    assert read(given).symbols == ("a", "b")


def test_a_whole_number_is_a_float_where_one_is_declared() -> None:
    percent = build(load_yaml("percent: 5", "f"), (), Flash).percent
    assert (percent, type(percent)) == (5.0, float)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "f:1:1: the document is a list; expected a mapping of keys"),
        ("", "f:1:1: the document lacks 'name'"),
        ("clients: 3", "f:1:1: the document lacks 'name'"),
        ("{nam: a}", "f:1:2: unknown key 'nam' in the document\nhint: did you mean name?"),
        ("{name: a, slow_reader: true}",
            "f:1:11: unknown key 'slow_reader' in the document\nhint: did you mean slow-reader?"),
        ("{name: a, kind: x}", f"f:1:11: unknown key 'kind' in the document\nhint: known: {KNOWN}"),
        ("{name: 5}", "f:1:8: name is a number; expected a text\nhint: in quotes it is a text"),
        ("{name: true}", "f:1:8: name is true; expected a text\nhint: in quotes it is a text"),
        ("{name: }", "f:1:7: name is empty; expected a text"),
        ("{name: ''}", "f:1:8: name has 0 characters; expected at least 1 character"),
        ("{name: abcdefghij}", "f:1:8: name has 10 characters; expected at most 9 characters"),
        ("{name: a, clients: many}", "f:1:20: clients is a text; expected a whole number"),
        ("{name: a, clients: 1.0}", "f:1:20: clients is a number; expected a whole number"),
        ("{name: a, clients: true}", "f:1:20: clients is true; expected a whole number"),
        ("{name: a, clients: [1]}", "f:1:20: clients is a list; expected a whole number"),
        ("{name: a, clients: 0}", "f:1:20: clients is 0; expected at least 1"),
        ("{name: a, clients: 10000}", "f:1:20: clients is 10000; expected less than 10000"),
        ("{name: a, duration: 10}", "f:1:21: duration is a number; expected a number and a unit, such as 10s"),
        ("{name: a, duration: false}", "f:1:21: duration is false; expected a number and a unit, such as 10s"),
        ("{name: a, duration: soon}",
            "f:1:21: duration: bad duration 'soon'; expected a number and a unit, such as 500ms, 10s or 2m"),
        ("{name: a, symbols: 'a,,b'}", "f:1:20: symbols has an empty name; expected names, such as a,b or [a, b]"),
        ("{name: a, symbols: ''}", "f:1:20: symbols has an empty name; expected names, such as a,b or [a, b]"),
        ("{name: a, symbols: [a, '']}", "f:1:20: symbols has an empty name; expected names, such as a,b or [a, b]"),
        ("{name: a, symbols: []}", "f:1:20: symbols has 0 entries; expected at least 1 entry"),
        ("{name: a, symbols: [a, 1]}", "f:1:24: symbols[1] is a number; expected a text\nhint: in quotes it is a text"),
        ("{name: a, symbols: 1}", "f:1:20: symbols is a number; expected names"),
        ("{name: a, transport: poling}",
            "f:1:22: transport is 'poling'; expected polling or websocket\nhint: did you mean polling?"),
        ("{name: a, transport: x}", "f:1:22: transport is 'x'; expected polling or websocket"),
        ("{name: a, transport: 1}", "f:1:22: transport is a number; expected polling or websocket"),
        ("{name: a, transport: }", "f:1:21: transport is empty; expected polling or websocket"),
        ("{name: a, level: 3}", "f:1:18: level is 3; expected 1 or 2"),
        ("{name: a, level: true}", "f:1:18: level is true; expected 1 or 2"),
        ("{name: a, slow-reader: yes}", "f:1:24: slow-reader is a text; expected true or false"),
        ("{name: a, slow-reader: 1}", "f:1:24: slow-reader is a number; expected true or false"),
        ("{name: a, flash: {percnt: 1}}", "f:1:19: unknown key 'percnt' in flash\nhint: did you mean percent?"),
        ("{name: a, flash: 3s}", "f:1:18: flash is a text; expected a mapping of keys"),
        ("{name: a, flash: {percent: 120}}", "f:1:28: flash.percent is 120; expected at most 100"),
        ("{name: a, flash: {percent: -0.5}}", "f:1:28: flash.percent is -0.5; expected at least 0"),
        ("{name: a, flash: {percent: .inf}}",
            "f:1:28: flash.percent is out of range; expected a finite number of at most 64 bits"),
        ("{name: a, flash: {percent: .nan}}",
            "f:1:28: flash.percent is out of range; expected a finite number of at most 64 bits"),
        ("{name: a, flash: {percent: 50 %}}", "f:1:28: flash.percent is a text; expected a number"),
        ("{name: a, flash: {outage: 0}}", "f:1:27: flash.outage is 0; expected more than 0"),
        ("{name: a, flash: {outage: 2m}}", "f:1:27: flash.outage is 2m; expected at most 60s"),
        ("{name: a, first: nevr}", "f:1:18: first is 'nevr'; expected a number and a unit, such as 10s or never"),
        ("{name: a, first: 5}", "f:1:18: first is a number; expected a number and a unit, such as 10s"),
        ("{name: a, first: [never]}", "f:1:18: first is a list; expected a number and a unit, such as 10s or never"),
        ("{name: a, expect: {m: [1]}}", "f:1:23: expect.m is a list; expected a text or a number"),
        ("{name: a, expect: {m: true}}",
            "f:1:23: expect.m is true; expected a text or a number\nhint: in quotes it is a text"),
        ("{name: a, expect: [m]}", "f:1:19: expect is a list; expected a mapping of keys"),
        ("{name: a, tags: x}", "f:1:17: tags is a text; expected a list"),
        ("{name: a, tags: [x, '']}", "f:1:21: tags[1] has 0 characters; expected at least 1 character"),
        ("{name: a, tags: [x, y, z]}", "f:1:17: tags has 3 entries; expected at most 2 entries"),
        ("{name: a, parallel: [{name: b, parallel: [{name: c, flash: {x: 1}}]}]}",
            "f:1:61: unknown key 'x' in parallel[0].parallel[0].flash\nhint: known: percent, outage"),
        ("name: a\nparallel:\n  - name: b\n    duration: 1s\n    flash: {}\n",
            "f:3:5: the outage outlasts the step\nhint: make duration longer"),
        ("{clients: x, duration: y, z: 1}", f"f:1:27: unknown key 'z' in the document\nhint: known: {KNOWN}"),
        ("{name: a, duration: y, clients: x}",
            "f:1:21: duration: bad duration 'y'; expected a number and a unit, such as 500ms, 10s or 2m"),
    ],
)  # fmt: skip
def test_what_can_be_wrong(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("key", "value"), [("clients", "0x" + "f" * 5000), ("duration", "9" * 400 + "s")], ids=["digits", "duration"]
)
def test_numbers_without_end(key: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"{key} is out of range; expected a finite number of at most 64 bits"):
        read(f"{{name: a, {key}: {value}}}")


def test_a_part_of_a_document() -> None:
    document = load_yaml("a:\n  - {percent: 5}\n  - {percent: x}\n", "f")
    assert build(document, ("a", 0), Flash) == Flash(percent=5.0)
    with pytest.raises(UsageError, match=r"f:3:15: a\[1\]\.percent is a text; expected a number"):
        build(document, ("a", 1), Flash)


def test_a_mapping_too_short() -> None:
    with pytest.raises(UsageError, match="f:1:23: services has 0 entries; expected at least 1 entry"):
        build(load_yaml("{steps: [], services: {}}", "f"), (), Scenario)


def test_nesting_without_end_is_an_error_for_people() -> None:
    data: dict[str, Any] = {"name": "a"}
    for _ in range(1000):
        data = {"name": "a", "parallel": [data]}
    with pytest.raises(UsageError, match="f: the document is nested too deeply"):
        build(Document("f", data, {}, {}), (), Step)


class _Pattern(Struct):
    a: Annotated[str, Meta(pattern="x")] = ""


class _Bytes(Struct):
    a: bytes = b""


class _OddUnit(Struct):
    a: Annotated[int, Meta(extra={"unit": "duration"})] = 0


class _IntKeys(Struct):
    a: dict[int, str] = {}


@pytest.mark.parametrize("kind", [_Pattern, _Bytes, _OddUnit, _IntKeys])
def test_no_declaration_is_passed_over_in_silence(kind: type[Struct]) -> None:
    with pytest.raises(TypeError, match=r"cannot hold|does not suit"):
        build(load_yaml("{a: x}", "f"), (), kind)


def test_the_options_of_serve() -> None:
    text = """\
    symbols: BTC/USDT,ETH/USDT
    rate: 20
    throttle: 100ms
    ping_interval: 5s
    limit_policy: reject-newest
    cors_origin: [http://a.test]
    """
    assert build(load_yaml(text, "f"), (), ServeOptions) == ServeOptions(
        symbols=("BTC/USDT", "ETH/USDT"),
        rate=20.0,
        throttle=0.1,
        ping_interval=5.0,
        limit_policy="reject-newest",
        cors_origin=("http://a.test",),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rat: 1", "f:1:1: unknown key 'rat' in the document\nhint: did you mean rate?"),
        ("rate: fast", "f:1:7: rate is a text; expected a number"),
        ("seed: 1.5", "f:1:7: seed is a number; expected a whole number"),
        ("throttle: 5 parsecs", "f:1:11: throttle: bad duration '5 parsecs'; expected a number and a unit, such as "
            "500ms, 10s or 2m"),
        ("limit_policy: evict-oldst", "f:1:15: limit_policy is 'evict-oldst'; expected evict-oldest or reject-newest\n"
            "hint: did you mean evict-oldest?"),
        ("control: yes", "f:1:10: control is a text; expected true or false"),
    ],
)  # fmt: skip
def test_wrong_options_of_serve(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        build(load_yaml(text, "f"), (), ServeOptions)
    assert str(caught.value) == message

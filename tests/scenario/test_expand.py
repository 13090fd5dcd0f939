"""What a file stands for: variables filled in, the matrix multiplied out, defaults handed to the steps."""

from pathlib import Path
from typing import Any

import pytest

from tests.scenario.texts import HEAD, STEP
from wsctl.errors import UsageError
from wsctl.scenario.read import Scenario, read_scenarios
from wsctl.scenario.spec import EmitSpec, OrderingCheckSpec, SubscribeSpec


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, so that messages name files as they are named here."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str, **environ: str) -> list[Scenario]:
    """The scenarios of a file."""
    Path("s.yaml").write_text(text)
    return read_scenarios([Path("s.yaml")], environ)


def subscription(text: str, step: int = 0, **environ: str) -> SubscribeSpec:
    """What a step of the only scenario subscribes to."""
    (scenario,) = read(text, **environ)
    subscribe = scenario.spec.steps[step].subscribe
    assert subscribe is not None
    return subscribe


def complaint(text: str, **environ: str) -> str:
    """What is said of a file."""
    with pytest.raises(UsageError) as caught:
        read(text, **environ)
    return caught.value.message


CLIENTS = HEAD + STEP.replace("10s", "10s, clients: '${N}'")


def test_a_variable_is_what_is_wanted_in_its_place(folder: Path) -> None:
    """A number where one is wanted, a text where that is, however it looks."""
    assert subscription(CLIENTS, N="7").clients == 7
    text = HEAD + STEP.replace("A, duration: 10s", "'${N}', duration: '${T}', user: '${N}'")
    watched = subscription(text, N="007", T="1500ms")
    assert (watched.symbols, watched.duration, watched.user) == (("007",), 1.5, "007")


def test_a_variable_of_anything_is_read_as_yaml(folder: Path) -> None:
    """Arguments of an event have no type of their own."""
    (scenario,) = read(HEAD + "steps: [{name: s, emit: {event: x, args: ['${N}', 'n${N}']}}]\n", N="7")
    assert scenario.spec.steps[0].emit == EmitSpec(event="x", args=(7, "n7"))


def test_an_empty_variable_is_as_if_not_given(folder: Path) -> None:
    """Where nothing may be given; else it is an empty text."""
    assert subscription(HEAD + STEP.replace("10s", "10s, user: '${U:-}', clients: '${N:-}'")).user is None
    (scenario,) = read(HEAD + "tokens: {alice: '${T:-}'}\n" + STEP)
    assert scenario.spec.tokens == {"alice": ""}


def test_defaults_of_variables(folder: Path) -> None:
    """A default counts where the variable is not set, or empty."""
    text = CLIENTS.replace("${N}", "${N:-3}")
    assert subscription(text).clients == 3
    assert subscription(text, N="").clients == 3
    assert subscription(text, N="4").clients == 4


def test_variables_inside_texts(folder: Path) -> None:
    """Several in one text; `$${` is a plain `${`; a `$` alone is one."""
    text = HEAD.replace("name: N", "name: 'a ${A} ${B:-b} $${A} $5 ${A}'") + STEP
    (scenario,) = read(text, A="x")
    assert scenario.name == "a x b ${A} $5 x"


def test_an_escaped_variable_alone(folder: Path) -> None:
    """It is a text, and nothing is looked up."""
    (scenario,) = read(HEAD.replace("name: N", "name: $${A}") + STEP)
    assert scenario.name == "${A}"


def test_variables_in_services(folder: Path) -> None:
    """Options of serve are typed as well."""
    text = HEAD.replace("symbols: BTC/USDT", "symbols: '${S}', rate: '${R}', throttle: '${T}', control: '${C}'") + STEP
    (scenario,) = read(text, S="X, Y", R="2.5", T="100ms", C="true")
    serve = scenario.spec.services["feed"].serve
    assert (serve.symbols, serve.rate, serve.throttle, serve.control) == (("X", "Y"), 2.5, 0.1, True)


def test_a_bound_from_a_variable(folder: Path) -> None:
    """With and without a unit."""
    (scenario,) = read(HEAD + STEP + "    expect: {latency.p95: '${L}', errors: '${E}'}\n", L="< 9 ms", E="0")
    assert scenario.spec.steps[0].expect == {"latency.p95": "< 9 ms", "errors": "0"}


MATRIX = (
    HEAD
    + "matrix: {symbol: [A, B], clients: [1, 20]}\n"
    + STEP.replace("A, duration: 10s", "'${matrix.symbol}', duration: 10s, clients: '${matrix.clients}'")
)


def test_the_matrix_is_a_product(folder: Path) -> None:
    """Each combination is a scenario, named by it."""
    scenarios = read(MATRIX)
    assert [scenario.name for scenario in scenarios] == [
        "N (symbol A, clients 1)",
        "N (symbol A, clients 20)",
        "N (symbol B, clients 1)",
        "N (symbol B, clients 20)",
    ]
    watched = [scenario.spec.steps[0].subscribe for scenario in scenarios]
    assert [(one.symbols, one.clients) for one in watched if one] == [
        (("A",), 1),
        (("A",), 20),
        (("B",), 1),
        (("B",), 20),
    ]


def test_matrix_values_keep_their_type(folder: Path) -> None:
    """What YAML says is a text stays one; lists and mappings are handed on; nothing is a value as well."""
    text = (
        HEAD
        + "matrix: {m: [{user: '7', reconnect: {attempts: 2}}]}\n"
        + "steps: [{name: s, emit: {event: x, args: ['${matrix.m}']}}]\n"
    )
    (scenario,) = read(text)
    emit = scenario.spec.steps[0].emit
    assert emit is not None
    assert emit.args == ({"user": "7", "reconnect": {"attempts": 2}},)
    (scenario,) = read(HEAD + "matrix: {m: [~]}\n" + "steps: [{name: s, emit: {event: x, args: ['${matrix.m}']}}]\n")
    assert scenario.spec.steps[0].emit == EmitSpec(event="x", args=(None,))


def test_variables_in_the_matrix(folder: Path) -> None:
    """They are filled in first."""
    text = MATRIX.replace("clients: [1, 20]", "clients: ['${N}']").replace("[A, B]", "[A]")
    assert [scenario.name for scenario in read(text, N="5")] == ["N (symbol A, clients 5)"]
    assert subscription(text, N="5").clients == 5


DEFAULTS = (
    HEAD
    + """\
defaults: {duration: 3s, symbols: [A, B], transport: polling, wait: 500ms}
steps:
  - name: inherits
    subscribe: {}
  - name: has its own
    subscribe: {duration: 5s, symbols: C}
  - parallel:
      - name: inherits inside parallel
        ordering-check: {duration: 4s}
      - name: knows but some
        emit: {event: x}
"""
)


def test_defaults(folder: Path) -> None:
    """Each step takes what its command knows, and what a step says itself wins."""
    (scenario,) = read(DEFAULTS)
    first, second, parallel = scenario.spec.steps
    assert first.subscribe == SubscribeSpec(duration=3.0, symbols=("A", "B"), transport="polling")
    assert second.subscribe == SubscribeSpec(duration=5.0, symbols=("C",), transport="polling")
    check, emit = parallel.parallel
    assert check.ordering_check == OrderingCheckSpec(duration=4.0, symbols=("A", "B"), transport="polling")
    assert emit.emit == EmitSpec(event="x", wait=0.5, transport="polling")


def test_a_command_alone_takes_defaults(folder: Path) -> None:
    """`subscribe:` without any option is as good as `subscribe: {}`."""
    (scenario,) = read(DEFAULTS.replace("subscribe: {}", "subscribe:"))
    assert scenario.spec.steps[0].subscribe == SubscribeSpec(duration=3.0, symbols=("A", "B"), transport="polling")


@pytest.mark.parametrize(
    ("defaults", "message"),
    [
        (
            "duration: 3",
            "s.yaml:4:22: steps[0].subscribe.duration is a number; expected a number and a unit, such as 10s",
        ),
        ("symbols: [A, 3]", "s.yaml:4:25: steps[0].subscribe.symbols[1] is a number; expected a text"),
        ("reconnect: {atempts: 3}", "s.yaml:4:24: unknown key 'atempts' in steps[0].subscribe.reconnect"),
    ],
)
def test_messages_point_at_the_defaults(folder: Path, defaults: str, message: str) -> None:
    """What is wrong with an inherited option is mended where it stands."""
    steps = "steps: [{name: s, subscribe: {duration: 3s}}, {name: t, subscribe: {}}]\n"
    if not defaults.startswith("duration"):
        defaults += ", bots: true"
    else:
        steps = "steps: [{name: s, subscribe: {bots: true}}]\n"
    assert complaint(f"{HEAD}defaults: {{{defaults}}}\n{steps}") == message


def test_aliases(folder: Path) -> None:
    """YAML's own way of saying a thing once; each use has its own place."""
    text = (
        HEAD
        + """\
steps:
  - {name: s, subscribe: &watch {symbols: A, duration: 10s}}
  - {name: t, subscribe: *watch, expect: &bounds {errors: 0}}
  - {name: u, subscribe: *watch, expect: *bounds}
"""
    )
    (scenario,) = read(text)
    assert (
        scenario.spec.steps[1].subscribe
        == scenario.spec.steps[2].subscribe
        == SubscribeSpec(symbols=("A",), duration=10.0)
    )
    assert [step.expect for step in scenario.spec.steps] == [{}, {"errors": 0.0}, {"errors": 0.0}]
    assert complaint(text.replace("duration: 10s", "duraton: 10s")).startswith("s.yaml:5:46: unknown key 'duraton'")


@pytest.mark.parametrize("value", ["[1, 2]", "{a: 1}", "false", "0", "text"])
def test_anything_is_an_argument(folder: Path, value: str) -> None:
    """An event's arguments are handed on as they are."""
    (scenario,) = read(HEAD + f"steps: [{{name: s, emit: {{event: x, args: [{value}]}}}}]\n")
    emit = scenario.spec.steps[0].emit
    assert emit is not None
    expected: dict[str, Any] = {"[1, 2]": [1, 2], "{a: 1}": {"a": 1}, "false": False, "0": 0, "text": "text"}
    assert emit.args == (expected[value],)

"""What can be wrong with the form of a scenario file: each message to the letter, with its place."""

from pathlib import Path

import pytest

from tests.scenario.texts import HEAD, STEP, during, step
from wsctl.errors import UsageError
from wsctl.scenario.read import read_scenarios

COMMANDS = "subscribe, ordering-check, emit, record, replay, load, fuzz, parallel"

TABLE: dict[str, tuple[str, str, str | None]] = {
    # keys
    "misspelt key of the scenario": (
        HEAD.replace("services", "servces") + STEP,
        "2:1: unknown key 'servces' in the document",
        "did you mean services?",
    ),
    "misspelt key of a service": (
        HEAD.replace("serve:", "server:") + STEP,
        "3:10: unknown key 'server' in services.feed",
        "did you mean serve?",
    ),
    "misspelt option of serve": (
        HEAD.replace("symbols", "symbol") + STEP,
        "3:18: unknown key 'symbol' in services.feed.serve",
        "did you mean symbols?",
    ),
    "misspelt key of a step": (
        HEAD + STEP.replace("subscribe", "subscrib"),
        "6:5: unknown key 'subscrib' in steps[0]",
        "did you mean subscribe?",
    ),
    "key of nothing known": (
        HEAD + STEP + "    zebra: 1\n",
        "7:5: unknown key 'zebra' in steps[0]",
        f"known: name, {COMMANDS}, during, expect",
    ),
    "misspelt option of a command": (
        step("symbols: A, duraton: 10s"),
        "6:29: unknown key 'duraton' in steps[0].subscribe",
        "did you mean duration?",
    ),
    "misspelt option of reconnect": (
        step("symbols: A, duration: 10s, reconnect: {atempts: 3}"),
        "6:56: unknown key 'atempts' in steps[0].subscribe.reconnect",
        "did you mean attempts?",
    ),
    "misspelt key of an action": (
        during("{at: 1s, flsh: {}}"),
        "7:23: unknown key 'flsh' in steps[0].during[0]",
        "did you mean flash?",
    ),
    "misspelt option of an action": (
        during("{at: 1s, flash: {percnt: 3}}"),
        "7:31: unknown key 'percnt' in steps[0].during[0].flash",
        "did you mean percent?",
    ),
    "misspelt option of defaults": (
        HEAD + "defaults: {duratoin: 3s}\n" + STEP,
        "4:12: unknown key 'duratoin' in defaults; no step has such an option",
        "did you mean duration?",
    ),
    "option of defaults that no step knows": (
        HEAD + "defaults: {zebra: 3s}\n" + STEP,
        "4:12: unknown key 'zebra' in defaults; no step has such an option",
        None,
    ),
    "defaults that is no mapping": (
        HEAD + "defaults: 3s\n" + STEP,
        "4:11: defaults is a text; expected options of steps",
        None,
    ),
    # shape
    "not a mapping": (
        "- name: N\n",
        "1:1: the document is a list; expected a mapping of keys",
        None,
    ),
    "only a text": (
        "hello\n",
        "1:1: the document is a text; expected a mapping of keys",
        None,
    ),
    "no name": (
        HEAD.replace("name: N\n", "") + STEP,
        "1:1: the document lacks 'name'",
        None,
    ),
    "no steps": (
        HEAD,
        "1:1: the document lacks 'steps'",
        None,
    ),
    "empty steps": (
        HEAD + "steps: []\n",
        "4:8: steps has 0 entries; expected at least 1 entry",
        None,
    ),
    "steps that are no list": (
        HEAD + "steps: {name: s}\n",
        "4:8: steps is a mapping; expected a list",
        None,
    ),
    "a step that is a text": (
        HEAD + "steps: [subscribe]\n",
        "4:9: steps[0] is a text; expected a mapping of keys",
        None,
    ),
    "two commands": (
        HEAD + STEP + "    emit: {event: x}\n",
        f"5:5: the step has both subscribe and emit; expected one of {COMMANDS}",
        None,
    ),
    "command and parallel": (
        HEAD + STEP + "    parallel: [{name: t, emit: {event: x}}]\n",
        f"5:5: the step has both subscribe and parallel; expected one of {COMMANDS}",
        None,
    ),
    "no command": (
        HEAD + "steps: [{name: s}]\n",
        f"4:9: the step has no command; expected one of {COMMANDS}",
        None,
    ),
    "no name of a step": (
        HEAD + "steps:\n  - emit: {event: x}\n",
        "5:5: the step has no name; expected a few words that say what it shows",
        None,
    ),
    "no name inside parallel": (
        HEAD + "steps:\n  - parallel:\n      - emit: {event: x}\n",
        "6:9: the step has no name; expected a few words that say what it shows",
        None,
    ),
    "parallel in parallel": (
        HEAD + "steps:\n  - parallel:\n      - parallel: [{name: s, emit: {event: x}}]\n",
        "6:9: parallel inside parallel; expected steps with a command",
        None,
    ),
    "during beside parallel": (
        HEAD + "steps:\n  - parallel: [{name: s, emit: {event: x}}]\n    during: [{at: 1s, pause: {}}]\n",
        "6:5: during beside parallel; expected inside one of its steps",
        None,
    ),
    "expect beside parallel": (
        HEAD + "steps:\n  - parallel: [{name: s, emit: {event: x}}]\n    expect: {errors: 0}\n",
        "6:5: expect beside parallel; expected inside one of its steps",
        None,
    ),
    "empty parallel": (
        HEAD + "steps:\n  - parallel: []\n",
        f"5:5: the step has no command; expected one of {COMMANDS}",
        None,
    ),
    "no duration": (
        step("symbols: A"),
        "6:16: steps[0].subscribe lacks 'duration'",
        None,
    ),
    "no event": (
        HEAD + "steps: [{name: s, emit: {}}]\n",
        "4:25: steps[0].emit lacks 'event'",
        None,
    ),
    "command without options": (
        HEAD + "steps:\n  - name: s\n    subscribe:\n",
        "6:15: steps[0].subscribe lacks 'duration'",
        None,
    ),
    "nothing to listen to": (
        step("duration: 10s"),
        "6:16: nothing to listen to; expected symbols or channels",
        None,
    ),
    # types
    "number where a text is expected": (
        HEAD.replace("name: N", "name: 2026") + STEP,
        "1:7: name is a number; expected a text",
        "in quotes it is a text",
    ),
    "list where a text is expected": (
        HEAD.replace("name: N", "name: [N]") + STEP,
        "1:7: name is a list; expected a text",
        None,
    ),
    "text where a number is expected": (
        step("symbols: A, duration: 10s, clients: many"),
        "6:53: steps[0].subscribe.clients is a text; expected a whole number",
        None,
    ),
    "none where a number is expected": (
        step("symbols: A, duration: 10s, connect_rate:"),
        "6:57: steps[0].subscribe.connect_rate is empty; expected a number",
        None,
    ),
    "fraction where a whole number is expected": (
        step("symbols: A, duration: 10s, clients: 1.5"),
        "6:53: steps[0].subscribe.clients is a number; expected a whole number",
        None,
    ),
    "no client": (
        step("symbols: A, duration: 10s, clients: 0"),
        "6:53: steps[0].subscribe.clients is 0; expected at least 1",
        None,
    ),
    "duration without a unit": (
        step("symbols: A, duration: 10"),
        "6:39: steps[0].subscribe.duration is a number; expected a number and a unit, such as 10s",
        None,
    ),
    "duration of a wrong unit": (
        step("symbols: A, duration: 10 sec"),
        "6:39: steps[0].subscribe.duration: bad duration '10 sec'; "
        "expected a number and a unit, such as 500ms, 10s or 2m",
        None,
    ),
    "no time at all": (
        step("symbols: A, duration: 0s"),
        "6:39: steps[0].subscribe.duration is 0s; expected more than 0",
        None,
    ),
    "duration that is a list": (
        step("symbols: A, duration: [10s]"),
        "6:39: steps[0].subscribe.duration is a list; expected a number and a unit, such as 10s",
        None,
    ),
    "percentage": (
        during("{at: 1s, flash: {percent: 101}}"),
        "7:40: steps[0].during[0].flash.percent is 101; expected at most 100",
        None,
    ),
    "percentage with its sign": (
        during("{at: 1s, flash: {percent: 50 %}}"),
        "7:40: steps[0].during[0].flash.percent is a text; expected a number",
        None,
    ),
    "unknown transport": (
        step("symbols: A, duration: 10s, transport: websockets"),
        "6:55: steps[0].subscribe.transport is 'websockets'; expected auto, polling or websocket",
        "did you mean websocket?",
    ),
    "unknown limit policy": (
        HEAD.replace("symbols: BTC/USDT", "limit_policy: evict-newest") + STEP,
        "3:32: services.feed.serve.limit_policy is 'evict-newest'; expected evict-oldest or reject-newest",
        "did you mean reject-newest?",
    ),
    "empty name among symbols": (
        step("symbols: 'A,', duration: 10s"),
        "6:26: steps[0].subscribe.symbols has an empty name; expected names, such as a,b or [a, b]",
        None,
    ),
    # YAML
    "bad YAML": (
        HEAD + "steps: [\n",
        "5:1: expected the node content, but found '<stream end>', while parsing a flow node",
        None,
    ),
    "tab": (
        HEAD + "steps:\n\t- name: s\n",
        "5:1: found character '\\t' that cannot start any token, while scanning for the next token",
        None,
    ),
    "key twice": (
        HEAD + "name: M\n" + STEP,
        "4:1: key 'name' is given twice; first on line 1",
        None,
    ),
    "variable in a flow mapping without quotes": (
        HEAD + STEP.replace("10s", "${LENGTH:-1s}"),
        "6:40: expected ',' or '}', but got '{', while parsing a flow mapping",
        "between { } or [ ] a ${VARIABLE} is put in quotes",
    ),
    "merge key": (
        "x: &x {}\n" + HEAD + "<<: *x\n" + STEP,
        "5:1: merge keys (<<) are not read; repeat the keys, or use an alias",
        None,
    ),
    "empty file": (
        "",
        "1:1: the file is empty; expected a scenario",
        "docs/scenarios.md shows one",
    ),
    "only a comment": (
        "# nothing\n",
        "1:1: the file is empty; expected a scenario",
        "docs/scenarios.md shows one",
    ),
}

ENVIRONMENT = {"WORD": "many", "EMPTY": ""}


@pytest.mark.parametrize("case", TABLE)
def test_message(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Place, fact, what was expected; and a hint where there is one to give."""
    text, message, hint = TABLE[case]
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_scenarios([Path("s.yaml")], ENVIRONMENT)
    assert (caught.value.message, caught.value.hint) == (f"s.yaml:{message}", hint)

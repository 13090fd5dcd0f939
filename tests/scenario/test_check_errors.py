"""What can be wrong with the sense of a scenario: each message to the letter, with its place."""

from pathlib import Path

import pytest

from tests.scenario.texts import HEAD, STEP, TWO, during, expect, step
from wsctl.errors import UsageError
from wsctl.scenario.read import read_scenarios


def load(*more: str) -> str:
    """A scenario whose step is a load of 2 s of ramp and 6 s more."""
    step = "  - name: s\n    load: {symbols: A, users: 4, ramp: 2s, duration: 6s}\n"
    return HEAD + "steps:\n" + step + "".join(f"    {line}\n" for line in more)


TABLE: dict[str, tuple[str, str, str | None]] = {
    # names
    "unknown service": (
        step("symbols: A, duration: 10s, target: fed"),
        "6:52: there is no service 'fed'",
        "did you mean feed?",
    ),
    "unknown service unlike any": (
        step("symbols: A, duration: 10s, target: zebra"),
        "6:52: there is no service 'zebra'",
        "known: feed",
    ),
    "no target with two services": (
        TWO + STEP,
        "7:16: no target, and several services; expected one or two",
        None,
    ),
    "unknown service of an action": (
        during("{at: 1s, pause: {target: fed}}"),
        "7:39: there is no service 'fed'",
        "did you mean feed?",
    ),
    "bad name of a service": (
        HEAD.replace("feed:", "../feed:") + STEP,
        "3:3: bad name of a service: '../feed'; expected letters, digits and . _ -",
        None,
    ),
    "duplicate step": (
        HEAD + STEP + "  - name: s\n    emit: {event: x}\n",
        "7:11: step 's' is there twice; first in s.yaml:5:11",
        None,
    ),
    "duplicate step inside parallel": (
        HEAD + STEP + "  - parallel:\n      - name: s\n        emit: {event: x}\n",
        "8:15: step 's' is there twice; first in s.yaml:5:11",
        None,
    ),
    "user and token": (
        step("symbols: A, duration: 10s, user: a, token: b"),
        "6:53: both user and token; expected one of them",
        None,
    ),
    "users and token": (
        step("symbols: A, duration: 10s, clients: 2, users: [a, b], token: x"),
        "6:71: both users and token; expected one of them",
        None,
    ),
    "user and users": (
        step("symbols: A, duration: 10s, clients: 2, users: [a, b], user: x"),
        "6:56: both user and users; expected one of them",
        None,
    ),
    "warmup as long as the step": (
        step("symbols: A, duration: 1s, clients: 2, warmup: 1s"),
        "6:63: the step is too short: duration is 1s; expected more than warmup, 1s",
        None,
    ),
    "slow for longer than the step": (
        step("symbols: A, duration: 1s, clients: 2, slow: 1, slow_for: 20s"),
        "6:74: the step is too short: duration is 1s; expected more than slow_for, 20s",
        None,
    ),
    "two holds": (
        during("{at: 1s, flash: {hold: 1s}}, {at: 2s, disconnect: {hold: 2s}}"),
        "7:71: hold is 2s, and 1s before; expected one for all faults",
        None,
    ),
    "cores without a unit": (
        expect("{server.cpu: < 15}"),
        "7:14: bad bound '< 15' for server.cpu: no unit; expected something like '< 50 %'",
        None,
    ),
    "a ratio above one": (
        expect("{fanout.reach: '>= 99.8'}", "symbols: A, duration: 10s, clients: 2"),
        "7:14: bad bound '>= 99.8' for fanout.reach: no unit; expected something like '>= 99.8 %'",
        None,
    ),
    # clients
    "users without clients": (
        step("symbols: A, duration: 10s, users: [a, b]"),
        "6:44: users needs clients",
        None,
    ),
    "connect_rate without clients": (
        step("symbols: A, duration: 10s, connect_rate: 5"),
        "6:44: connect_rate needs clients",
        None,
    ),
    "warmup without clients": (
        step("symbols: A, duration: 10s, warmup: 1s"),
        "6:44: warmup needs clients",
        None,
    ),
    "spread without clients": (
        step("symbols: A, duration: 10s, spread: true"),
        "6:44: spread needs clients",
        None,
    ),
    "slow without clients": (
        step("symbols: A, duration: 10s, slow: 1"),
        "6:44: slow needs clients",
        None,
    ),
    "resubscribe without clients": (
        step("symbols: A, duration: 10s, reconnect: {resubscribe: false}"),
        "6:56: resubscribe: false needs clients",
        None,
    ),
    "max_silence with clients": (
        step("symbols: A, duration: 10s, clients: 2, max_silence: 1s"),
        "6:56: max_silence is for one client; it cannot stand beside clients",
        None,
    ),
    "notifications with clients": (
        step("symbols: A, duration: 10s, clients: 2, notifications: true"),
        "6:56: notifications is for one client; it cannot stand beside clients",
        None,
    ),
    "polling with clients": (
        step("symbols: A, duration: 10s, clients: 2, transport: polling"),
        "6:67: clients connect over WebSocket only; transport is polling",
        None,
    ),
    "more slow ones than clients": (
        step("symbols: A, duration: 10s, clients: 2, slow: 3"),
        "6:62: slow is 3; expected no more than the 2 clients",
        None,
    ),
    "option from defaults that needs clients": (
        HEAD + "defaults: {warmup: 1s}\n" + STEP,
        "4:12: warmup needs clients",
        None,
    ),
    # during
    "action without anything": (
        during("{at: 1s}"),
        "7:14: the action has nothing to do; "
        "expected one of flash, disconnect, price, announce, notify, pause, resume, or a fault of a proxy",
        None,
    ),
    "two actions at a time": (
        during("{at: 1s, pause: {}, resume: {}}"),
        "7:14: the action has both pause and resume; "
        "expected one of flash, disconnect, price, announce, notify, pause, resume, or a fault of a proxy",
        None,
    ),
    "action without a time": (
        during("{pause: {}}"),
        "7:14: steps[0].during[0] lacks 'at'",
        None,
    ),
    "action as the step ends": (
        during("{at: 10s, pause: {}}"),
        "6:39: the step is too short: duration is 10s; expected more than 10s, when pause happens",
        None,
    ),
    "action after the end": (
        during("{at: 11s, flash: {}}"),
        "6:39: the step is too short: duration is 10s; expected more than 11s, when flash happens",
        None,
    ),
    "during beside emit": (
        HEAD + "steps:\n  - name: s\n    emit: {event: x}\n    during: [{at: 1s, pause: {}}]\n",
        "7:5: during beside emit, which has no duration",
        None,
    ),
    "action after the end of a load": (
        load("during: [{at: 6s, pause: {}}]"),
        "7:14: the step is too short: 6s once it is warm; expected more than 6s, when pause happens",
        None,
    ),
    "within beside load": (
        load("during: [{at: 1s, flash: {within: 3s}}]"),
        "7:31: within is about reconnect.*, which no load measures",
        None,
    ),
    "step too short for its flash": (
        during("{at: 10s, flash: {outage: 3s}}", "47.9s", "    expect: {reconnect.success_rate: 100 %}\n"),
        "6:39: the step is too short: duration is 47.9s; "
        "expected at least 48s with flash at 10s, outage 3s, within 30s and hold 5s",
        None,
    ),
    "step too short for its disconnect": (
        during("{at: 1s, disconnect: {within: 500ms, hold: 250ms}}", "1700ms", "    expect: {reconnect.cut: 1}\n"),
        "6:39: the step is too short: duration is 1.7s; "
        "expected at least 1.75s with disconnect at 1s, within 500ms and hold 250ms",
        None,
    ),
    "duration from defaults too short": (
        HEAD
        + "defaults: {duration: 5s}\n"
        + STEP.replace(", duration: 10s", "")
        + "    during: [{at: 6s, pause: {}}]\n",
        "4:22: the step is too short: duration is 5s; expected more than 6s, when pause happens",
        None,
    ),
    # expect
    "unknown metric": (
        expect("{latency.p59: < 50 ms}"),
        "7:14: unknown metric 'latency.p59'",
        "did you mean latency.p99?",
    ),
    "metric unlike any": (
        expect("{zebra: 0}"),
        "7:14: unknown metric 'zebra'",
        "docs/scenarios.md lists them",
    ),
    "metric not measured by one client": (
        expect("{fanout.reach: 100 %}"),
        "7:14: fanout.reach is not measured by this subscribe step",
        "it takes clients",
    ),
    "reconnection without a cut": (
        expect("{reconnect.cut: 1}"),
        "7:14: reconnect.cut is not measured by this subscribe step",
        "it takes a flash, a disconnect or another fault that cuts, in during",
    ),
    "limits without a user": (
        expect("{limit.evictions_rate: 0}", "symbols: A, duration: 10s, clients: 2"),
        "7:14: limit.evictions_rate is not measured by this subscribe step",
        "it takes clients, and a user or users",
    ),
    "metric not measured by emit": (
        HEAD + "steps:\n  - name: s\n    emit: {event: x}\n    expect: {latency.p95: < 50 ms}\n",
        "7:14: latency.p95 is not measured by this emit step",
        "measured are acks.*, auth.*, connections.*, messages.*",
    ),
    "bound without a unit": (
        expect("{latency.p95: < 50}"),
        "7:14: bad bound '< 50' for latency.p95: no unit; expected something like '< 50 ms'",
        None,
    ),
    "bound of a wrong unit": (
        expect("{latency.p95: < 50 MB}"),
        "7:14: bad bound '< 50 MB' for latency.p95: unit 'MB'; expected something like '< 50 ms'",
        None,
    ),
    "bound that is none": (
        expect("{latency.p95: fast}"),
        "7:14: bad bound 'fast' for latency.p95; expected something like '< 50 ms'",
        None,
    ),
    "bound that is a plain zebra": (
        expect("{ordering.gaps: [0, none]}"),
        "7:14: bad bound 'none' for ordering.gaps; expected something like '== 0'",
        None,
    ),
    "bound that is true": (
        expect("{ordering.gaps: true}"),
        "7:29: steps[0].expect.ordering.gaps is true; expected a text, a number or a list",
        "in quotes it is a text",
    ),
    "bound that is empty": (
        expect("{ordering.gaps: }"),
        "7:28: steps[0].expect.ordering.gaps is empty; expected a text, a number or a list",
        None,
    ),
    "bounds that are none": (
        expect("{ordering.gaps: []}"),
        "7:29: ordering.gaps has no bound; expected one, such as 0 or < 50 ms",
        None,
    ),
    "bound that is a mapping": (
        expect("{latency.p95: {lt: 50 ms}}"),
        "7:27: steps[0].expect.latency.p95 is a mapping; expected a text, a number or a list",
        None,
    ),
    "bound that YAML reads as a folded text": (
        HEAD + STEP + "    expect:\n      messages.received: > 10\n",
        "8:28: expected a comment or a line break, but found '1', while scanning a block scalar",
        "a text that begins with > is put in quotes",
    ),
    "bound that YAML does not read": (
        expect("{ordering.gaps: [> 5, < 7]}"),
        "7:30: found character '>' that cannot start any token, while scanning for the next token",
        "a text that begins with > is put in quotes",
    ),
    "bound that YAML reads as a tag": (
        HEAD + STEP + "    expect:\n      messages.received: != 10\n",
        "8:26: unknown tag !=",
        "a text that begins with ! is put in quotes",
    ),
    "expect that is a list": (
        expect("[ordering.gaps]"),
        "7:13: steps[0].expect is a list; expected a mapping of keys",
        None,
    ),
    # variables
    "variable not set": (
        HEAD + STEP.replace("10s", "'${LENGTH}'"),
        "6:39: environment variable LENGTH is not set",
        "set it, or give a default: ${LENGTH:-…}",
    ),
    "variable that is empty": (
        HEAD + STEP.replace("10s", "'${EMPTY}'"),
        "6:39: environment variable EMPTY is empty",
        "set it, or give a default: ${EMPTY:-…}",
    ),
    "bad variable": (
        HEAD + STEP.replace("10s", "'${1+1}'"),
        "6:39: bad variable ${1+1}; expected something like ${TOKEN} or ${TOKEN:-default}",
        None,
    ),
    "matrix value of no matrix": (
        HEAD + STEP.replace("10s", "'${matrix.length}'"),
        "6:39: ${matrix.length} stands for nothing here; matrix gives values to names",
        None,
    ),
    "misspelt matrix value": (
        HEAD + "matrix: {length: [1s, 2s]}\n" + STEP.replace("10s", "'${matrix.lenght}'"),
        "7:39: ${matrix.lenght} is not in the matrix",
        "did you mean matrix.length?",
    ),
    "variable of a wrong type": (
        HEAD + STEP.replace("10s", "10s, clients: '${WORD}'"),
        "6:53: steps[0].subscribe.clients is a text; expected a whole number",
        None,
    ),
    "empty matrix": (
        HEAD + "matrix: {}\n" + STEP,
        "4:9: matrix is empty; expected names with lists of values",
        None,
    ),
    "matrix without values": (
        HEAD + "matrix: {n: []}\n" + STEP,
        "4:13: matrix.n is empty; expected a list of values",
        None,
    ),
    "matrix of one value": (
        HEAD + "matrix: {n: 3}\n" + STEP,
        "4:13: matrix.n is a number; expected a list of values",
        None,
    ),
    "too many combinations": (
        HEAD + f"matrix: {{a: {list(range(11))}, b: {list(range(10))}}}\n" + STEP,
        "4:1: the matrix has 110 combinations; at most 100 are run",
        None,
    ),
    "twice in the matrix": (
        HEAD + "matrix: {a: [1, 1]}\n" + STEP,
        "1:7: scenario 'N (a 1)' is there twice; first in s.yaml:1:7",
        None,
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

"""Clients that a step has lost, or never had: no verdict rests on what they did not see."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.scenario.runs import Done, run
from wsctl.scenario.losses import unexpected_loss

FINDINGS = 1

LOSSES = """\
name: Lost
services:
  one: {serve: {symbols: [BTC/USDT], rate: 50, seed: 7}}
  many: {serve: {symbols: [BTC/USDT], rate: 50, seed: 7}}
  calm: {serve: {symbols: [BTC/USDT], rate: 50, seed: 7}}
defaults: {symbols: BTC/USDT, duration: 1500ms}
steps:
  - parallel:
      - name: one
        subscribe: {target: one, duration: 3s, reconnect: {attempts: 0}}
        during: [{at: 500ms, flash: {}}]
        expect: {connections.opened: 1, ordering.gaps: 0, latency.p95: "< 1 s"}
      - name: many
        subscribe: {target: many, clients: 20, reconnect: {attempts: 0}}
        during: [{at: 500ms, flash: {}}]
        expect: {connections.opened: 20, ordering.gaps: 0, errors: 0, fanout.reach: 100 %}
      - name: nobody let in
        subscribe: {target: calm, clients: 5, token: not.a.token}
      - name: one not let in
        subscribe: {target: calm, token: not.a.token}
        expect: {connections.evicted: 0}
      - name: that was the point
        subscribe: {target: calm, token: not.a.token}
        expect: {auth.refused: 1}
      - name: some unknown
        subscribe: {target: calm, symbols: [BTC/USDT, ETH/USDT]}
        expect: {connections.subscribed: 1, errors: 0}
      - name: some denied
        subscribe: {target: calm, user: alice, symbols: [], channels: ["user:bob:balance", "symbol:BTC/USDT:trades"]}
        expect: {auth.denied: 0, errors: 0, connections.subscribed: 1}
      - name: unknown
        subscribe: {target: calm, symbols: ETH/USDT}
      - name: unknown to many
        subscribe: {target: calm, symbols: ETH/USDT, clients: 2}
      - name: no such user
        subscribe: {target: calm, token: opaque, notifications: true}
      - name: quiet
        subscribe: {target: calm, symbols: [], channels: announcement}
      - name: quiet for many
        subscribe: {target: calm, symbols: [], channels: announcement, clients: 2}
      - name: quiet as expected
        subscribe: {target: calm, symbols: [], channels: announcement, clients: 2}
        expect: {messages.received: 0, connections.subscribed: 2}
---
name: Goes on
services:
  feed: {serve: {symbols: [BTC/USDT]}}
steps:
  - {name: ask, emit: {event: "price:subscribe", args: [[BTC/USDT]], wait: 100ms}}
"""

UNKNOWN = "unknown symbol 'ETH/USDT'; did you mean BTC/USDT?"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Everything at once."""
    return run(tmp_path_factory.mktemp("run"), LOSSES)


def missed(step: Mapping[str, Any]) -> set[str]:
    """The metrics of expectations that were not met."""
    return {one["metric"] for one in step["expectations"] if one["verdict"] != "pass"}


@pytest.mark.parametrize(
    ("name", "verdict", "reason"),
    [
        ("one", "fail", "the connection ended and is not tried again: connection lost"),
        ("many", "fail", "20 of 20 clients did not receive at the end, which nothing expects"),
        ("nobody let in", "fail", "5 of 5 clients did not receive at the end, which nothing expects"),
        ("one not let in", "fail", "refused the connection: Authentication error"),
        ("that was the point", "pass", None),
        ("unknown", "fail", "unknown symbol 'ETH/USDT'"),
        ("unknown to many", "fail", "2 of 2 clients did not receive at the end, which nothing expects"),
        ("no such user", "error", "the token is no JSON Web Token; it cannot be told whom it names"),
        ("quiet", "unverifiable", "nothing came, and nothing was expected"),
        ("quiet for many", "unverifiable", "nothing came, and nothing was expected"),
        ("quiet as expected", "pass", None),
    ],
)
def test_what_becomes_of_a_step(done: Done, name: str, verdict: str, reason: str | None) -> None:
    """Whatever was expected of other things held."""
    step = done.steps[name]
    assert step["verdict"] == verdict, step
    assert missed(step) == set()
    assert step["reason"] == reason if reason is None else reason in step["reason"]


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("some unknown", {"connections.subscribed", "errors"}),
        ("some denied", {"connections.subscribed", "errors", "auth.denied"}),
    ],
)
def test_what_is_served_in_part(done: Done, name: str, named: set[str]) -> None:
    """It is no loss, and it is counted; the server's words are a note."""
    step = done.steps[name]
    assert (missed(step), step["reason"], step["metrics"]["connections.receiving"]) == (named, None, 1)
    assert any("unknown symbol" in note or "Access denied" in note for note in step["notes"])


def test_a_refused_subscription_is_no_fault_of_ours(done: Done) -> None:
    """It is measured, and what comes after it is run."""
    metrics = done.steps["unknown"]["metrics"]
    names = ("connections.opened", "connections.subscribed", "connections.receiving", "errors")
    assert [metrics[name] for name in names] == [1, 0, 0, 1]
    assert done.code == FINDINGS
    assert [one["verdict"] for one in done.report["scenarios"]] == ["error", "pass"]
    assert "itself failed" not in done.result.err


CUT = {
    "connections.asked": 20,
    "connections.opened": 20,
    "connections.subscribed": 20,
    "connections.receiving": 17,
    "connections.closed": 20,
    "connections.evicted": 0,
    "connections.refused": 0,
    "reconnect.cut": 20,
    "reconnect.recovered": 17,
}
SAID = "3 of 20 clients did not receive at the end, which nothing expects"


@pytest.mark.parametrize(
    ("expected", "changed", "said"),
    [
        ((), {}, SAID),
        (("connections.opened", "connections.evicted", "auth.refused", "reconnect.cut", "errors"), {}, SAID),
        (("connections.receiving",), {}, None),
        (("connections.closed",), {}, None),
        (("connections.evicted",), {"connections.evicted": 3}, None),
        (("reconnect.success_rate",), {}, None),
        (("reconnect.success_rate",), {"reconnect.recovered": 20}, SAID),  # they were lost in another way
        (("connections.opened",), {"connections.opened": 17, "connections.closed": 0}, None),
        ((), {"connections.receiving": 20}, None),
        # Nobody was cut, and yet some never received what others did.
        ((), {"connections.closed": 0}, SAID),
        # Nobody was cut, and nobody receives: a feed that has nothing to say.
        ((), {"connections.closed": 0, "connections.receiving": 0}, None),
    ],
)
def test_what_is_a_loss(expected: tuple[str, ...], changed: dict[str, float], said: str | None) -> None:
    assert unexpected_loss({**CUT, **changed}, expected) == said


def test_who_only_emits_receives_nothing() -> None:
    assert unexpected_loss({"connections.asked": 1, "connections.opened": 0}, ()) is None

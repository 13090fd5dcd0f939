"""What can be wrong with a proxy and its faults in a scenario: each message to the letter, with its place."""

from pathlib import Path

import pytest

from wsctl.errors import UsageError
from wsctl.scenario.read import read_scenarios

HEAD = """\
name: N
services:
  feed: {serve: {}}
"""
STEP = """\
steps:
  - name: s
    subscribe: {target: proxy, symbols: A, duration: 10s}
"""


def proxy(options: str) -> str:
    """A feed, and a proxy with these options."""
    return f"{HEAD}  proxy: {{chaos: {{{options}}}}}\n{STEP}"


def during(action: str, more: str = "") -> str:
    """A step through the proxy in which something happens."""
    return f"{proxy('upstream: feed')}    during: [{action}]\n{more}"


TABLE: dict[str, tuple[str, str, str | None]] = {
    "no upstream": (
        proxy("seed: 7"),
        "4:18: services.proxy.chaos lacks 'upstream'",
        None,
    ),
    "an upstream that there is not": (
        proxy("upstream: fed"),
        "4:29: there is no service 'fed'; expected a service before it, or a URL",
        None,
    ),
    "an upstream after it": (
        f"name: N\nservices:\n  proxy: {{chaos: {{upstream: feed}}}}\n  feed: {{serve: {{}}}}\n{STEP}",
        "3:29: feed comes after proxy; expected a service before it, or a URL",
        None,
    ),
    "itself": (
        proxy("upstream: proxy"),
        "4:29: proxy comes after proxy; expected a service before it, or a URL",
        None,
    ),
    "another machine": (
        proxy("upstream: 'https://example.com'"),
        "4:29: https://example.com is not on this machine",
        "wsctl chaos --allow-remote stands before it, and wsctl run --url aims at that",
    ),
    "no URL": (
        proxy("upstream: 'redis://127.0.0.1'"),
        "4:29: bad URL scheme 'redis'; expected http, https, ws, wss",
        None,
    ),
    "no such preset": (
        proxy("upstream: feed, preset: wi-fi"),
        "4:43: there is no preset 'wi-fi'",
        "did you mean wifi?",
    ),
    "no such dialect": (
        proxy("upstream: feed, dialect: binanse"),
        "4:44: unknown dialect 'binanse'",
        "did you mean binance?",
    ),
    "no such fault": (
        proxy("upstream: feed, faults: [{dorp: {}}]"),
        "4:45: unknown key 'dorp' in services.proxy.chaos.faults[0]",
        "did you mean drop?",
    ),
    "two faults as one": (
        proxy("upstream: feed, faults: [{drop: {}, stall: {}}]"),
        "4:44: the fault has both drop and stall; expected one",
        None,
    ),
    "no option of a fault": (
        during("{at: 1s, drop: {pp: 0.1}}"),
        "8:30: unknown key 'pp' in steps[0].during[0].drop",
        "did you mean p?",
    ),
    "an option that makes no sense": (
        during("{at: 1s, close: {code: 1006}}"),
        "8:30: close code 1006 never stands on the wire; the fault cut ends without one",
        None,
    ),
    "a stall again and again, and how many are back": (
        during("{at: 1s, stall: {for: 1s, every: 3s}}", "    expect: {reconnect.cut: 0}\n"),
        "8:40: every beside expectations of reconnect.*: a connection that outlives a stall is told of once; "
        "expected an action for each stall",
        None,
    ),
    "a fault of a feed": (
        during("{at: 1s, drop: {target: feed}}"),
        "8:23: drop takes a proxy (chaos); feed is a mock feed",
        None,
    ),
    "prices of a proxy": (
        during("{at: 1s, pause: {target: proxy}}"),
        "8:23: pause takes a mock feed (serve); proxy is a proxy",
        None,
    ),
    "prices of another's feed": (
        during("{at: 1s, pause: {}}").replace("upstream: feed", "upstream: 'http://127.0.0.1:3999'"),
        "8:23: pause takes a mock feed (serve); http://127.0.0.1:3999 is another's",
        None,
    ),
    "users of another's feed": (
        proxy("upstream: 'http://127.0.0.1:3999'").replace("duration", "user: alice, duration"),
        "7:16: no token for alice at http://127.0.0.1:3999; expected in tokens",
        None,
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_message(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Place, fact, what was expected; and a hint where there is one to give."""
    text, message, hint = TABLE[case]
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_scenarios([Path("s.yaml")], {})
    assert (caught.value.message, caught.value.hint) == (f"s.yaml:{message}", hint)


def test_how_long_a_step_must_be(tmp_path: Path) -> None:
    """The last of several upstreams leaves later; the only one is away for a while; a stall ends."""
    expected = "    expect: {reconnect.success_rate: 100 %}\n"
    needed = {
        "rolling-restart: {down: 3s, pause: 1s, within: 5s, hold: 1s}": "at least 11s with rolling-restart at 5s",
        "close: {at: 4s, within: 5s, hold: 1s}": "at least 11s with close at 5s",
        "stall: {for: 4s, within: 5s, hold: 1s}": "at least 11s with stall at 1s, outage 4s",
    }
    for action, said in needed.items():
        text = during(f"{{at: 1s, {action}}}", expected)
        if "rolling" in action:
            text = text.replace("{upstream: feed}", "{upstream: [feed, feed]}")
        (tmp_path / "s.yaml").write_text(text)
        with pytest.raises(UsageError) as caught:
            read_scenarios([tmp_path / "s.yaml"], {})
        assert caught.value.message.endswith(f"expected {said}, within 5s and hold 1s"), caught.value.message

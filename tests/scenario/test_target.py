"""Runs at a feed that is not ours: what falls away says so, and is never counted as passed."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Program, Server, wait_until, wsctl
from tests.peers.background import Background
from tests.peers.liar import Liar
from tests.peers.stranger import Stranger
from tests.scenario.runs import read_report, run
from tests.scenario.suite import SUITE
from wsctl.server.auth import mint

PASSED, FINDINGS, TARGET = 0, 1, 3

SECRET = "not the public one, and long enough"

TEXT = """\
name: Half of it
services:
  feed: {serve: {symbols: [BTC/USDT], rate: 50}}
  strict: {serve: {symbols: [BTC/USDT], max_per_user: 1, throttle: 100ms, limit_policy: reject-newest}}
tokens: {alice: "${ALICE}", carol: "${CAROL:-}"}
steps:
  - parallel:
      - name: shown
        subscribe: {target: feed, symbols: BTC/USDT, duration: 400ms}
        expect: {messages.received: "> 0", ordering.gaps: 0, server.cpu: < 90 %}
      - name: about the server only
        subscribe: {target: feed, symbols: BTC/USDT, duration: 400ms}
        expect: {server.rss: < 1 GB}
      - name: alice's
        subscribe: {target: feed, user: alice, bots: true, duration: 400ms}
        expect: {messages.received: "> 0", auth.refused: 0}
      - name: many of alice's
        subscribe: {target: feed, users: alice, clients: 2, symbols: BTC/USDT, duration: 400ms}
        expect: {connections.receiving: 2, auth.refused: 0}
      - name: carol's
        emit: {target: feed, user: carol, event: bot:subscribe, wait: 100ms}
      - name: of nobody known
        subscribe: {target: feed, users: [alice, bob, dave], clients: 3, bots: true, duration: 400ms}
  - name: a flash
    subscribe: {target: feed, symbols: BTC/USDT, duration: 3s}
    during: [{at: 1s, flash: {}}]
  - name: its options
    emit: {target: strict, event: "price:subscribe", args: [[BTC/USDT]], wait: 100ms}
"""

ASK = 'emit: {event: "price:subscribe", args: [[BTC/USDT]], wait: 100ms}'
ONLY_SKIPPED = f"name: Only skipped\nsteps:\n  - name: ask\n    {ASK.replace('{', '{user: bob, ', 1)}\n"
LISTEN = "name: Listen\nsteps:\n  - name: watch\n    subscribe: {symbols: BTC/USDT, duration: 300ms}\n"
CHECK = "name: Check\nsteps:\n  - name: check\n    ordering-check: {symbols: BTC/USDT, duration: 1s}\n"


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Somebody's feed: another secret, no control."""
    options = ("--symbols", "BTC/USDT", "--rate", "50", "--jwt-secret", SECRET)
    with Server(tmp_path_factory.mktemp("feed"), *options) as server:
        yield server


def test_what_falls_away(feed: Server, tmp_path: Path) -> None:
    """No service is started; what needs one is skipped with the reason; what is left is judged."""
    done = run(tmp_path, TEXT, "--url", feed.url, env={"ALICE": mint("alice", SECRET)})
    assert done.code == PASSED, done.result
    assert done.report["target"] == feed.url
    assert {name: (step["verdict"], step["reason"]) for name, step in done.steps.items()} == {
        "shown": ("pass", None),
        "about the server only": ("skipped", None),
        "alice's": ("pass", None),
        "many of alice's": ("pass", None),
        "carol's": ("skipped", "no token for carol: `tokens` has alice"),
        "of nobody known": ("skipped", "no token for bob, dave: `tokens` has alice"),
        "a flash": ("skipped", "flash needs control over the server"),
        "its options": (
            "skipped",
            "it is about a server with throttle: 100ms, max_per_user: 1, limit_policy: reject-newest",
        ),
    }
    cpu = done.steps["shown"]["expectations"][2]
    assert (cpu["verdict"], cpu["reason"]) == ("skipped", "a server that wsctl did not start cannot be looked into")
    assert "service" not in done.result.err
    assert done.left == {"result.json", "junit.xml"}


def test_what_would_fall_away(feed: Server, tmp_path: Path) -> None:
    """--dry-run says so beforehand, and starts nothing."""
    (tmp_path / "s.yaml").write_text(TEXT)
    result = wsctl("run", "s.yaml", "--dry-run", "--url", "http://127.0.0.1:1", cwd=tmp_path, env={"ALICE": "x"})
    assert (result.code, result.err) == (PASSED, "")
    assert "  a flash  (skipped: flash needs control over the server)\n    subscribe  " in result.out
    assert "\n    at 1 s flash" in result.out
    assert "  service" not in result.out


def test_nothing_but_skipped_proves_nothing(feed: Server, tmp_path: Path) -> None:
    """Exit 1: CI must not take it for green."""
    done = run(tmp_path, ONLY_SKIPPED, "--url", feed.url)
    assert (done.code, done.report["verdict"]) == (FINDINGS, "skipped")
    assert done.steps["ask"]["reason"] == "no token for bob: `tokens` has none"


def test_its_own_token(feed: Server, tmp_path: Path) -> None:
    """--token is what steps without a user connect with."""
    mine = "name: Mine\nsteps:\n  - name: bots\n    emit: {event: bot:subscribe, wait: 100ms}\n"
    done = run(tmp_path, mine, "--url", feed.url, "--token", mint("alice", SECRET))
    assert done.code == PASSED, done.result
    done = run(tmp_path, mine, "--url", feed.url)
    assert (done.code, done.steps["bots"]["reason"]) == (FINDINGS, "refused: auth_required")


def test_nobody_in_particular(feed: Server, tmp_path: Path) -> None:
    """Whoever names no user, whatever $WSCTL_TOKEN says; whose token is empty, whatever --token says."""
    mine = mint("alice", SECRET)
    text = "name: S\nsteps:\n"
    for name, given in (("said", 'token: "", '), ("not said", "")):
        text += f"  - name: {name}\n    emit: {{{given}event: bot:subscribe, wait: 100ms}}\n"
    done = run(tmp_path, text, "--url", feed.url, env={"WSCTL_TOKEN": mine})
    assert [step["reason"] for step in done.steps.values()] == ["refused: auth_required"] * 2
    done = run(tmp_path, text, "--url", feed.url, "--token", mine)
    assert [step["reason"] for step in done.steps.values()] == ["refused: auth_required", None]


def test_the_suite_with_a_token(feed: Server, tmp_path: Path) -> None:
    """It is not the suite's anonymous client's."""
    mine = mint("alice", SECRET)
    auth = (SUITE / "auth.yaml").read_text()
    done = run(tmp_path, auth, "--url", feed.url, "--token", mine, env={"ALICE_TOKEN": mine})
    assert done.code == PASSED, done.result


def test_the_environment_does_not_aim(tmp_path: Path) -> None:
    """Nor does wsctl.yaml, even where it names several feeds and none of them by default."""
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "s.yaml").write_text(
        "name: S\nservices: {feed: {serve: }}\nsteps:\n  - name: a\n    " + ASK + "\n"
    )
    (tmp_path / "wsctl.yaml").write_text("feeds: {a: {url: 'http://127.0.0.1:1'}, b: {url: 'http://127.0.0.1:1'}}\n")
    result = wsctl("run", "feeds", cwd=tmp_path, env={"WSCTL_URL": "http://127.0.0.1:1"})
    assert result.code == PASSED, result
    result = wsctl("run", "feeds", "--feed", "a", cwd=tmp_path)
    assert result.code == TARGET, result


def test_nobody_there(tmp_path: Path) -> None:
    """Exit 3, one sentence; the reports say that nothing was run."""
    done = run(tmp_path, LISTEN, "--url", "http://127.0.0.1:1")
    message = "nothing that speaks Socket.IO answered at http://127.0.0.1:1"
    assert done.code == TARGET
    assert f"wsctl: error: {message}\n  hint: --wait 30s waits for it to come up\n" in done.result.err
    (scenario,) = done.report["scenarios"]
    assert (done.report["verdict"], done.report["interrupted"]) == ("error", False)
    assert (scenario["verdict"], scenario["reason"], scenario["steps"]) == ("skipped", message, [])
    assert "junit.xml" in done.left


def test_nobody_comes(tmp_path: Path) -> None:
    """--wait has an end."""
    done = run(tmp_path, LISTEN, "--url", "http://127.0.0.1:1", "--wait", "600ms")
    message = "nothing that speaks Socket.IO answered at http://127.0.0.1:1 within 600ms"
    assert (done.code, done.result.err.splitlines()[-1]) == (TARGET, f"wsctl: error: {message}")


def test_a_feed_that_comes_up_late(tmp_path: Path) -> None:
    """--wait waits for it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "s.yaml").write_text(LISTEN)
    arguments = ("run", "s.yaml", "--url", f"http://127.0.0.1:{port}", "--wait", "15s")
    with Program(*arguments, cwd=tmp_path) as program:
        program.wait_err("1 scenario")
        with Server(tmp_path, "--port", str(port)):
            assert program.finish().code == PASSED


def test_a_feed_that_lies(tmp_path: Path, background: Background) -> None:
    """A finding fails the step, is named, and is kept with what was seen."""
    with Liar(background, {"BTC/USDT": "drop 7-9"}, length=200) as liar:
        done = run(tmp_path, CHECK, "--url", liar.url)
    check = done.steps["check"]
    assert (done.code, check["verdict"], check["reason"]) == (FINDINGS, "fail", "1 finding")
    assert (check["metrics"]["ordering.gaps"], check["metrics"]["ordering.missing"]) == (1, 3)
    assert [finding["kind"] for finding in check["findings"]] == ["gap"]
    assert "gap: " in done.result.out
    judged = wsctl("ordering-check", "--tape", "results/check/check.jsonl", cwd=tmp_path)
    assert judged.code == FINDINGS
    assert " 3 " in judged.out


def test_a_feed_that_does_not_number(tmp_path: Path, background: Background) -> None:
    """Without sequence numbers nothing can be verified, and what is expected of them was not measured."""
    text = CHECK + "    expect: {messages.received: '> 0'}\n  - name: watch\n"
    text += "    subscribe: {symbols: BTC/USDT, duration: 200ms}\n    expect: {ordering.gaps: 0}\n"
    with Liar(background, {"BTC/USDT": ""}, length=200, without=("seq", "epoch")) as liar:
        done = run(tmp_path, text, "--url", liar.url)
    check, watch = done.steps["check"], done.steps["watch"]
    assert (done.code, check["verdict"]) == (FINDINGS, "unverifiable")
    assert check["reason"] == "no sequence numbers where they are looked for"
    assert (watch["verdict"], watch["expectations"][0]["reason"]) == ("fail", "was not measured")


def test_a_feed_that_sends_everybody_away(tmp_path: Path, background: Background) -> None:
    """The client heeds `retry: false`, and the step says why it ended early."""
    with Liar(background, {"BTC/USDT": "evict 40"}, length=200) as liar:
        done = run(tmp_path, LISTEN.replace("300ms", "10s"), "--url", liar.url)
    watch = done.steps["watch"]
    assert (done.code, watch["verdict"], watch["metrics"]["connections.evicted"]) == (FINDINGS, "fail", 1)
    assert "evicted" in watch["reason"]
    assert watch["duration"] < 9


def test_a_feed_of_another_dialect(tmp_path: Path, background: Background) -> None:
    """Its paths are given as to the commands; a message that is sent again is found."""
    events = [("tick", {"m": {"n": number, "c": "btc"}}) for number in (1, 2, 2, 3)]
    text = CHECK.replace("duration: 1s", "duration: 500ms, events: tick, seq_path: m.n, channel_path: m.c")
    with Stranger(background, events) as stranger:
        done = run(tmp_path, text, "--url", stranger.url)
    check = done.steps["check"]
    assert (check["verdict"], check["metrics"]["ordering.duplicates"]) == ("fail", 1)


def test_a_feed_that_goes_down(tmp_path: Path) -> None:
    """Lost for good in mid-step: the step fails although everything that came was in order."""
    text = LISTEN.replace("300ms}", "15s, reconnect: {attempts: 1, delay: 50ms}}\n    expect: {ordering.gaps: 0}")
    (tmp_path / "s.yaml").write_text(text)
    with Server(tmp_path) as server:
        arguments = ("run", "s.yaml", "--url", server.url, "--out", "results")
        with Program(*arguments, cwd=tmp_path) as program:
            program.wait_err("watch (about")
            wait_until(lambda: any("joined" in line or "connected" in line for line in server.err))
            server.process.kill()
            assert program.finish().code == FINDINGS
    (step,) = read_report(tmp_path)["scenarios"][0]["steps"]
    assert step["verdict"] == "fail"
    assert "is not tried again" in step["reason"] or "gave up" in step["reason"], step["reason"]

"""Runs on servers of their own: what holds, what does not, and what is left of either."""

import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from xml.etree import ElementTree

import jsonschema
import pytest

from tests.cli.program import wsctl, wsctl_alone
from tests.scenario.runs import Done, run

PASSED, FINDINGS = 0, 1

SERVICE = "services:\n  feed: {serve: {symbols: [BTC/USDT, ETH/USDT], rate: 50, seed: 7}}\n"
ASK = "emit: {event: 'price:subscribe', args: [[BTC/USDT]], wait: 200ms}"

PASSING = f"""\
name: All is well
tags: [good]
{SERVICE}steps:
  - name: watch
    subscribe: {{symbols: BTC/USDT, duration: 1s}}
    expect: {{latency.p95: < 500 ms, messages.rate: ["> 5 /s", < 500 /s], ordering.gaps: 0, server.cpu: < 400 %}}
  - name: check
    ordering-check: {{symbols: [BTC/USDT, ETH/USDT], duration: 500ms}}
  - name: ask
    {ASK}
    expect: {{acks.ok: 1, messages.received: "> 0"}}
"""

SCENARIOS: dict[str, tuple[str, tuple[str, ...]]] = {
    "passing": (PASSING, ()),
    "failing": (
        f"name: Not so fast\n{SERVICE}steps:\n"
        "  - name: Watch it!\n"
        "    subscribe: {symbols: BTC/USDT, duration: 1s}\n"
        "    expect: {latency.p95: < 1 us, ordering.gaps: 0}\n"
        f"  - name: ask\n    {ASK}\n",
        (),
    ),
    "not measured": (
        f"name: Nothing comes\n{SERVICE}steps:\n"
        "  - name: watch\n"
        "    subscribe: {channels: announcement, duration: 500ms}\n"
        "    expect: {latency.p95: < 1 s, ordering.gaps: 0, messages.received: 0}\n",
        (),
    ),
    "unverifiable": (
        f"name: Nothing to judge\n{SERVICE}steps:\n"
        "  - name: check\n    ordering-check: {channels: announcement, duration: 300ms}\n",
        (),
    ),
    "repeat": (f"name: Again\n{SERVICE}steps:\n  - name: ask\n    {ASK}\n", ("--repeat", "2")),
    "fail-fast": (
        f"name: A\n{SERVICE}steps:\n  - name: ask\n    {ASK}\n    expect: {{acks.ok: 0}}\n"
        f"---\nname: B\n{SERVICE}steps:\n  - name: ask B\n    {ASK}\n",
        ("--fail-fast",),
    ),
    "timeout": (
        f"name: Too long\n{SERVICE}steps:\n"
        "  - name: watch\n    subscribe: {symbols: BTC/USDT, duration: 1h}\n"
        f"---\nname: Never begins\n{SERVICE}steps:\n  - name: ask\n    {ASK}\n",
        ("--timeout", "2500ms"),
    ),
    "no start": (
        f"name: Cannot start\nservices:\n  feed: {{serve: {{rate: 0}}}}\nsteps:\n  - name: never\n    {ASK}\n"
        f"---\nname: Goes on\n{SERVICE}steps:\n  - name: ask\n    {ASK}\n",
        (),
    ),
    "never fired": (
        f"name: Nobody to cut\n{SERVICE}steps:\n"
        "  - name: watch\n"
        "    subscribe: {symbols: BTC/USDT, duration: 700ms}\n"
        "    during: [{at: 100ms, disconnect: {user: nobody}}]\n"
        "    expect: {ordering.gaps: 0}\n",
        (),
    ),
    "refused action": (
        f"name: No such market\n{SERVICE}steps:\n"
        "  - name: watch\n"
        "    subscribe: {symbols: BTC/USDT, duration: 700ms}\n"
        "    during: [{at: 100ms, price: {symbol: NO/SUCH, price: 3}}]\n",
        (),
    ),
    "parallel": (
        f"name: At once\n{SERVICE}steps:\n  - parallel:\n"
        "      - name: first\n        subscribe: {symbols: BTC/USDT, duration: 1s}\n"
        "      - name: second\n        subscribe: {symbols: ETH/USDT, clients: 3, duration: 1s}\n"
        "        expect: {connections.receiving: 3, ordering.gaps: 0}\n",
        (),
    ),
    "silence": (
        f"name: It stops\n{SERVICE}steps:\n"
        "  - name: watch\n"
        "    subscribe: {symbols: BTC/USDT, duration: 10s, max_silence: 500ms}\n"
        "    during: [{at: 300ms, pause: }]\n"
        "    expect: {ordering.gaps: 0}\n",
        (),
    ),
    "flash": (
        f"name: Back again\n{SERVICE}steps:\n"
        "  - name: watch\n"
        "    subscribe: {symbols: BTC/USDT, duration: 4s, reconnect: {delay: 100ms}}\n"
        "    during: [{at: 200ms, flash: {outage: 200ms, within: 3s, hold: 400ms}}]\n"
        "    expect: {reconnect.cut: 1, reconnect.recovered: 1, reconnect.time.p99: < 3 s, connections.closed: 1}\n",
        (),
    ),
    "gone": (
        f"name: Lost for good\n{SERVICE}steps:\n"
        "  - name: watch\n"
        "    subscribe: {symbols: BTC/USDT, duration: 10s, reconnect: {attempts: 0}}\n"
        "    during: [{at: 300ms, flash: {}}]\n"
        "    expect: {ordering.gaps: 0}\n"
        "  - name: expected\n"
        "    subscribe: {symbols: BTC/USDT, duration: 10s, reconnect: {attempts: 0}}\n"
        "    during: [{at: 300ms, flash: {}}]\n"
        "    expect: {connections.closed: 1}\n",
        (),
    ),
    "users": (
        f"name: Told so\n{SERVICE}steps:\n"
        "  - name: listen\n"
        "    subscribe: {user: alice, notifications: true, duration: 1s}\n"
        "    during:\n"
        "      - {at: 400ms, notify: {user: alice, title: T}}\n"
        "      - {at: 200ms, announce: {title: T}}\n"
        "    expect: {messages.received: '>= 2', auth.refused: 0}\n"
        "  - {name: no token, emit: {token: x, event: 'bot:subscribe', wait: 200ms}, expect: {auth.refused: 1}}\n"
        "  - {name: not mine, emit: {user: bob, event: 'bot:subscribe:one', args: [alice-bot-1], wait: 200ms}}\n",
        (),
    ),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[Done]]]:
    """All of them, a few at a time: most of a run is waiting."""
    with ThreadPoolExecutor(3) as pool:
        yield {
            name: pool.submit(run, tmp_path_factory.mktemp("run"), text, *arguments, by=wsctl_alone)
            for name, (text, arguments) in SCENARIOS.items()
        }


Runs = Mapping[str, Future[Done]]


def reported(done: Done) -> list[tuple[str, str, str | None]]:
    """Each scenario's name, verdict and reason."""
    return [(one["name"], one["verdict"], one["reason"]) for one in done.report["scenarios"]]


def test_passing(runs: Runs) -> None:
    """Exit 0, the promised shape, and nothing kept but the reports."""
    done = runs["passing"].result()
    assert done.code == PASSED, done.result
    assert done.left == {"result.json", "junit.xml"}
    report = done.report
    assert (report["wsctl"], report["version"], report["verdict"]) == ("run", 1, "pass")
    (scenario,) = report["scenarios"]
    assert (scenario["name"], scenario["file"], scenario["verdict"]) == ("All is well", "s0.yaml", "pass")
    assert [(step["name"], step["verdict"]) for step in scenario["steps"]] == [
        ("watch", "pass"),
        ("check", "pass"),
        ("ask", "pass"),
    ]
    watch = scenario["steps"][0]
    assert [one["metric"] for one in watch["expectations"]] == [
        "latency.p95",
        "messages.rate",
        "messages.rate",
        "ordering.gaps",
        "server.cpu",
    ]
    first = watch["expectations"][0]
    assert (first["bound"], first["verdict"]) == ("< 500 ms", "pass")
    assert 0 < first["observed"] == watch["metrics"]["latency.p95"] < 0.5
    assert watch["metrics"]["server.rss"] > 1_000_000


def test_reports_of_every_run(runs: Runs) -> None:
    """Each result.json fits the published schema; each junit.xml can be read and agrees with the exit code."""
    schema = json.loads(wsctl("schema", "result").out)
    for name, future in runs.items():
        done = future.result()
        jsonschema.validate(done.report, schema)
        suites = ElementTree.parse(done.folder / "results" / "junit.xml").getroot().iter("testsuite")
        green = all(suite.get("failures") == suite.get("errors") == "0" for suite in suites)
        assert green == (done.code == PASSED), name
        assert done.report["interrupted"] is False


def test_failing(runs: Runs) -> None:
    """Exit 1; the missed expectation is named with what was observed; its evidence can be judged again."""
    done = runs["failing"].result()
    assert done.code == FINDINGS
    assert re.search(r"latency\.p95  expected < 1 us, observed \d+ µs", done.result.out) or re.search(
        r"latency\.p95  expected < 1 us, observed [\d.]+ ms", done.result.out
    )
    assert done.left == {"result.json", "junit.xml", "not-so-fast/feed.log", "not-so-fast/watch-it.jsonl"}
    assert done.report["scenarios"][0]["evidence"] == ["not-so-fast/feed.log"]
    assert done.steps["Watch it!"]["evidence"] == ["not-so-fast/watch-it.jsonl"]
    assert [one["verdict"] for one in done.steps["Watch it!"]["expectations"]] == ["fail", "pass"]
    judged = wsctl("ordering-check", "--tape", "results/not-so-fast/watch-it.jsonl", cwd=done.folder)
    assert judged.code == PASSED, judged
    assert "mock feed at http://127.0.0.1:" in (done.folder / "results/not-so-fast/feed.log").read_text()


def test_what_was_not_measured_fails(runs: Runs) -> None:
    """It never passes by its absence; zero messages are a measurement."""
    done = runs["not measured"].result()
    assert done.code == FINDINGS
    judged = {one["metric"]: (one["verdict"], one["reason"]) for one in done.steps["watch"]["expectations"]}
    assert judged == {
        "latency.p95": ("fail", "was not measured"),
        "ordering.gaps": ("fail", "was not measured"),
        "messages.received": ("pass", None),
    }
    assert "latency.p95    expected < 1 s, was not measured" in done.result.out


def test_unverifiable(runs: Runs) -> None:
    """An ordering check that saw nothing proves nothing."""
    done = runs["unverifiable"].result()
    assert (done.code, done.report["verdict"]) == (FINDINGS, "unverifiable")
    assert done.steps["check"]["reason"] == "nothing came"


def test_repeat(runs: Runs) -> None:
    """Each round is a scenario of its own."""
    done = runs["repeat"].result()
    assert done.code == PASSED
    assert reported(done) == [("Again [1 of 2]", "pass", None), ("Again [2 of 2]", "pass", None)]


def test_fail_fast(runs: Runs) -> None:
    """What was not run any more is reported as that."""
    done = runs["fail-fast"].result()
    assert done.code == FINDINGS
    assert reported(done) == [
        ("A", "fail", None),
        ("B", "skipped", "an earlier scenario did not pass (--fail-fast)"),
    ]


def test_timeout(runs: Runs) -> None:
    """What was not done by then says so, at each level, and what never began is skipped."""
    done = runs["timeout"].result()
    assert (done.code, done.report["verdict"]) == (FINDINGS, "error")
    reason = "not done within 2.5s (--timeout)"
    assert reported(done) == [("Too long", "error", reason), ("Never begins", "skipped", reason)]
    assert (done.steps["watch"]["verdict"], done.steps["watch"]["reason"]) == ("error", reason)
    assert done.report["duration"] < 15


def test_a_service_that_does_not_start(runs: Runs) -> None:
    """Its last words are the reason; other scenarios go on."""
    done = runs["no start"].result()
    assert done.code == FINDINGS
    said = "wsctl: error: rate is 0; expected more than 0 and at most 10000 a second"
    assert reported(done) == [
        ("Cannot start", "error", f"service feed did not start (exit 2): {said}"),
        ("Goes on", "pass", None),
    ]
    assert done.report["scenarios"][0]["steps"] == []
    assert (done.folder / "results/cannot-start/feed.log").read_text() == said + "\n"


def test_a_fault_that_never_fired(runs: Runs) -> None:
    """Whatever was measured, it is not what the scenario means: error, though the expectation held."""
    done = runs["never fired"].result()
    assert done.code == FINDINGS
    watch = done.steps["watch"]
    assert (watch["verdict"], watch["reason"]) == ("error", "disconnect met no connection")
    assert [one["verdict"] for one in watch["expectations"]] == ["pass"]


def test_an_action_that_is_refused(runs: Runs) -> None:
    """The server's own words."""
    watch = runs["refused action"].result().steps["watch"]
    assert watch["verdict"] == "error"
    assert watch["reason"].startswith("price did not happen: /control/price refused: ")
    assert "NO/SUCH" in watch["reason"]


def test_parallel_steps_run_at_the_same_time(runs: Runs) -> None:
    """Both begin before either ends."""
    done = runs["parallel"].result()
    assert done.code == PASSED, done.result
    told = [line.split("s  ", 1)[1].strip() for line in done.result.err.splitlines() if " s  " in line]
    begun = [place for place, line in enumerate(told) if line.startswith(("first (", "second ("))]
    over = [place for place, line in enumerate(told) if line.startswith(("pass: first", "pass: second"))]
    assert len(begun) == len(over) == 2
    assert max(begun) < min(over)


def test_silence_ends_a_step_and_fails_it(runs: Runs) -> None:
    """At once, and whatever else was expected held."""
    done = runs["silence"].result()
    watch = done.steps["watch"]
    assert done.code == FINDINGS
    assert (watch["verdict"], watch["reason"]) == (
        "fail",
        "nothing came on symbol:BTC/USDT:ticker for 500ms (max_silence)",
    )
    assert [one["verdict"] for one in watch["expectations"]] == ["pass"]
    assert watch["duration"] < 9


def test_a_client_comes_back(runs: Runs) -> None:
    """Cut by the server, by its ledger, and recovered as the definition says."""
    done = runs["flash"].result()
    assert done.code == PASSED, done.result
    assert "flash: 1 connection cut, new ones refused for 0.2 s" in done.result.err


def test_a_client_lost_for_good(runs: Runs) -> None:
    """It did not see all that it was to judge: fail, unless the step expects something of its connection."""
    done = runs["gone"].result()
    assert (done.steps["watch"]["verdict"], done.steps["expected"]["verdict"]) == ("fail", "pass")
    assert done.steps["watch"]["reason"] == "the connection ended and is not tried again: connection lost"
    assert done.steps["expected"]["reason"] is None
    assert done.steps["expected"]["notes"] != []
    assert done.steps["watch"]["duration"] < 9


def test_users(runs: Runs) -> None:
    """Tokens are minted with the service's secret; a refusal that nothing expected is a failure."""
    done = runs["users"].result()
    assert [step["verdict"] for step in done.steps.values()] == ["pass", "pass", "fail"]
    assert done.steps["not mine"]["reason"] == "refused: access_denied"
    told = [
        line.partition(" s    ")[2]
        for line in done.result.err.splitlines()
        if "  announce" in line or "  notify" in line
    ]
    assert told == ["  announce: T", "  notify: alice T"]

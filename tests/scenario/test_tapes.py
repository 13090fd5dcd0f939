"""Scenarios with tapes: what a step records another plays, and what a service plays is judged as a feed is."""

import json
from pathlib import Path

from tests.cli.program import wsctl
from tests.peers import markets
from tests.peers.background import Background
from tests.peers.exchange import Exchange, Say, Send
from tests.peers.taker import socketio_taker
from tests.scenario.runs import run
from tests.scenario.suite import SUITE
from wsctl.wire.dialects import dialect_named

PASSED, FINDINGS = 0, 1

RECORD = """\
name: On tape
services:
  feed: {serve: {symbols: [BTC/USDT, ETH/USDT], rate: 50, seed: 7}}
steps:
  - name: recorded
    record: {symbols: [BTC/USDT], channels: ["symbol:ETH/USDT:trades"], duration: 1s, file: session.jsonl.gz}
    expect: {messages.received: "> 40", ordering.gaps: 0, connections.receiving: 1, connections.closed: 0}
  - name: played
    replay: {tape: session.jsonl.gz, to: "${TAKER}", speed: max, token: let me in}
    expect: {replay.sent: "> 40", replay.frames: "> 40"}
"""


def test_what_one_step_records_the_next_one_plays(tmp_path: Path) -> None:
    with socketio_taker() as taken:
        done = run(tmp_path, RECORD, env={"TAKER": f"http://{taken.address}"})
    assert done.code == PASSED, done.result.err
    recorded, played = done.steps["recorded"], done.steps["played"]
    received = recorded["metrics"]["messages.received"]
    assert played["metrics"]["replay.sent"] == received == len(taken.events)
    assert taken.auth[0]["token"] == "let me in"
    assert {name for name, _ in taken.events} == {"price:update", "trade:update"}
    prices = [payload["seq"] for name, payload in taken.events if name == "price:update" and "snapshot" not in payload]
    assert prices == list(range(prices[0], prices[0] + len(prices)))
    assert recorded["evidence"] == ["on-tape/session.jsonl.gz"]
    tape = "results/on-tape/session.jsonl.gz"
    assert recorded["metrics"]["tape.bytes"] == (tmp_path / tape).stat().st_size
    judged = json.loads(wsctl("ordering-check", "--tape", tape, "--format", "json", cwd=tmp_path).out)
    assert sum(channel["messages"] for channel in judged["channels"].values()) == received


def test_a_tape_takes_the_place_of_that_of_an_earlier_run(tmp_path: Path) -> None:
    text = RECORD[: RECORD.index("  - name: played")]
    for _ in range(2):
        done = run(tmp_path, text)
        assert done.code == PASSED, done.result.err
    assert done.left == {"result.json", "junit.xml", "on-tape/session.jsonl.gz"}


def test_a_feed_that_ends_while_it_is_recorded(tmp_path: Path) -> None:
    """What came by then is on tape, and measured."""
    text = RECORD[: RECORD.index("    expect")].replace("duration: 1s", "duration: 5s, reconnect: {attempts: 0}")
    text += "    during: [{at: 500ms, disconnect: {}}]\n    expect: {connections.closed: 1, ordering.gaps: 0}\n"
    done = run(tmp_path, text)
    recorded = done.steps["recorded"]
    assert (recorded["verdict"], recorded["metrics"]["connections.receiving"]) == ("pass", 0), recorded
    assert recorded["metrics"]["messages.received"] > 10
    assert "is not tried again" in recorded["notes"][-1]


def test_what_is_recorded_and_cannot_be_read(tmp_path: Path, background: Background) -> None:
    """Is an error, and a note says what it was."""
    text = """\
name: Garbage on tape
steps:
  - name: recorded
    record: {channels: btcusdt@depth, duration: 300ms, file: session.jsonl}
    expect: {messages.received: 1, errors: 0}
"""
    steps = (Say("btcusdt@depth", markets.depth(1, 2)), Send("<html>"))
    with Exchange(background, dialect_named("binance"), steps) as peer:
        done = run(tmp_path, text, "--url", peer.url, "--dialect", "binance")
    recorded = done.steps["recorded"]
    assert [judged["verdict"] for judged in recorded["expectations"]] == ["pass", "fail"], recorded
    assert recorded["metrics"]["errors"] == 1
    assert recorded["notes"][-1].startswith("1 frame is not binance; left out: ")


SERVICE = """\
name: Played
services:
  session: {{replay: {{tape: {tape}, speed: 8{more}}}}}
steps:
  - name: one
    {step}: {{channels: ["btcusdt@depth@100ms", "ethusdt@depth@100ms"], duration: 1500ms{options}}}
    expect: {{ordering.gaps: 0, messages.received: 114}}
"""


def service(step: str = "ordering-check", options: str = "", more: str = "", tape: str = "tapes/binance.jsonl") -> str:
    return SERVICE.format(step=step, options=options, more=more, tape=SUITE / tape)


def test_a_played_tape_is_judged_by_one_and_by_many(tmp_path: Path) -> None:
    for text in (service(), service("subscribe"), service("subscribe", ", clients: 1")):
        done = run(tmp_path, text)
        assert done.code == PASSED, done.result.out + done.result.err
        assert done.steps["one"]["metrics"]["connections.closed"] == 0


def test_a_part_of_a_tape(tmp_path: Path) -> None:
    done = run(tmp_path, service(more=", from: 1s, until: 3s").replace("114", "40"))
    assert done.code == PASSED, done.result.out + done.result.err


def test_a_dialects_file_beside_the_scenario(tmp_path: Path) -> None:
    """Named by the service, whose tape does not say, for its steps as well."""
    lines = (SUITE / "tapes" / "binance.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "mine.jsonl").write_text("".join([lines[0].replace('"binance"', "null"), *lines[1:]]))
    (tmp_path / "dialects").mkdir()
    (tmp_path / "dialects" / "mine.yaml").write_text(
        """\
name: mine
subscribe:
  frame: {method: SUBSCRIBE, params: "{channels}", id: 1}
  answer: {result: null, id: 1}
subscribed: {when: "id == `1`"}
message: {channel: "{s}-{e}", event: e, seq: u, first: U, time: E, time_unit: ms, scheme: range}
"""
    )
    text = service(more=", dialect: dialects/mine.yaml", tape=str(tmp_path / "mine.jsonl"))
    text = text.replace("btcusdt@depth@100ms", "BTCUSDT-depthUpdate").replace(
        "ethusdt@depth@100ms", "ETHUSDT-depthUpdate"
    )
    done = run(tmp_path, text)
    assert done.code == PASSED, done.result.out + done.result.err


def test_another_feed_is_no_recording(tmp_path: Path) -> None:
    """With --url a step about a recorded feed is skipped, and says why."""
    done = run(tmp_path, service(), "--url", "http://127.0.0.1:1", "--dry-run")
    assert "one  (skipped: it is about a recorded feed)" in done.result.out

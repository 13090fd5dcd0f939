"""Scenarios with a chaos proxy, run: through it go steps of every kind, and what it did is judged, not what was meant.

Each case is a run of its own; they mostly wait.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.suite import SUITE, run

Result = dict[str, Any]

NODE_SERVER = Path(__file__).parents[2] / "bench" / "servers" / "node_socketio.mjs"
PATIENCE = 10.0
"""seconds"""

FEED = "  feed: {serve: {symbols: [BTC/USDT, ETH/USDT], rate: 50, seed: 7}}\n"
RECONNECT = "reconnect: {delay: 100ms, delay_max: 400ms}"
FLASH = "{percent: 100, outage: 300ms, within: 3s, hold: 500ms}"

EVERY_KIND = f"""\
name: Through a proxy
services:
{FEED}  proxy: {{chaos: {{upstream: feed, seed: 7, faults: [
      delay: {{delay: 1ms}}, limit: {{attempts: 1000}}, drop: {{symbol: DOGE/USDT}}]}}}}
defaults: {{target: proxy}}
steps:
  - parallel:
      - name: flashed
        subscribe: {{symbols: [BTC/USDT, ETH/USDT], clients: 20, duration: 4500ms, {RECONNECT}}}
        during: [{{at: 300ms, flash: {FLASH}}}]
        expect:
          reconnect.cut: 20
          reconnect.success_rate: 100 %
          reconnect.lost: "> 20"
          reconnect.replayed: 0
          reconnect.duplicated: 0
          reconnect.detect.p99: "< 2 s"
          reconnect.stale.p99: ["> 300 ms", "< 3 s"]
          auth.refused: 0
          server.rss: "> 1 MB"
      - name: loaded
        load: {{users: 5, duration: 1s, warmup: 300ms, symbols: [BTC/USDT]}}
        expect: {{messages.received: "> 20"}}
  - parallel:
      - name: dropped
        ordering-check: {{symbols: BTC/USDT, duration: 1500ms}}
        during: [{{at: 100ms, drop: {{symbol: BTC/USDT, nth: 3, times: 3}}}}]
        expect: {{ordering.gaps: 3, ordering.missing: 3, ordering.duplicates: 0}}
      - name: asked
        emit: {{event: "bot:subscribe", user: alice, wait: 200ms}}
        expect: {{acks.ok: 1}}
      - name: recorded
        record: {{symbols: [ETH/USDT], duration: 1500ms}}
        during: [{{at: 100ms, drop: {{symbol: ETH/USDT, times: 1}}}}]
        expect: {{messages.received: "> 0"}}
      - name: attacked
        fuzz: {{probes: [F1]}}
        expect: {{fuzz.failed: 0, fuzz.passed: 1}}
      - name: spared
        subscribe: {{symbols: ETH/USDT, duration: 1500ms}}
        during: [{{at: 100ms, freeze-channel: {{symbol: DOGE/USDT}}}}]
        expect: {{messages.received: "> 0"}}
"""
RAW = f"""\
name: A recorded session behind a proxy
services:
  session: {{replay: {{tape: {SUITE}/tapes/binance.jsonl, speed: 0.5}}}}
  proxy: {{chaos: {{upstream: session}}}}
defaults: {{target: proxy, channels: "btcusdt@depth@100ms", duration: 5500ms, {RECONNECT}}}
steps:
  - parallel:
      - name: many, known by their ports
        subscribe: {{clients: 10}}
        during: [{{at: 700ms, flash: {FLASH}}}]
        expect: {{reconnect.cut: 10, reconnect.success_rate: 100 %}}
      - name: one, known by its port
        subscribe: {{}}
        during: [{{at: 3s, close: {{code: 1012, within: 2s, hold: 500ms}}}}]
        expect: {{reconnect.cut: 1, reconnect.success_rate: 100 %}}
  - parallel:
      - name: many that outlive a silence
        subscribe: {{clients: 10, duration: 2500ms}}
        during: [{{at: 700ms, stall: {{for: 700ms, within: 500ms, hold: 500ms}}}}]
        expect: {{reconnect.cut: 0, connections.closed: 0}}
      - name: one that does
        subscribe: {{duration: 2500ms}}
        during: [{{at: 700ms, stall: {{for: 700ms, within: 500ms, hold: 500ms}}}}]
        expect: {{reconnect.cut: 0, connections.closed: 0}}
"""
NODE = f"""\
name: Node's server behind a proxy
services:
  proxy: {{chaos: {{upstream: "${{NODE}}", seed: 7}}}}
steps:
  - name: flashed
    subscribe: {{symbols: BTC/USDT, clients: 40, duration: 4500ms, {RECONNECT}}}
    during: [{{at: 300ms, flash: {FLASH}}}]
    expect: {{reconnect.cut: 40, reconnect.success_rate: 100 %, reconnect.lost: "> 40"}}
  - name: forgetful
    subscribe:
      symbols: BTC/USDT
      clients: 10
      duration: 4500ms
      reconnect: {{delay: 100ms, delay_max: 400ms, resubscribe: false}}
    during: [{{at: 300ms, flash: {FLASH}}}]
    expect: {{reconnect.cut: 10, reconnect.success_rate: 100 %}}
"""
TEXTS: Mapping[str, str] = {"every kind": EVERY_KIND, "raw": RAW, "node": NODE}


@contextmanager
def node_server(folder: Path, *, rate: float = 50, symbols: str = "BTC/USDT") -> Iterator[str]:
    """socket.io's own: its URL. `rate` is updates a second of a symbol."""
    node = shutil.which("node")
    assert node is not None, "node is needed"
    ready = folder / "node.json"
    argv = [node, str(NODE_SERVER), "--rate", f"{rate:g}", "--symbols", symbols, "--ready-file", str(ready)]
    with subprocess.Popen(argv) as server:
        try:
            deadline = time.monotonic() + PATIENCE
            while not ready.exists():
                assert server.poll() is None, "it ended"
                assert time.monotonic() < deadline, "it does not listen"
                time.sleep(0.02)
            yield json.loads(ready.read_text())["url"]
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Result]]:
    """The scenario that came of a case; all that tests are about to ask for run meanwhile, two at a time."""

    def run_one(name: str, folder: Path) -> Result:
        (folder / "s.yaml").write_text(TEXTS[name])
        with ExitStack() as stack:
            env = {"NODE": stack.enter_context(node_server(folder))} if name == "node" else {}
            (scenario,) = run(str(folder), out=folder / "results", **env)["scenarios"]
        return scenario

    with ThreadPoolExecutor(2) as pool:
        wanted = {item.name.removeprefix("test_").replace("_", " ") for item in request.session.items}
        started: dict[str, Future[Result]] = {
            name: pool.submit(run_one, name, tmp_path_factory.mktemp("chaos")) for name in TEXTS if name in wanted
        }
        yield lambda name: started[name].result()


def steps(scenario: Result) -> dict[str, Result]:
    return {step["name"]: step for step in scenario["steps"]}


def verdicts(scenario: Result) -> dict[str, str]:
    return {name: step["verdict"] for name, step in steps(scenario).items()}


def test_every_kind(done: Callable[[str], Result]) -> None:
    """Steps of every kind go through a proxy; the feed's process and its users' tokens are those behind it.

    What was asked for and never struck, from the start or during a step, makes an error of whatever was measured;
    but for a limit that was kept to. Steps at once may ask for the same fault.
    """
    ended = done("every kind")
    others = dict.fromkeys(("flashed", "loaded", "asked", "recorded", "attacked"), "pass")
    assert verdicts(ended) == {**others, "dropped": "fail", "spared": "error"}, ended
    assert steps(ended)["spared"]["reason"] == "freeze-channel never struck: it met nothing that it is about"
    assert ended["reason"] == "service proxy: drop never struck: it met nothing that it is about"
    dropped = steps(ended)["dropped"]
    assert {one["verdict"] for one in dropped["expectations"]} == {"pass"}
    assert dropped["reason"] == "3 findings"


def test_raw(done: Callable[[str], Result]) -> None:
    """Clients without a name are told by their ports; who falls silent for a while was not cut."""
    ended = done("raw")
    assert set(verdicts(ended).values()) == {"pass"}, ended
    for name, count in (("many that outlive a silence", "10 silenced clients are"), ("one that does", "1 silenced")):
        assert any(note.startswith(count) for note in steps(ended)[name]["notes"]), ended


def test_node(done: Callable[[str], Result]) -> None:
    """A server that knows nothing of us: a true figure, and the stage that a broken client does not reach."""
    ended = done("node")
    assert verdicts(ended) == {"flashed": "pass", "forgetful": "fail"}, ended
    forgetful = steps(ended)["forgetful"]
    assert forgetful["metrics"]["reconnect.recovered"] == 0
    assert any(note.startswith("of 10 cut: noticed 10, open 10, subscribed 0, ") for note in forgetful["notes"])
    assert any("10 did not subscribe" in note for note in forgetful["notes"]), forgetful["notes"]

"""Runs at raw feeds: one client and many hear the same, in any dialect; what cannot be said there is told before."""

import asyncio
import itertools
from pathlib import Path

import pytest

from tests.peers import markets
from tests.peers.background import Background
from tests.peers.exchange import Exchange, Say
from tests.scenario.runs import run
from wsctl.wire.dialects import dialect_named

PASSED, FINDINGS, USAGE, TARGET = 0, 1, 2, 3
DEPTH, TRADES = "btcusdt@depth", "btcusdt@trade"

TEXT = """\
name: At an exchange
steps:
  - name: books
    ordering-check: {channels: "btcusdt@depth", duration: 500ms}
    expect: {messages.received: 3, ordering.gaps: %d, ordering.duplicates: 0}
"""


def test_a_book_with_a_hole(tmp_path: Path, background: Background) -> None:
    for spans, gaps, code in ([(1, 2), (3, 5), (6, 9)], 0, PASSED), ([(1, 2), (3, 5), (8, 9)], 1, FINDINGS):
        steps = [Say(DEPTH, markets.depth(*span)) for span in spans]
        with Exchange(background, dialect_named("binance"), steps) as peer:
            done = run(tmp_path, TEXT % gaps, "--url", peer.url, "--dialect", "binance")
        assert (done.code, done.steps["books"]["metrics"]["ordering.gaps"]) == (code, gaps), done.result.err
        assert done.steps["books"]["expectations"][1]["verdict"] == "pass"


def test_many_hear_what_one_hears_in_a_dialect_of_ones_own(tmp_path: Path, background: Background) -> None:
    """The step says how the feed speaks, by a file beside the scenario; symbols are the dialect's tickers."""
    folder = tmp_path / "own"
    folder.mkdir()
    dialect = dialect_named(markets.generic(folder))
    text = """\
name: In a dialect of one's own
defaults: {dialect: own/nobody.yaml, symbols: BTC/USDT, duration: 500ms}
steps:
  - parallel:
      - name: one
        subscribe: {}
        expect: {messages.received: "> 0", ordering.gaps: 0}
      - name: many
        subscribe: {clients: 5, reconnect: {attempts: 1}}
        expect: {connections.receiving: 5, acks.ok: 5, ordering.gaps: 0, fanout.reach: 100 %, errors: 0}
"""
    with Exchange(background, dialect, channels=["BTC-USDT"]) as peer:
        background.loop.call_soon_threadsafe(background.loop.create_task, speak(peer))
        done = run(tmp_path, text, "--url", peer.url)
    assert done.code == PASSED, done.result.out + done.result.err


async def speak(peer: Exchange) -> None:
    """Numbers, a hundred a second, while somebody listens."""
    for number in itertools.count(1):
        await peer._play([Say("BTC-USDT", markets.nobody(number))])
        await asyncio.sleep(0.01)


def test_nobody_there(tmp_path: Path) -> None:
    done = run(tmp_path, TEXT % 0, "--url", "ws://127.0.0.1:1", "--dialect", "binance")
    assert done.code == TARGET
    assert "wsctl: error: nothing that speaks binance answered at ws://127.0.0.1:1" in done.result.err


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("emit: {event: x}", "s0.yaml:4:11: emit sends events over Socket.IO; the feed speaks binance"),
        (
            "subscribe: {symbols: BTC, duration: 1s}",
            "s0.yaml:4:26: symbol 'BTC' is no pair; expected one such as BTC/USDT",
        ),
        (
            "subscribe: {symbols: BTC/USDT, duration: 1s}\n    expect: {auth.refused: 0}",
            "s0.yaml:5:14: auth.refused cannot be measured; binance has no word for it",
        ),
    ],
)
def test_what_cannot_be_asked_there(tmp_path: Path, step: str, message: str) -> None:
    text = f"name: N\nsteps:\n  - name: s\n    {step}\n"
    done = run(tmp_path, text, "--url", "wss://stream.binance.com:9443/ws")
    assert done.code == USAGE
    assert done.result.err.startswith(f"wsctl: error: {message}")

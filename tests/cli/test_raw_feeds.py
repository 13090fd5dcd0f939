"""Raw exchange feeds, watched by the program: lines, tables, verdicts, cuts and ends."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Program, Result, wsctl
from tests.peers import markets
from tests.peers.background import Background
from tests.peers.exchange import Close, Cut, Exchange, Say, Send, Step
from wsctl.wire.dialects import dialect_named

DEPTH, TRADES = "btcusdt@depth", "btcusdt@trade"
QUICK = ("--reconnect-delay", "10ms")


def exchange(background: Background, dialect: str, *steps: Step, **options: Any) -> Exchange:
    return Exchange(background, dialect_named(dialect), steps, **options)


def book(*spans: tuple[int, int]) -> list[Step]:
    """Diffs of Binance's book."""
    return [Say(DEPTH, markets.depth(first, last)) for first, last in spans]


def trades(*numbers: int) -> list[Step]:
    """Trades of Binance's."""
    return [Say(TRADES, markets.trade(number, f"{100 + number}.50")) for number in numbers]


def subscribe(peer: Exchange, dialect: str, *arguments: str) -> Result:
    return wsctl("subscribe", "--url", peer.url, "--dialect", dialect, "--format", "jsonl", *QUICK, *arguments)


def check(peer: Exchange, dialect: str, *arguments: str) -> Result:
    return wsctl("ordering-check", "--url", peer.url, "--dialect", dialect, "--format", "json", *QUICK, *arguments)


FEEDS: dict[str, tuple[str, str, Callable[[int], Any], str]] = {
    "binance": ("BTC/USDT", "btcusdt@ticker", lambda number: {"e": "24hrTicker", "E": 1, "s": "BTCUSDT"}, "24hrTicker"),
    "coinbase": ("BTC/USD", "ticker:BTC-USD", markets.coinbase_ticker, "ticker"),
    "okx": (
        "BTC/USDT",
        "tickers:BTC-USDT",
        lambda number: {"arg": {"channel": "tickers", "instId": "BTC-USDT"}, "data": [{"last": "1", "ts": "1"}]},
        "tickers",
    ),
    "kraken-v1": ("BTC/USD", "ticker:XBT/USD", lambda number: [340, {"c": ["1", "1"]}, "ticker", "XBT/USD"], "ticker"),
    "nobody": ("BTC/USDT", "BTC-USDT", markets.nobody, "message"),
}


@pytest.mark.parametrize("dialect", FEEDS)
def test_a_symbol_is_its_ticker(background: Background, tmp_path: Path, dialect: str) -> None:
    """On every exchange that has tickers, by the name that it has for it; lines are Observations."""
    symbol, channel, say, event = FEEDS[dialect]
    name = markets.generic(tmp_path) if dialect == "nobody" else dialect
    said = say(7)
    with exchange(background, name, Say(channel, said)) as peer:
        count = "2" if dialect == "kraken-v1" else "1"  # it greets first
        result = subscribe(peer, name, symbol, "--count", count)
    assert result.code == 0
    seen = result.observations[-1]
    *platforms, dialects = seen
    assert platforms == ["received_at", "conn", "channel", "event", "epoch", "seq", "sent_at", "latency_ms", "data"]
    assert (dialects, seen["dialect"]) == ("dialect", name)
    assert [seen[key] for key in ("conn", "channel", "event", "epoch", "data")] == ["c1", channel, event, None, said]
    assert seen["seq"] == (7 if dialect in ("coinbase", "nobody") else None)


def test_a_dialect_of_the_configuration(background: Background, tmp_path: Path) -> None:
    """A feed of wsctl.yaml may say its dialect; a file is looked for beside it."""
    markets.generic(tmp_path)
    with exchange(background, str(tmp_path / "nobody.yaml"), Say("BTC-USDT", markets.nobody(7))) as peer:
        (tmp_path / "wsctl.yaml").write_text(f"feeds: {{mine: {{url: '{peer.url}', dialect: nobody.yaml}}}}\n")
        result = wsctl("subscribe", "BTC/USDT", "--count", "1", cwd=tmp_path)
    assert (result.code, result.observations[0]["seq"]) == (0, 7)


def test_latency_by_the_exchanges_clock(background: Background) -> None:
    """From its time of sending; what comes from the future has none, and the summary says so."""
    steps = [*trades(1, 2), Say(TRADES, {**markets.trade(3), "E": markets.now_ms() + 60_000})]
    with exchange(background, "binance", *steps) as peer:
        result = subscribe(peer, "binance", "--channel", TRADES, "--count", "3")
    first, second, third = (line["latency_ms"] for line in result.observations)
    assert first is not None and second is not None and third is None  # noqa: PT018
    assert "1 latencies left out: the clocks cannot be compared" in result.err


def test_a_whole_book_passes(background: Background) -> None:
    """Diffs that join, across a restart: exit 0."""
    steps = [*book((1, 3), (4, 9)), Close(1012, "restart"), *book((14, 15), (16, 16))]
    with exchange(background, "binance", *steps) as peer, Program(
        "ordering-check", "--channel", DEPTH, "--url", peer.url, "--dialect", "binance", "--format", "json",
        "--duration", "1500ms", *QUICK,
    ) as program:  # fmt: skip
        program.wait_err("connected over websocket")
        result = program.finish()
    assert result.code == 0, result
    report = json.loads(result.out)["channels"][DEPTH]
    assert [report[key] for key in ("verdict", "scheme", "messages", "gaps", "skipped", "missing_unit")] == [
        "pass", "range", 4, 0, 4, "update-ids",
    ]  # fmt: skip
    assert "connection lost: closed by the server with code 1012: restart; next attempt in " in result.err


def test_what_is_planted_is_found(background: Background) -> None:
    """A hole, a repeat and a fall, each on a channel of another scheme; exit 1."""
    same = markets.trade(7)
    steps = [*book((1, 3), (7, 9)), Say(TRADES, same), Say(TRADES, same), *trades(9, 8)]
    with exchange(background, "binance", *steps) as peer:
        result = check(peer, "binance", "--channel", f"{DEPTH},{TRADES}", "--duration", "1s")
    channels = json.loads(result.out)["channels"]
    found = {
        name: [(one["kind"], one["first"], one["last"]) for one in channels[name]["findings"]] for name in channels
    }
    assert (result.code, json.loads(result.out)["verdict"]) == (1, "fail")
    assert found == {DEPTH: [("gap", 4, 6)], TRADES: [("duplicate", 7, 7), ("regression", 8, 8)]}


def test_what_proves_nothing_is_unverifiable(background: Background) -> None:
    """Words about the connection do not weigh in; trades that only rise do."""
    with exchange(background, "okx", Say("trades:BTC-USDT", markets.okx_trade(7))) as peer:
        result = check(peer, "okx", "--channel", "trades:BTC-USDT", "--duration", "500ms")
    assert (result.code, json.loads(result.out)["verdict"]) == (1, "unverifiable")


def test_a_greeting_is_no_channel(background: Background, tmp_path: Path) -> None:
    """What has no channel speaks about the connection: a counter that is whole passes all the same."""
    file = markets.generic(tmp_path)
    steps = [Send('{"welcome":1}'), *(Say("BTC-USDT", markets.nobody(number)) for number in (4, 5, 6))]
    with exchange(background, file, *steps) as peer:
        result = check(peer, file, "BTC/USDT", "--duration", "500ms")
    assert result.code == 0, result
    assert list(json.loads(result.out)["channels"]) == ["BTC-USDT"]


def test_lines_are_judged_as_the_feed_is(background: Background) -> None:
    """Through a pipe as well: a line says what it was spoken in."""
    with exchange(background, "binance", *trades(1, 5, 9)) as peer:
        lines = subscribe(peer, "binance", "--channel", TRADES, "--count", "3").out.encode()
    result = wsctl("ordering-check", "-", "--format", "json", stdin=lines)
    report = json.loads(result.out)["channels"][TRADES]
    assert (result.code, report["scheme"], report["verdict"]) == (1, "monotonic", "unverifiable")


def test_expectations_by_the_dialects_schemes(background: Background) -> None:
    """--expect measures what the dialect says: ids that a trade leaves out are no gap."""
    with exchange(background, "binance", *trades(1, 5, 9)) as peer:
        result = subscribe(
            peer, "binance", "--channel", TRADES, "--count", "3", "--expect", "messages.received >= 3",
            "--expect", "ordering.regressions = 0", "--expect", "latency.max < 10 s",
        )  # fmt: skip
    assert result.code == 0, result
    assert len(re.findall("^pass: ", result.err, re.MULTILINE)) == 3


def test_a_silent_channel_is_named(background: Background) -> None:
    """Binance takes any name; what never speaks ends it with --max-silence."""
    with exchange(background, "binance", *trades(1), channels=["nosuch@trade"]) as peer:
        result = subscribe(peer, "binance", "--channel", f"{TRADES},nosuch@trade", "--max-silence", "1s")
    assert result.code == 1
    assert re.search(f"nothing came on ({TRADES}, )?nosuch@trade for 1 s", result.err)


def test_trace_shows_frames_without_secrets(background: Background, tmp_path: Path) -> None:
    """Both ways; what a dialect's file holds to let one in is left out."""
    file = tmp_path / "mine.yaml"
    text = markets.GENERIC.replace("{do: subscribe,", "{do: subscribe, apiKey: s3cret,").replace(
        "name: nobody", "name: m"
    )
    file.write_text(text)
    with exchange(background, str(file), Say("BTC-USDT", markets.nobody(7))) as peer:
        result = subscribe(peer, str(file), "BTC/USDT", "--count", "1", "--trace")
        assert peer.frames[0] == '{"do":"subscribe","apiKey":"s3cret","what":["BTC-USDT"]}'
    lines = result.err.splitlines()
    assert lines[0] == '> {"do":"subscribe","apiKey":"redacted","what":["BTC-USDT"]}'
    assert lines[1] == '< {"done":"subscribe","what":["BTC-USDT"]}'
    assert lines[2].startswith('< {"ch":"BTC-USDT","n":7,')
    assert "s3cret" not in result.err


def test_ctrl_c(background: Background) -> None:
    """130, with a summary; the exchange sees a polite close."""
    arguments = ("--channel", DEPTH, "--dialect", "binance", "--format", "jsonl")
    with (
        exchange(background, "binance", *book((1, 3), (4, 9))) as peer,
        Program("subscribe", "--url", peer.url, *arguments) as program,
    ):
        program.wait_out(2)
        result = program.interrupt()
    assert result.code == 130
    assert result.err.startswith("2 messages in ")
    assert result.err.endswith("; 0 gaps\n")


def test_cut_without_a_word(background: Background) -> None:
    """It comes back; connections are told apart in the lines."""
    with exchange(background, "binance", *trades(1), Cut(), *trades(2)) as peer:
        result = subscribe(peer, "binance", "--channel", TRADES, "--count", "2")
    assert result.code == 0
    assert [(line["conn"], line["seq"]) for line in result.observations] == [("c1", 1), ("c1.2", 2)]
    assert "connection lost; next attempt in " in result.err


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (401, 3, "refused the connection: 401 Unauthorized\n  hint: --header carries credentials"),
        (404, 3, "answers, but not as binance: 404 Not Found"),
        (429, 3, "answers 429 Too Many Requests"),
    ],
)
def test_handshakes_that_fail(background: Background, status: int, code: int, told: str) -> None:
    """Exit 3, what the exchange answered, and nothing about Socket.IO."""
    with exchange(background, "binance", refuse=status) as peer:
        result = subscribe(peer, "binance", "BTC/USDT")
    assert result.code == code
    assert f"wsctl: error: {peer.url} {told}" in result.err
    assert "Socket.IO" not in result.err


def test_a_product_that_there_is_not(background: Background) -> None:
    """Exit 2, as for unknown symbols of the platform."""
    with exchange(background, "coinbase") as peer:
        result = subscribe(peer, "coinbase", "NO/PE")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "wsctl: error: Failed to subscribe: NO-PE is not a valid product\n  hint: asked for: ticker:NO-PE\n"
    )


def test_a_raw_feed_without_a_dialect() -> None:
    """Taken for Socket.IO, which does not know its path: the hint is what is missing."""
    result = wsctl("subscribe", "BTC/USDT", "--url", "ws://127.0.0.1:1/v2")
    assert result.code == 2
    assert "\n  hint: --dialect says how a raw WebSocket feed is spoken to; --namespace /v2 " in result.err

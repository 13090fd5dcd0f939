"""Commands are filters: what subscribe prints, ordering-check reads."""

import json
from pathlib import Path

from tests.cli.conftest import Serve
from tests.cli.program import Program, Server, wsctl, wsctl_alone

FIXED = {
    "received_at": float,
    "conn": str,
    "channel": str,
    "event": str,
    "epoch": str,
    "seq": int,
    "sent_at": float,
    "latency_ms": (float, int, type(None)),
    "data": dict,
}


def test_lines_have_the_fixed_keys_and_types(feed: Server) -> None:
    """Each line is an Observation with the keys that scripts rely on, in their order."""
    result = wsctl("subscribe", "BTC/USDT", "--url", feed.url, "--count", "5")
    assert result.code == 0
    assert len(result.observations) == 5
    for line in result.observations:
        assert list(line) == list(FIXED)
        for key, kind in FIXED.items():
            assert isinstance(line[key], kind), (key, line)
    last = result.observations[-1]
    assert last["conn"] == "c1"
    assert last["channel"] == "symbol:BTC/USDT:ticker"
    assert last["event"] == "price:update"
    assert {"symbol", "price", "bid", "ask", "volume", "timestamp", "seq", "epoch", "channel"} <= last["data"].keys()
    assert abs(last["received_at"] - last["sent_at"]) < 5


def test_snapshots_are_no_latency_samples(feed: Server) -> None:
    """The snapshot comes first, says so, and its latency is null; updates have one."""
    lines = wsctl("subscribe", "BTC/USDT", "--url", feed.url, "--count", "3").observations
    assert lines[0]["data"]["snapshot"] is True
    assert lines[0]["latency_ms"] is None
    assert all(line["latency_ms"] >= 0 for line in lines[1:])


def test_pipe_gives_the_live_verdict(feed: Server, tmp_path: Path) -> None:
    """`subscribe | ordering-check -` says what a live check says: the same channels, all in order."""
    watched = wsctl("subscribe", "BTC/USDT", "ETH/USDT", "--url", feed.url, "--duration", "500ms")
    piped = wsctl_alone("ordering-check", "-", "--format", "json", stdin=watched.out.encode())
    options = ("--url", feed.url, "--duration", "500ms", "--format", "json")
    live = wsctl("ordering-check", "BTC/USDT", "ETH/USDT", *options)
    tape = tmp_path / "tape.jsonl"
    tape.write_text(watched.out)
    filed = wsctl("ordering-check", "--tape", str(tape), "--format", "json")
    assert filed.out == piped.out
    for result in (piped, live):
        assert (result.code, result.err) == (0, "")
        report = json.loads(result.out)
        assert report["verdict"] == "pass"
        assert set(report["channels"]) == {"symbol:BTC/USDT:ticker", "symbol:ETH/USDT:ticker"}
        for channel in report["channels"].values():
            assert channel["messages"] > 1
            assert channel.pop("messages")
            assert channel == {
                **dict.fromkeys(("gaps", "missing", "duplicates", "reorders", "regressions", "resets", "skipped"), 0),
                "verdict": "pass",
                "scheme": "counter",
                "missing_unit": "messages",
                "verified_percent": 100.0,
                "clean_percent": 100.0,
                "findings": [],
            }
    assert sum(c["messages"] for c in json.loads(filed.out)["channels"].values()) == len(watched.observations)


def test_summary_counts_what_was_printed(feed: Server) -> None:
    """The summary on stderr counts the messages on stdout."""
    result = wsctl("subscribe", "BTC/USDT", "--url", feed.url, "--count", "7")
    assert result.err.startswith("7 messages in ")
    assert result.err.endswith("0 gaps\n")
    assert len(result.err.splitlines()) == 1


def test_ordered_hands_out_in_sequence(feed: Server) -> None:
    """--ordered prints the same stream, its sequence without a break."""
    lines = wsctl("subscribe", "BTC/USDT", "--url", feed.url, "--ordered", "--count", "10").observations
    seqs = [line["seq"] for line in lines if not line["data"].get("snapshot")]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


def test_channels_and_events(feed: Server) -> None:
    """--channel watches any channel, --event looks at some events only."""
    both = ("--channel", "symbol:BTC/USDT:trades,symbol:BTC/USDT:orderbook", "--channel", "price:public")
    lines = wsctl("subscribe", *both, "--url", feed.url, "--count", "60").observations
    assert {line["event"] for line in lines} == {"trade:update", "orderbook:update", "price:update"}
    assert {line["channel"] for line in lines} >= {"price:public", "symbol:BTC/USDT:trades"}
    trades = wsctl("subscribe", *both, "--event", "trade:update", "--url", feed.url, "--count", "3").observations
    assert [line["event"] for line in trades] == ["trade:update"] * 3


def test_partly_unknown_symbols_are_told(feed: Server) -> None:
    """Known symbols are watched, the unknown one is named on stderr."""
    result = wsctl("subscribe", "BTC/USDT", "NO/SUCH", "--url", feed.url, "--count", "10")
    assert result.code == 0
    assert result.err.startswith("unknown symbol 'NO/SUCH'; served are BTC/USDT, ETH/USDT\n")


def test_cut_line_is_left_out(feed: Server) -> None:
    """A last line that was cut off is left out and told; the rest is judged."""
    lines = wsctl("subscribe", "BTC/USDT", "--url", feed.url, "--count", "4").out
    result = wsctl_alone("ordering-check", "-", "--format", "json", stdin=lines[:-20].encode())
    assert (result.code, result.err) == (0, "the last line was cut off; left out\n")
    assert json.loads(result.out)["channels"]["symbol:BTC/USDT:ticker"]["messages"] == 3


def test_empty_stream_is_unverifiable() -> None:
    """Nothing in is never a pass."""
    result = wsctl_alone("ordering-check", "-", stdin=b"")
    assert (result.code, result.out.splitlines()[-1]) == (1, "verdict: unverifiable (nothing came)")


def test_emit_prints_acknowledgement_and_answers(feed: Server) -> None:
    """emit prints the acknowledgement first, then what comes back, and ends 1 when the answer says no."""
    result = wsctl("emit", "price:subscribe", '["BTC/USDT"]', "--url", feed.url, "--wait", "300ms")
    assert (result.code, result.err) == (0, "")
    first, *rest = result.observations
    assert first == {"acknowledgement": [{"ok": True, "subscribed": ["BTC/USDT"]}]}
    assert {line["event"] for line in rest} == {"price:update"}
    denied = wsctl("emit", "price:subscribe", "NO/SUCH", "--url", feed.url, "--wait", "50ms")
    assert denied.code == 1
    assert denied.observations[0]["acknowledgement"][0]["code"] == "unknown_symbol"


def test_two_readers_of_one_feed_agree(serve: Serve) -> None:
    """Two subscribers at once see the same price under the same seq."""
    server = serve("--symbols", "X/Y", "--rate", "100", "--seed", "3")
    with (
        Program("subscribe", "X/Y", "--url", server.url) as one,
        Program("subscribe", "X/Y", "--url", server.url) as two,
    ):
        one.wait_out(20)
        two.wait_out(20)
        seen = [
            {line["seq"]: line["data"]["price"] for line in program.interrupt().observations} for program in (one, two)
        ]
    common = seen[0].keys() & seen[1].keys()
    assert common
    assert all(seen[0][seq] == seen[1][seq] for seq in common)

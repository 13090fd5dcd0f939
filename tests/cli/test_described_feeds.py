"""Socket.IO feeds that a dialect's file describes, on a stock server: asked for, read and judged without code."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.program import wsctl
from tests.peers.background import Background
from tests.peers.bourse import DIALECT, Bourse, tick

QUICK = ("--reconnect-delay", "10ms")


@pytest.fixture
def file(tmp_path: Path) -> str:
    """The dialect's file."""
    path = tmp_path / "bourse.yaml"
    path.write_text(DIALECT)
    return str(path)


def test_lines(background: Background, file: str) -> None:
    """Its own events ask, each with its arguments; channel, number and time are where the file says."""
    with Bourse(background, [[("t", tick(7)), ("t", tick(8))]]) as peer:
        result = wsctl(
            "subscribe", "BTC/USDT", "--channel", "book.BTCUSDT", "--url", peer.url, "--dialect", file, "--count", "3"
        )
        assert peer.asked == [("listen", ({"pairs": ["BTCUSDT"]}, 2)), ("open book", ("BTCUSDT",))]
    assert result.code == 0
    greeting, first, second = result.observations
    assert [greeting[key] for key in ("channel", "event", "seq")] == [None, "connection:welcome", None]
    assert [first[key] for key in ("channel", "event", "seq", "sent_at", "data")] == [
        "ticks.BTCUSDT", "t", 7, 1_700_000_000.0, tick(7),
    ]  # fmt: skip
    assert second["seq"] == 8


def test_verdicts_across_reconnects(background: Background, file: str) -> None:
    """By the file's schemes: a counter that goes on where it was passes, one with a hole fails; greetings are none."""
    whole = [[("t", tick(1)), ("t", tick(2))], [("t", tick(3)), ("t", tick(4))]]
    for rounds, code, found in (
        (whole, 0, []),
        ([whole[0], [("t", tick(3)), ("t", tick(6))]], 1, [("gap", 4, 5)]),
    ):
        with Bourse(background, rounds) as peer:
            result = wsctl(
                "ordering-check", "BTC/USDT", "--url", peer.url, "--dialect", file, "--duration", "1500ms",
                "--format", "json", *QUICK,
            )  # fmt: skip
        channels = json.loads(result.out)["channels"]
        assert list(channels) == ["ticks.BTCUSDT"]
        report = channels["ticks.BTCUSDT"]
        assert (result.code, report["messages"]) == (code, 4)
        assert [(one["kind"], one["first"], one["last"]) for one in report["findings"]] == found
        assert "connection lost: disconnected by the server; next attempt in " in result.err


def test_refused(background: Background, file: str) -> None:
    """By the server's own acknowledgement."""
    with Bourse(background, []) as peer:
        result = wsctl("subscribe", "NO/PE", "--url", peer.url, "--dialect", file)
    assert (result.code, result.err) == (2, "wsctl: error: no such pair\n  hint: asked for: ticks.NOPE\n")


def test_a_frame_that_is_no_event(tmp_path: Path, background: Background) -> None:
    """Said before anything is dialled."""
    path = tmp_path / "bourse.yaml"
    path.write_text(DIALECT.replace('[open book, "{pair}"]', '{open: "{pair}"}'))
    result = wsctl("subscribe", "--channel", "book.X", "--url", "http://127.0.0.1:1", "--dialect", str(path))
    assert (result.code, result.err) == (
        2,
        'wsctl: error: \'{"open":"X"}\' is no event to send\n'
        "  hint: over Socket.IO a frame of `subscribe` is a list [event, argument, …]\n",
    )


def test_trace_and_emit_are_socketios(background: Background, file: str) -> None:
    """The frames are Socket.IO's, and events can be sent."""
    with Bourse(background, [[("t", tick(7))]]) as peer:
        target = ("--url", peer.url, "--dialect", file)
        result = wsctl("subscribe", "BTC/USDT", *target, "--count", "2", "--trace")
        emitted = wsctl("emit", "open book", "X", *target, "--wait", "500ms")
    assert re.search(r'^> 42\d\["listen",{"pairs":\["BTCUSDT"\]},2\]$', result.err, re.MULTILINE)
    assert (emitted.code, emitted.out.splitlines()[0]) == (0, '{"acknowledgement":[{"ok":true}]}')

"""Feeds of others: text that UTF-8 cannot say, paths that lead nowhere, no WebSocket, a disconnection for an answer."""

import json
from typing import Any

import pytest

from tests.cli.program import Result, wsctl
from tests.peers.background import Background
from tests.peers.stranger import Stranger

HALF = "half \ud83d of it"
"""text with one half of a surrogate pair, as JSON may hold it"""
MENDED = "half ? of it"


def price(seq: int, **more: Any) -> tuple[str, dict[str, Any]]:
    """A price update of X/Y."""
    payload = {"symbol": "X/Y", "price": 100.0 + seq, "channel": "symbol:X/Y:ticker", "seq": seq, "epoch": "e"}
    return "price:update", {**payload, **more}


def watched(url: str, count: int) -> Result:
    """A watch of X/Y until so many messages came."""
    return wsctl("subscribe", "X/Y", "--url", url, "--count", str(count))


def test_half_a_surrogate_pair(background: Background) -> None:
    """Wherever it is in a payload: it is printed as `?`, each message in its line, and ordering-check reads them."""
    lies = [
        price(1, note=HALF),
        price(2, note={HALF: [HALF]}),
        price(4),
        price(1, channel=HALF),
        price(2, channel=HALF),
    ]
    with Stranger(background, lies) as stranger:
        result = watched(stranger.url, len(lies))
    assert result.code == 0, result
    own = "symbol:X/Y:ticker"
    assert [(line["channel"], line["seq"]) for line in result.observations] == [
        *((own, seq) for seq in (1, 2, 4)),
        *((MENDED, seq) for seq in (1, 2)),
    ]
    notes = [line["data"].get("note") for line in result.observations]
    assert notes[:2] == [MENDED, {MENDED: [MENDED]}]
    assert result.observations[2]["data"] == price(4)[1]
    verdict = wsctl("ordering-check", "-", "--format", "json", stdin=result.out.encode())
    assert (verdict.code, verdict.err) == (1, "")
    channels = json.loads(verdict.out)["channels"]
    assert {name: (one["messages"], one["gaps"]) for name, one in channels.items()} == {own: (3, 1), MENDED: (2, 0)}


def test_half_a_surrogate_pair_in_a_name(background: Background) -> None:
    """An event whose name holds one is printed, too."""
    with Stranger(background, [(HALF, {"x": HALF})]) as stranger:
        result = wsctl("emit", "ask", "--url", stranger.url)
    assert result.code == 0, result
    assert [(line["event"], line["data"]) for line in result.observations] == [(MENDED, {"x": MENDED})]


def test_half_a_surrogate_pair_in_a_report(background: Background) -> None:
    """A live check reports a channel whose name holds one."""
    with Stranger(background, [price(1, channel=HALF), price(2, channel=HALF)]) as stranger:
        options = ("--url", stranger.url, "--duration", "200ms", "--format", "json")
        result = wsctl("ordering-check", "X/Y", *options)
    assert (result.code, result.err) == (0, "")
    assert list(json.loads(result.out)["channels"]) == [MENDED]


def test_half_a_surrogate_pair_in_an_acknowledgement(background: Background) -> None:
    """An acknowledgement that holds one is printed."""
    with Stranger(background, answer={"note": HALF}) as stranger:
        result = wsctl("emit", "other", "--url", stranger.url, "--wait", "200ms")
    assert (result.code, result.err) == (0, "")
    assert result.observations == [{"acknowledgement": [{"note": MENDED}]}]


@pytest.mark.parametrize("command", ["subscribe", "ordering-check"])
def test_a_path_that_cannot_be_applied(background: Background, command: str) -> None:
    """A path that parses and fails on what comes is a usage error in one sentence."""
    with Stranger(background, [price(1)]) as stranger:
        result = wsctl(command, "X/Y", "--url", stranger.url, "--seq-path", "abs(symbol)")
    assert (result.code, result.out) == (2, "")
    (sentence,) = result.err.splitlines()
    assert sentence.startswith("wsctl: error: path 'abs(symbol)' cannot be applied: ")


def test_without_websocket(background: Background) -> None:
    """Without --trace long-polling takes over from a WebSocket that is not to be had, and says so."""
    with Stranger(background, [price(1)], transports=["polling"]) as stranger:
        result = watched(stranger.url, 1)
    assert (result.code, len(result.observations)) == (0, 1)
    assert result.err.startswith("connected over polling (no WebSocket, so long-polling: ")


@pytest.mark.parametrize("command", ["subscribe", "ordering-check"])
def test_trace_of_a_server_without_websocket(background: Background, command: str) -> None:
    """--trace does not fall back to long-polling, which has no frames: it ends 3 with what became of the WebSocket."""
    with Stranger(background, [price(1)], transports=["polling"]) as stranger:
        result = wsctl(command, "X/Y", "--url", stranger.url, "--trace")
    assert (result.code, result.out) == (3, "")
    sentence, hint = result.err.splitlines()
    assert sentence == (
        f"wsctl: error: {stranger.url} answers, but not as Socket.IO at /socket.io/: 400 Bad Request (text/plain)"
    )
    assert hint.startswith("  hint: ")


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_disconnection_instead_of_an_acknowledgement(background: Background, transport: str) -> None:
    """emit prints the events that came before, and says that the connection ended; it does not wait any longer."""
    with Stranger(background, [price(1), ("news", {"x": 1})]) as stranger:
        result = wsctl("emit", "ask", "--url", stranger.url, "--transport", transport, "--wait", "1h")
    assert result.code == 0, result
    assert [(line["event"], line["seq"]) for line in result.observations] == [("price:update", 1), ("news", None)]
    assert result.err.splitlines()[-1] == "the connection ended: disconnected by the server"

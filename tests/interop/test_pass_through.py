"""Other people's Socket.IO clients through `wsctl record --listen`: they notice nothing, and the tape holds it all."""

import json
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.cli.conftest import Serve, serve
from tests.cli.program import Program, Result, Server, wait_until, wsctl
from tests.interop.test_node import session
from tests.tape.tapes import read
from wsctl.tape.format import TapeFrame

__all__ = ["serve"]


class Passing(Program):
    """`wsctl record --listen`, listening."""

    def __init__(self, folder: Path, upstream: str, *arguments: str) -> None:
        self.path = folder / "t.jsonl"
        self.ready = folder / "passing.json"
        options = ("--upstream", upstream, "-o", str(self.path), "--ready-file", str(self.ready))
        super().__init__("record", "--listen", ":0", *options, *arguments)
        wait_until(lambda: self.ready.exists() or self.process.poll() is not None)
        assert self.ready.exists(), self.finish()
        self.url: str = json.loads(self.ready.read_text())["url"]

    @property
    def tape(self) -> list[TapeFrame]:
        """What is on it so far; but for the last line it can be read at any time."""
        return read(self.path)[0]


@pytest.fixture
def passing(serve: Serve, tmp_path: Path) -> Iterator[Passing]:
    """A pass-through to a mock feed."""
    server = serve("--symbols", "BTC/USDT", "--rate", "50", "--accept-any-token", "--control")
    with Passing(tmp_path, server.url) as it:
        yield it


def test_node_begins_with_polling_and_upgrades(node: str, passing: Passing) -> None:
    """Node's client by its defaults: handshake and first packets by polling, then a WebSocket; prices come in order."""
    token = wsctl("token", "--user", "alice").out.strip()
    with session(node, passing.url, token=token) as client:
        assert client.wait_told("connect") == [["polling"]]
        assert client.wait_told("ack")[0] == [{"ok": True, "subscribed": ["BTC/USDT"]}]
        told = client.wait_told("price:update", 20)
    seqs = [seq for _, seq, _ in told]
    assert seqs[1:] == list(range(seqs[1], seqs[1] + len(seqs) - 1))
    wait_until(lambda: any(frame.direction == "close" for frame in passing.tape))
    result = passing.signal(signal.SIGTERM)
    assert (result.code, passing.ready.exists()) == (0, False)
    frames = passing.tape
    assert {frame.conn for frame in frames} == {"c1"}
    assert [frame.direction for frame in frames if frame.frame is None] == ["open", "close"]
    assert "transport=polling" in str(frames[0].url)
    said = [(frame.direction, str(frame.frame)) for frame in frames]
    assert said[1][1].startswith('0{"sid":')
    probe = [said.index(words) for words in (("out", "2probe"), ("in", "3probe"), ("out", "5"))]
    assert probe == sorted(probe)
    recorded = [json.loads(text[2:])[1]["seq"] for way, text in said if way == "in" and "price:update" in text]
    assert recorded[: len(seqs)] == seqs
    assert token.encode() not in passing.path.read_bytes()


def test_node_comes_back(node: str, tmp_path: Path) -> None:
    """A server that shuts down: the client sees its very code, and its next connection is another one on tape."""
    options = ("--symbols", "BTC/USDT", "--rate", "50")
    with (
        Server(tmp_path, *options) as first,
        Passing(tmp_path, first.url) as passing,
        session(node, passing.url) as client,
    ):
        client.wait_told("price:update", 3)
        wait_until(lambda: any(frame.direction == "open" for frame in passing.tape))
        first.signal(signal.SIGTERM)
        assert client.wait_told("disconnect")[0] == ["transport close", 1012]
        passing.wait_err("connection refused")
        with Server(tmp_path, *options, "--port", str(first.port)):
            client.wait_told("reconnect")
            wait_until(lambda: sum(frame.direction == "open" for frame in passing.tape) == 2)
        ends = [
            (frame.conn, frame.direction, frame.code) for frame in passing.tape if frame.direction in ("open", "close")
        ]
    assert ends[:3] == [("c1", "open", None), ("c1", "close", 1012), ("c2", "open", None)]


@pytest.mark.parametrize("kind", ["AsyncClient", "Client"])
@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_python_socketio(passing: Passing, kind: str, transport: str) -> None:
    """Both of python-socketio's clients, over either transport: their tape is judged, and played to another client."""
    script = Path(__file__).with_name("ends.py")
    token = wsctl("token", "--user", "bob").out.strip()
    with Program(argv=[sys.executable, str(script), kind, passing.url, transport, token]) as client:
        client.wait_for(lambda: any('"subscribed"' in line for line in client.out))
        wait_until(lambda: sum("price:update" in str(frame.frame) for frame in passing.tape) >= 10)
    result = passing.signal(signal.SIGTERM)
    assert (result.code, "cannot be judged" in result.err) == (0, False)
    frames = passing.tape
    assert {(frame.conn, frame.direction) for frame in frames} == {
        ("c1", way) for way in ("open", "in", "out", "close")
    }
    assert token.encode() not in passing.path.read_bytes()
    prices = [str(frame.frame)[2:] for frame in frames if "price:update" in str(frame.frame)]
    checked = wsctl("ordering-check", "--tape", str(passing.path), "--format", "json")
    assert checked.code == 0, checked
    (channel,) = json.loads(checked.out)["channels"].values()
    assert (channel["messages"], channel["clean_percent"]) == (len(prices), 100.0)
    ready = passing.path.with_name("replay.json")
    with Program("replay", str(passing.path), "--port", "0", "--ready-file", str(ready), "--speed", "max") as replay:
        wait_until(lambda: ready.exists() or replay.process.poll() is not None)
        url = json.loads(ready.read_text())["url"]
        heard = wsctl("subscribe", "BTC/USDT", "--url", url, "--count", str(len(prices)))
    assert [told["seq"] for told in heard.observations] == [json.loads(price)[1]["seq"] for price in prices], heard


def test_what_is_said(passing: Passing) -> None:
    """Comings and goings, without secrets; what the HTTP library would log has them, and stays unsaid."""
    path = "/socket.io/?EIO=4&transport=websocket&token=s3cret"
    with connect(
        passing.url.replace("http", "ws", 1) + path, subprotocols=[Subprotocol("feed"), Subprotocol("s3cret")]
    ) as client:
        assert str(client.recv(20)).startswith('0{"sid":')
    host, _, port = passing.url.removeprefix("http://").partition(":")
    for head in (f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n", "s3cret\r\n\r\n"):
        with socket.create_connection((host, int(port)), 20) as stranger:
            stranger.sendall(head.encode())
            assert b" 400 " in stranger.recv(1000)
    passing.wait_err("closed with code 1000")
    result = passing.signal(signal.SIGTERM)
    first, opened, closed, summary = result.err.splitlines()
    assert first.startswith(f"passing on what comes to {passing.url} to http://127.0.0.1:")
    assert (opened, closed) == ("c1 opened: /socket.io/ (127.0.0.1)", "c1 closed with code 1000")
    assert "1 open, 1 close" in summary


def test_ctrl_c(node: str, passing: Passing) -> None:
    """130, the client told that somebody goes away, the tape whole."""
    with session(node, passing.url) as client:
        client.wait_told("price:update", 3)
        wait_until(lambda: any(frame.direction == "open" for frame in passing.tape))
        result: Result = passing.interrupt()
        reason, code = client.wait_told("disconnect")[0]
    assert (reason, code) == ("transport close", 1001)
    assert result.code == 130
    frames, cut = read(passing.path)
    assert cut is None
    assert [(frame.code, frame.reason) for frame in frames if frame.direction == "close"] == [(1001, "recording ends")]
    assert "Traceback" not in result.err

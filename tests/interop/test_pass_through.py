"""Other people's Socket.IO clients through `wsctl record --listen`: they notice nothing, and the tape holds it all."""

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    seqs = [seq for _, seq in told]
    assert seqs[1:] == list(range(seqs[1], seqs[1] + len(seqs) - 1))
    wait_until(lambda: any(frame.direction == "close" for frame in passing.tape))
    result = passing.signal(signal.SIGTERM)
    assert (result.code, passing.ready.exists()) == (0, False)
    frames = passing.tape
    polls = [frame for frame in frames if frame.direction == "http"]
    assert all("transport=polling" in str(poll.url) and poll.status == 200 for poll in polls)
    assert str(polls[0].frame).startswith('0{"sid":')
    opened = next(frame for frame in frames if frame.direction == "open")
    assert "transport=websocket" in str(opened.url)
    said = [(frame.direction, frame.frame) for frame in frames if frame.conn == "c1"]
    assert said[1:4] == [("out", "2probe"), ("in", "3probe"), ("out", "5")]
    recorded = [
        json.loads(str(text)[2:])[1]["seq"] for way, text in said if way == "in" and "price:update" in str(text)
    ]
    assert recorded == list(range(recorded[0], recorded[0] + len(recorded)))
    assert set(seqs) & set(recorded)
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
    """Both of python-socketio's clients, over either transport, subscribe; over polling every answer is on tape."""
    script = Path(__file__).with_name("ends.py")
    token = wsctl("token", "--user", "bob").out.strip()
    with Program(argv=[sys.executable, str(script), kind, passing.url, transport, token]) as client:
        client.wait_for(lambda: any('"subscribed"' in line for line in client.out))
        wait_until(lambda: sum("price:update" in str(frame.frame) for frame in passing.tape) >= 10)
    directions = {frame.direction for frame in passing.tape if "price:update" in str(frame.frame)}
    assert directions == {"in"} if transport == "websocket" else {"http"}
    assert token.encode() not in passing.path.read_bytes()


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

"""Whether something speaks Socket.IO, asked of real servers and of others."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from peers_feeds import Babbler, Background, Peer

from wsctl.client.probe import speaks_socketio
from wsctl.client.target import Target

Run = Callable[[Any], Any]


def test_real_servers(background: Background, run: Run) -> None:
    with Peer(background) as peer:
        assert run(speaks_socketio(Target(url=peer.url))) is True
        assert run(speaks_socketio(Target(url=peer.url.replace("http", "ws")))) is True
        assert run(speaks_socketio(Target(url=peer.url, path="/elsewhere/"))) is False
        assert all(socket.closed for socket in peer.server.eio.sockets.values()), "no session is left open"


def test_a_server_without_polling(background: Background, run: Run) -> None:
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 40\r\n\r\n" + b'{"code":0,"message":"Transport unknown"}'
    with Babbler(background, answer) as other:
        assert run(speaks_socketio(Target(url=other.url))) is True


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n0{}",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"-ERR\r\n",
        b"",
        None,
    ],
)
def test_others(background: Background, run: Run, answer: bytes | None) -> None:
    with Babbler(background, answer) as other:
        started = time.monotonic()
        assert run(speaks_socketio(Target(url=other.url), timeout=0.3)) is False
        assert time.monotonic() - started < 3


def test_nobody(run: Run) -> None:
    assert run(speaks_socketio(Target(url="http://127.0.0.1:1"))) is False

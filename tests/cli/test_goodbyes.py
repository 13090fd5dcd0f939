"""How serve ends when a client does not let it, and when it is told twice."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.frames import Frame, Opcode

from tests.cli.conftest import Serve
from tests.cli.program import WAIT, Server

HANDSHAKE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Deaf:
    """A joined WebSocket client that answers nothing, not even a close."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._read = b""
        sock.sendall(HANDSHAKE.encode() + Frame(Opcode.TEXT, b"40").serialize(mask=True))
        self.wait_for(b'40{"sid":')

    def wait_for(self, text: bytes) -> None:
        """Read until some bytes have come."""
        while text not in self._read:
            more = self._socket.recv(65536)
            assert more, self._read
            self._read += more


@contextmanager
def deaf(server: Server) -> Iterator[Deaf]:
    """Such a client, connected."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT) as sock:
        yield Deaf(sock)


def test_a_second_sigterm(serve: Serve) -> None:
    """While serve says goodbye a second SIGTERM changes nothing: exit 0, its last word said, the ready file gone."""
    server = serve()
    with deaf(server) as client:
        server.process.send_signal(signal.SIGTERM)
        client.wait_for(b"connection:closing")
        assert server.process.poll() is None
        result = server.signal(signal.SIGTERM)
    assert (result.code, result.out) == (0, "")
    assert "stopping: telling 1 client" in result.err
    assert "served for " in result.err
    assert "Traceback" not in result.err
    assert not server._ready.exists()


def test_the_ready_file_goes_with_ctrl_c(serve: Serve) -> None:
    """After Ctrl-C, too, whoever looks for the ready file finds none."""
    server = serve()
    assert server._ready.exists()
    assert server.interrupt().code == 130
    assert not server._ready.exists()

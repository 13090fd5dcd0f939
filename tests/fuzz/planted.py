"""A small server with a bug that is known, for the search to find: `python -I -S planted.py PORT BUG`, or in a thread.

It imports little, so that it is back soon after it died. BUG is `nested`, `once` (as nested, the first time), `typed`
(of a raw WebSocket) or `none`.
"""

import hashlib
import json
import os
import socketserver
import sys
from base64 import b64encode
from collections.abc import Callable
from typing import Any

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
OPEN = '0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'


class Left(Exception):
    """The client is gone, or has to go."""


class Connection(socketserver.StreamRequestHandler):
    """One client."""

    server: "Server"

    def handle(self) -> None:
        self.joined = self.subscribed = False
        self.server.connections.add(self.connection)
        try:
            self.upgrade()
            if self.server.bug != "typed":
                self.say(OPEN)
            while True:
                self.receive()
        except (Left, OSError, ValueError, RecursionError):
            pass
        finally:
            self.server.connections.discard(self.connection)

    def upgrade(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline(65536)
            if not line:
                raise Left
            head += line
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n") if b": " in line)
        keys = [
            line.split(b": ", 1)[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: ")
        ]
        if headers.get(b"upgrade") != b"websocket" or not keys:
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            raise Left
        accept = b64encode(hashlib.sha1(keys[0] + GUID).digest())
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    def receive(self) -> None:
        first, second = self.read(2)
        length = second & 127
        if first & 0xF0 != 0x80 or not second & 0x80 or length == 127:
            raise Left
        if length == 126:
            length = int.from_bytes(self.read(2), "big")
        key = self.read(4)
        content = self.read(length)
        if any(key):
            content = bytes(byte ^ key[at % 4] for at, byte in enumerate(content))
        if first & 15 == 9:
            self.frame(10, content)
        elif first & 15 == 8:
            self.frame(8, content[:2])
            raise Left
        elif first & 15 == 1:
            (self.hear_raw if self.server.bug == "typed" else self.hear)(content.decode())

    def read(self, size: int) -> bytes:
        content = self.rfile.read(size)
        if len(content) < size:
            raise Left
        return content

    def say(self, text: str) -> None:
        self.frame(1, text.encode())

    def frame(self, opcode: int, content: bytes) -> None:
        self.wfile.write(bytes((0x80 | opcode, len(content))) + content)

    def hear(self, packet: str) -> None:
        if packet.startswith("40/"):
            self.say("44" + packet[2:].split(",")[0] + ',{"message":"Invalid namespace"}')
        elif packet.startswith("40"):
            self.joined = True
            self.say('40{"sid":"t"}')
        elif packet.startswith("42") and self.joined:
            name, *arguments = json.loads(packet[2:].lstrip("0123456789"))
            if self.subscribed and any(map(is_fatal, arguments)):
                self.fail()
            self.subscribed |= name == "price:subscribe"

    def hear_raw(self, text: str) -> None:
        message = json.loads(text)
        if isinstance(message, dict) and message.get("op") == "subscribe" and isinstance(message.get("args"), str):
            self.fail()

    def fail(self) -> None:
        """Unless there is no bug, or it showed already."""
        if self.server.bug != "none":
            self.server.bug = "none" if self.server.bug == "once" else self.server.bug
            self.server.die(self.connection)
            raise Left


def is_fatal(argument: Any, *, nested: bool = False) -> bool:
    """It holds, somewhere inside, an object with an empty key."""
    if isinstance(argument, dict) and nested and "" in argument:
        return True
    inner = argument.values() if isinstance(argument, dict) else argument if isinstance(argument, list) else ()
    return any(is_fatal(one, nested=True) for one in inner)


class Server(socketserver.ThreadingTCPServer):
    """On loopback. `die` is what its bug does, on one of the connections."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, bug: str, die: Callable[[Any], None]) -> None:
        super().__init__(("127.0.0.1", port), Connection)
        self.bug = bug
        self.die = die
        self.connections: set[Any] = set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients leave as they like."""


if __name__ == "__main__":
    Server(int(sys.argv[1]), sys.argv[2], lambda own: os._exit(3)).serve_forever(0.05)

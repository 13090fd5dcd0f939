"""A small Socket.IO server with soft spots, named one by one: `python -I -S soft.py [SPOT …]`. It prints its port.

`rsv` takes reserved bits, `mask` takes what is not masked, `mute` never answers a POST of octets, `error` dies of an
event of that name, `kick` throws everybody else out for it, `hoard` keeps much for each fragment of a message. Without
them it does what is right.
"""

import json
import os
import socket
import socketserver
import sys
from base64 import b64encode
from hashlib import sha1

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
OPEN = '0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
SPOTS = ("rsv", "mask", "mute", "error", "kick", "hoard")
MAX_PARTS = 1000
"""of a message"""


class Left(Exception):
    """The client is gone, or has to go."""


joined: "set[Connection]" = set()


class Connection(socketserver.StreamRequestHandler):
    """One client."""

    def handle(self) -> None:
        self.kept: list[bytearray] = []
        try:
            line, headers = self.head()
            if "sec-websocket-key" in headers:
                self.upgrade(headers["sec-websocket-key"])
                self.say(OPEN)
                while True:
                    self.receive()
            elif line.startswith("GET"):
                self.answer("200 OK", OPEN)
            elif headers.get("content-type") == "application/octet-stream":
                self.refuse_octets()
            else:
                self.answer("200 OK", "ok")
        except (Left, OSError):
            joined.discard(self)

    # HTTP

    def head(self) -> tuple[str, dict[str, str]]:
        lines = []
        while line := self.rfile.readline(65536).decode("latin-1").rstrip():
            lines.append(line)
        if not lines:
            raise Left
        pairs = (line.partition(":") for line in lines[1:])
        return lines[0], {name.lower(): value.strip() for name, _, value in pairs}

    def upgrade(self, key: str) -> None:
        accept = b64encode(sha1(key.encode() + GUID).digest()).decode()
        self.wfile.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )

    def answer(self, status: str, body: str) -> None:
        self.wfile.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    def refuse_octets(self) -> None:
        if "mute" in SOFT:
            while self.rfile.read(1):
                pass
        self.answer("400 Bad Request", "{}")

    # WebSocket

    def receive(self) -> None:
        first, second = self.read(2)
        length = second & 127
        if length > 125:
            length = int.from_bytes(self.read(2 if length == 126 else 8), "big")
        masked = second & 0x80
        if (first & 0x70 and "rsv" not in SOFT) or (not masked and "mask" not in SOFT) or length > 1_000_000:
            self.close(1002)
        key = self.read(4) if masked else b""
        content = self.read(length)
        if any(key):
            content = bytes(byte ^ key[at % 4] for at, byte in enumerate(content))
        opcode, last = first & 15, first & 0x80
        if opcode == 8:
            self.close(int.from_bytes(content[:2], "big"))
        elif opcode == 9:
            self.frame(10, content)
        elif not last:
            self.keep()
        elif opcode == 1:
            self.hear(content.decode())

    def keep(self) -> None:
        """What is not a whole message yet."""
        self.kept.append(bytearray(400 if "hoard" in SOFT else 0))
        if len(self.kept) > MAX_PARTS and "hoard" not in SOFT:
            self.close(1008)

    def hear(self, packet: str) -> None:
        if packet.startswith("40/"):
            self.say("44" + packet[2:].split(",")[0] + ',{"message":"Invalid namespace"}')
        elif packet.startswith("40"):
            joined.add(self)
            self.say('40{"sid":"t"}')
        elif packet.startswith("42") and json.loads(packet[2:])[0] == "error":
            if "error" in SOFT:
                os._exit(3)
            for other in joined - {self} if "kick" in SOFT else ():
                other.say("41")

    def read(self, size: int) -> bytes:
        content = self.rfile.read(size)
        if len(content) < size:
            raise Left
        return content

    def close(self, code: int) -> None:
        """To leave with something unread would be a reset, and the close be lost in it."""
        self.frame(8, code.to_bytes(2, "big"))
        self.connection.shutdown(socket.SHUT_WR)
        while self.rfile.read(65536):
            pass
        raise Left

    def say(self, text: str) -> None:
        self.frame(1, text.encode())

    def frame(self, opcode: int, content: bytes) -> None:
        self.wfile.write(bytes((0x80 | opcode, len(content))) + content)


class Server(socketserver.ThreadingTCPServer):
    """On loopback."""

    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    SOFT = frozenset(sys.argv[1:])
    if unknown := SOFT.difference(SPOTS):
        sys.exit(f"no such spots: {unknown}")
    with Server(("127.0.0.1", 0), Connection) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever(0.05)

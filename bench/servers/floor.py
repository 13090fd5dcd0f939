"""The floor: bare send() of one prebuilt frame on each of N upgraded sockets, and nothing else."""

import base64
import contextlib
import hashlib
import json
import socket
import struct
import time

from bench.servers.price import EVENT, arguments, due_times, payload, write_ready

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def main() -> None:
    """Accept the clients, then tick until the first of them is gone."""
    options = arguments(__doc__)
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        write_ready(options.ready_file, listener.getsockname()[1])
        clients = [upgraded(listener.accept()[0]) for _ in range(options.clients)]
    with contextlib.suppress(ConnectionError):  # the receiver left: the round is over
        fan_out(clients, frame(), options.rate)


def fan_out(clients: list[socket.socket], data: bytes, rate: float) -> None:
    """The measured loop. Blocking sockets: each send() is one system call."""
    for due in due_times(rate):
        time.sleep(max(0.0, due - time.time()))
        for client in clients:
            client.send(data)


def frame() -> bytes:
    """A text frame (unmasked, as servers send) that holds a Socket.IO price:update."""
    now = time.time()
    text = "42" + json.dumps([EVENT, payload(100, now)], separators=(",", ":"))
    body = text.encode()
    return struct.pack("!BBH", 0x81, 126, len(body)) + body


def upgraded(client: socket.socket) -> socket.socket:
    """Answer the opening handshake of RFC 6455, as little of it as a client needs."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        part = client.recv(4096)
        if not part:
            raise ConnectionError("client left before its handshake was complete")
        request += part
    lines = (line.partition(b":") for line in request.split(b"\r\n"))
    key = next(value.strip() for name, _, value in lines if name.lower() == b"sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    client.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as every event loop does
    return client


if __name__ == "__main__":
    main()

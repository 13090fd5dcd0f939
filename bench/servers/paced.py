"""Stamped prices to N upgraded sockets in turn, evenly spaced: no two of them wait for each other, but in a proxy.

With --rate 0 as fast as bare send() can, unstamped.
"""

import contextlib
import itertools
import json
import socket
import struct
import time

from bench.servers.floor import frame, upgraded
from bench.servers.price import EVENT, arguments, payload, write_ready

LATE = 0.001
"""seconds"""


def main() -> None:
    """Accept the clients, then send until the first of them is gone. `--rate` is that of all together."""
    options = arguments(__doc__)
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        write_ready(options.ready_file, listener.getsockname()[1])
        clients = [upgraded(listener.accept()[0]) for _ in range(options.clients)]
    with contextlib.suppress(ConnectionError):  # somebody left: the round is over
        if options.rate:
            send_paced(clients, options.rate)
        else:
            send_all(clients)


def send_paced(clients: list[socket.socket], rate: float) -> None:
    """A price is stamped right before its send(). What was missed by more than LATE is not made up for in a burst."""
    due = time.time()
    for number in itertools.count():
        due = max(due + 1 / rate, time.time() - LATE)
        time.sleep(max(0.0, due - time.time()))
        text = "42" + json.dumps([EVENT, payload(number // len(clients) + 1, due)], separators=(",", ":"))
        body = text.encode()
        clients[number % len(clients)].send(struct.pack("!BBH", 0x81, 126, len(body)) + body)


def send_all(clients: list[socket.socket]) -> None:
    """Blocking sockets: who is behind sets the pace."""
    data = frame()
    for client in itertools.cycle(clients):
        client.sendall(data)


if __name__ == "__main__":
    main()

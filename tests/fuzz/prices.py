"""A Socket.IO client by hand, as people write them: it comes back, and shows prices.

python prices.py MODE: the URL comes on stdin. A price that is missing kills it (`soft`), is waited for (`stuck`), or is
passed over (`sound`).
"""

import json
import sys
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def show(price, mode):
    if mode == "soft":
        print(price["price"])
    elif "price" not in price and mode == "stuck":
        time.sleep(3600)


def follow(url, mode):
    with connect(url, proxy=None, close_timeout=1) as socket:
        for message in socket:
            if message.startswith("0"):
                socket.send("40")
            elif message == "2":
                socket.send("3")
            elif message.startswith("42"):
                show(json.loads(message[2:])[1], mode)


where = sys.stdin.readline().strip().replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
while True:
    try:
        follow(where, sys.argv[1])
    except (ConnectionClosed, OSError):
        time.sleep(0.01)

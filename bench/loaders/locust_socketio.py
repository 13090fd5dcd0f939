"""Locust's own Socket.IO user: a connection each, its latency fired as a request event for every price.

Says how many it received in the file $BENCH_COUNT, a few times a second, with its clocks at that instant.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import gevent
from locust import events, task
from locust.contrib.socketio import SocketIOUser

EVERY = 0.25  # seconds

received = 0


class Subscriber(SocketIOUser):
    """Subscribes and stays."""

    def on_start(self) -> None:
        """Join and subscribe."""
        self.sio.on("price:update", self.take)
        self.sio.connect(self.host, transports=["websocket"])
        self.sio.emit("price:subscribe", ["BTC/USDT"])

    def take(self, price: dict[str, Any]) -> None:
        """One price."""
        global received
        received += 1
        self.environment.events.request.fire(
            request_type="WSR",
            name="price:update",
            response_time=time.time() * 1000 - price["timestamp"],
            response_length=0,
            exception=None,
            context={},
        )

    @task
    def stay(self) -> None:
        """Until the end."""
        gevent.sleep(3600)


@events.test_start.add_listener
def count(**_: Any) -> None:
    """Begin to say how many."""
    gevent.spawn(tell, Path(os.environ["BENCH_COUNT"]))


def tell(file: Path) -> None:
    """Whole or not at all: whoever reads may come at any time."""
    while True:
        told = {"at": time.monotonic(), "messages": received, "cpu": time.process_time()}
        beside = file.with_suffix(".new")
        beside.write_text(json.dumps(told))
        beside.replace(file)
        gevent.sleep(EVERY)

"""A locustfile as people write theirs; what it does is checked by test_locustfile.py."""

import os
import signal

import gevent
from locust import constant, events, task

from wsctl.load import locustfile
from wsctl.load.locustfile import FeedUser, TargetError, UsageError


class Trader(FeedUser):
    wait_time = constant(0.1)

    def on_start(self) -> None:
        self.connect()
        assert self.subscribe("BTC/USDT", "ETH/USDT")["subscribed"]

    @task
    def look_elsewhere(self) -> None:
        self.unsubscribe("ETH/USDT")
        self.subscribe("ETH/USDT")

    @task
    def ask_for_the_time(self) -> None:
        assert self.emit("time:sync", {"t0": 1})["serverTime"] > 0


class Clumsy(FeedUser):
    wait_time = constant(0.1)

    @task
    def do_everything_wrong(self) -> None:
        for attempt in (
            lambda: self.subscribe("BTC/USDT"),
            lambda: self.connect(token="forged"),
            self.connect,
            lambda: self.subscribe("NO/SUCH"),
            lambda: self.emit("time:sync", timeout=0.001),
        ):
            try:
                attempt()
            except (TargetError, UsageError) as error:
                print(f"raised: {error.message}", flush=True)
        self.leave(polite=False)


class Hasty(FeedUser):
    wait_time = constant(0.1)

    def on_start(self) -> None:
        self.connect()

    @task
    def be_told_that_it_is_late(self) -> None:
        self.emit("time:sync", timeout=1e-6)

    @task
    def lose_patience_by_itself(self) -> None:
        with gevent.Timeout(1e-6, False):
            self.emit("bots", timeout=3600)


class Raw(FeedUser):
    wait_time = constant(0.1)
    dialect = "binance"

    def on_start(self) -> None:
        self.connect()
        self.subscribe("btcusdt@trade")

    @task
    def look_elsewhere(self) -> None:
        self.subscribe("ethusdt@trade")
        self.unsubscribe("ethusdt@trade")


def kill_shards(**_: object) -> None:
    for link in locustfile._links.values():
        os.kill(link.pid, signal.SIGKILL)


if "BREAK" in os.environ:
    events.spawning_complete.add_listener(kill_shards)

"""The crowd: one process that opens thousands of connections as fast as the server takes them, then listens.

Each connection joins, subscribes one of the symbols and counts as open once it received a price. Prices are
paused while they open; then it looks at the idle server, lets the prices go on and measures one window.
Prints one line of JSON.
"""

import argparse
import asyncio
import gc
import json
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from typing import Any

import psutil
import uvloop
from picows import WSFrame, WSMsgType, WSTransport

from bench.contenders import SYMBOLS
from bench.latency import Latencies
from bench.receivers import (
    PATIENCE,
    SHORTEST_PRICE,
    Client,
    Meter,
    ReceiverError,
    Tally,
    connect,
    instant,
    machine_cpu,
    own_cpu,
    summary,
)

LEAN = {"use_aiofastnet": False, "read_buffer_init_size": 1024, "websocket_handshake_timeout": None}
"""picows' cheapest connections: a crowd must not be what limits the server"""


class Subscriber(Client):
    """One of the crowd."""

    def __init__(self, tally: Tally, latencies: Latencies, symbol: str) -> None:
        super().__init__(tally, raw=False, subscribe=f'42["price:subscribe",["{symbol}"]]'.encode())
        self.latencies = latencies
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Count a price and take the latency of every k-th of all; leave the rest to the protocol."""
        if not self._subscribed or frame.payload_size < SHORTEST_PRICE or frame.msg_type != WSMsgType.TEXT:
            self._answer(transport, frame)
            return
        self.received += 1
        self.tally.messages += 1
        self.tally.bytes += frame.payload_size
        if self.latencies.open:
            if self.tally.messages % self.latencies.every == 0:
                self.latencies.add(frame.get_payload_as_memoryview())
        elif not self.opened.done():
            self.opened.set_result(None)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Remember that this one is gone."""
        super().on_ws_disconnected(transport)
        if not self.opened.done():
            self.opened.set_exception(ReceiverError(f"refused or cut while opening: {self.lost}"))


class Crowd:
    """All connections, and what they received together."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.tally = Tally()
        self.latencies = Latencies(options.every)
        self.members: list[Subscriber] = []

    async def open(self) -> None:
        """Open all, at most `in_flight` at a time between the first byte and the first price."""
        turns = iter([SYMBOLS[number % len(SYMBOLS)] for number in range(self.options.clients)])
        async with asyncio.TaskGroup() as group:
            for _ in range(self.options.in_flight):
                group.create_task(self._open_in_turn(turns))

    async def _open_in_turn(self, turns: Iterator[str]) -> None:
        for symbol in turns:
            async with asyncio.timeout(PATIENCE):
                member = await connect(self.options.url, partial(self._member, symbol), **LEAN)
                self.members.append(member)
                await member.opened

    def _member(self, symbol: str) -> Subscriber:
        return Subscriber(self.tally, self.latencies, symbol)

    def lost(self) -> int:
        """How many are gone."""
        return sum(member.lost is not None for member in self.members)


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Open, rest, measure."""
    meter, crowd = Meter(options.pid), Crowd(options)
    await asyncio.sleep(1 / options.rate + 0.5)  # every symbol has a price to push
    await control(options, "pause")
    found: dict[str, Any] = {"rss_empty": meter.rss()}
    found["opening"] = await opening(crowd, meter)
    await asyncio.sleep(options.idle)
    found["rss_idle"] = meter.rss()
    await control(options, "resume")
    await asyncio.sleep(options.warmup)
    found |= await window(crowd, meter)
    if crowd.latencies.snapshots or not crowd.tally.messages:
        raise ReceiverError("what was measured is not a stream of prices")
    return found


async def opening(crowd: Crowd, meter: Meter) -> dict[str, Any]:
    """Connections per second, and the CPU of both sides meanwhile."""
    gc.collect()
    gc.freeze()
    gc.disable()  # the crowd's own garbage collector would walk over all of them again and again
    before = (time.monotonic(), meter.cpu(), own_cpu(), machine_cpu())
    try:
        await crowd.open()
    except* (ReceiverError, TimeoutError) as group:
        first = group.exceptions[0]
        cause = f"{first}" or "no price received in time"
        raise ReceiverError(f"{len(crowd.members)} of {crowd.options.clients} opened: {cause}") from None
    after = (time.monotonic(), meter.cpu(), own_cpu(), machine_cpu())
    seconds, server, own, machine = (late - early for early, late in zip(before, after, strict=True))
    return {
        "seconds": seconds,
        "per_second": crowd.options.clients / seconds,
        "cpu_us": server / crowd.options.clients * 1e6,
        "server_share": server / seconds,
        "generator_share": own / seconds,
        "others_share": max(0.0, machine - server - own) / seconds,
    }


async def window(crowd: Crowd, meter: Meter) -> dict[str, Any]:
    """What everybody received in `seconds`, and the server's largest size in them."""
    options = crowd.options
    start = instant(crowd.tally, crowd.members, meter)
    crowd.latencies.open = True
    rss, deadline = meter.rss(), time.monotonic() + options.seconds
    while (left := deadline - time.monotonic()) > 0:
        await asyncio.sleep(min(1.0, left))
        rss = max(rss, meter.rss())
    crowd.latencies.open = False
    end = instant(crowd.tally, crowd.members, meter)
    return summary(start, end) | {
        "latency": crowd.latencies.summary(),
        "lost": crowd.lost(),
        "rss_load": rss,
    }


async def control(options: argparse.Namespace, what: str) -> None:
    """Pause or resume the prices."""

    def post() -> None:
        head = {"content-type": "application/json"}
        request = urllib.request.Request(f"{options.control}/control/{what}", b"{}", head)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            answer.read()

    await asyncio.to_thread(post)


def main() -> None:
    """Print the measurement, or {"error"} when there is none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="WebSocket URL")
    parser.add_argument("--control", required=True, help="HTTP URL that answers /control")
    parser.add_argument("--pid", type=int, required=True, help="process of the server")
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="of one symbol")
    parser.add_argument("--every", type=int, required=True, help="messages to one that is parsed")
    for name in ("idle", "warmup", "seconds"):
        parser.add_argument(f"--{name}", type=float, required=True)
    try:
        result = uvloop.run(measure(parser.parse_args()))
    except (ReceiverError, psutil.Error, OSError) as error:
        result = {"error": str(error)}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()

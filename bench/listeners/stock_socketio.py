"""python-socketio's AsyncClient as a listener, on uvloop: sequence checked and latency counted in the leanest way."""

import argparse
import asyncio
import json
import resource
import time
from typing import Any

import socketio
import uvloop

from bench.listeners.arguments import PATIENCE, parse
from bench.receivers import own_cpu, wait_until
from wsctl.checks.latency import Histogram

AT_ONCE = 50  # connections being opened at a time


class Measures:
    """What all clients measured together."""

    def __init__(self) -> None:
        self.messages = 0
        self.missing = 0
        self.latencies: dict[int, int] = {}
        """by 10 µs, which costs less than a histogram"""


class Listener:
    """One client."""

    def __init__(self, measures: Measures) -> None:
        self.received = 0
        self._measures = measures
        self._last: dict[str, int] = {}
        self.sio = socketio.AsyncClient(reconnection=False)
        self.sio.on("price:update", self._take)

    async def connect(self, url: str, symbol: str) -> None:
        """Join and subscribe."""
        await self.sio.connect(url, transports=["websocket"])
        await self.sio.emit("price:subscribe", [symbol])

    def _take(self, price: dict[str, Any]) -> None:
        now = time.time()
        measures, channel, seq = self._measures, price["channel"], price["seq"]
        measures.messages += 1
        self.received += 1
        last = self._last.get(channel)
        if last is not None and seq > last + 1:
            measures.missing += seq - last - 1
        self._last[channel] = seq
        if "snapshot" not in price:
            step = int((now - price["timestamp"] / 1000) * 100_000)
            measures.latencies[step] = measures.latencies.get(step, 0) + 1


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Connect, warm up, and measure one window."""
    measures = Measures()
    listeners = [Listener(measures) for _ in range(options.clients)]
    symbols, gate = options.symbols.split(","), asyncio.Semaphore(AT_ONCE)

    async def connect(number: int, listener: Listener) -> None:
        async with gate:
            await listener.connect(options.url, symbols[number % len(symbols)])

    began = time.monotonic()
    await asyncio.gather(*(connect(number, listener) for number, listener in enumerate(listeners)))
    opened_per_s = options.clients / (time.monotonic() - began)
    await wait_until(lambda: all(listener.received for listener in listeners), PATIENCE, 0.05)
    await asyncio.sleep(options.warmup)
    measures.latencies.clear()
    at, cpu, messages = time.monotonic(), own_cpu(), measures.messages
    await asyncio.sleep(options.seconds)
    histogram = Histogram()
    result = {
        "seconds": time.monotonic() - at,
        "messages": measures.messages - messages,
        "cpu_seconds": own_cpu() - cpu,
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "receiving": sum(listener.received > 0 for listener in listeners),
        "opened_per_s": opened_per_s,
        "missing": measures.missing,
    }
    for step, count in measures.latencies.items():
        histogram.record_many(step / 100_000, count)
    await asyncio.gather(*(listener.sio.disconnect() for listener in listeners))
    return {**result, "p50": histogram.percentile(50), "p95": histogram.percentile(95)}


def main() -> None:
    """Print the measurement, or {"error"} when there is none."""
    try:
        result = uvloop.run(measure(parse(__doc__)))
    except (socketio.exceptions.ConnectionError, OSError) as error:
        result = {"error": str(error)}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()

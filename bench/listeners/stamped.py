"""Receives from raw sockets, and takes the time from each price's stamp to its receipt. Prints one line of JSON."""

import argparse
import asyncio
import gc
import json

import psutil
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport

from bench.latency import Latencies
from bench.receivers import AT_ONCE, Meter, ReceiverError, Tally, all_receive, connect, instant, summary


class Receiver(WSListener):
    """One connection."""

    lost: str | None = None

    def __init__(self, tally: Tally, latencies: Latencies) -> None:
        self.received = 0
        self._tally = tally
        self._latencies = latencies

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Count, and take the latency."""
        if frame.msg_type != WSMsgType.TEXT:
            return
        self.received += 1
        self._tally.messages += 1
        self._tally.bytes += frame.payload_size
        if self._latencies.open:
            self._latencies.add(frame.get_payload_as_memoryview())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """It should not be."""
        self.lost = self.lost or "connection lost"


async def measure(options: argparse.Namespace) -> dict[str, object]:
    """Connect, warm up, and measure one window."""
    tally, latencies, meter, beside = Tally(), Latencies(1), Meter(options.pid), Meter(options.beside)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> Receiver:
        async with gate:
            return await connect(options.url, lambda: Receiver(tally, latencies))

    clients = await asyncio.gather(*(one() for _ in range(options.clients)))
    await all_receive(clients)
    gc.collect()
    gc.disable()
    await asyncio.sleep(options.warmup)
    latencies.open = not options.unstamped
    start, before = instant(tally, clients, meter), beside.cpu()
    await asyncio.sleep(options.seconds)
    end, after = instant(tally, clients, meter), beside.cpu()
    latencies.open = False
    found = summary(start, end)
    if options.beside != options.pid:
        found["others_share"] = max(0.0, found["others_share"] - (after - before) / found["seconds"])
    lost = sum(client.lost is not None for client in clients)
    return found | {"lost": lost, "latency": latencies.summary()}


def main() -> None:
    """Print the measurement, or {"error"} when there is none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="WebSocket URL")
    parser.add_argument("--pid", type=int, required=True, help="process whose CPU is measured")
    parser.add_argument("--beside", type=int, required=True, help="another process that belongs to it; or the same")
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--warmup", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--unstamped", action="store_true", help="count only")
    try:
        result = uvloop.run(measure(parser.parse_args()))
    except (ReceiverError, psutil.Error, OSError) as error:
        result = {"error": str(error)}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()

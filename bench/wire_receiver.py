"""The byte counter: one process with N hand-written clients (wire.py), measuring one window of `wsctl serve`.

Prints one line of JSON: bytes on the wire in both directions, latency, and the server's CPU.
"""

import argparse
import asyncio
import gc
import json
from typing import Any

import psutil
import uvloop

from bench.contenders import SYMBOLS
from bench.latency import Latencies
from bench.receivers import AT_ONCE, Meter, ReceiverError, all_receive, burst_end, instant, summary
from bench.wire import CARRIERS, HEADS, Setting

AUTH = {"full": "", "compact": '{"format":"compact"}'}


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Connect, warm up, and measure one window."""
    meter = Meter(options.pid)
    setting = Setting(options.url, options.heads, AUTH[options.form], options.deflate, options.rtt / 1000)
    setting.latencies = Latencies(options.every)
    clients = await connect_all(setting, options)
    await all_receive(clients)
    gc.collect()
    gc.disable()
    period = 1 / options.rate / options.symbols
    await asyncio.sleep(options.warmup)
    await burst_end(setting.tally, period)
    start, polls = instant(setting.tally, clients, meter), setting.polls
    setting.latencies.open = True
    await asyncio.sleep(options.seconds - 0.5 * period)  # burst_end waits for the rest
    await burst_end(setting.tally, period)
    end, polls = instant(setting.tally, clients, meter), setting.polls - polls
    return summary(start, end) | {
        "latency": setting.latencies.summary(),
        "polls": polls,
        "rss": meter.rss(),
        "lost": sum(client.lost is not None for client in clients),
        "cause": next((client.lost for client in clients if client.lost), None),
    }


async def connect_all(setting: Setting, options: argparse.Namespace) -> list[Any]:
    """Open the connections, some at a time, the symbols in turn."""
    make = CARRIERS[options.carrier]
    clients = [make(setting, SYMBOLS[number % options.symbols]) for number in range(options.clients)]
    gate = asyncio.Semaphore(AT_ONCE)

    async def start(client: Any) -> None:
        async with gate:
            await client.start()

    await asyncio.gather(*map(start, clients))
    return clients


def main() -> None:
    """Print the measurement, or {"error"} when there is none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="HTTP URL")
    parser.add_argument("--pid", type=int, required=True, help="process of the server")
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="of one symbol")
    parser.add_argument("--symbols", type=int, default=1)
    parser.add_argument("--carrier", choices=CARRIERS, default="websocket")
    parser.add_argument("--heads", choices=HEADS, default="bare")
    parser.add_argument("--form", choices=AUTH, default="full")
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--rtt", type=float, default=0.0, help="pretended, in milliseconds")
    parser.add_argument("--every", type=int, required=True, help="messages to one that is parsed")
    parser.add_argument("--warmup", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    try:
        result = uvloop.run(measure(parser.parse_args()))
    except (ReceiverError, psutil.Error, OSError, EOFError) as error:
        result = {"error": str(error)}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()

"""A feed that never waits: so many numbered prices a second to one Socket.IO client, as soon as it subscribes.

Says `began` and `sent N` on stdout. What a slow client does not take is not dropped: then the rate is missed.
"""

import argparse
import asyncio
import json
import sys
import time
from functools import partial
from pathlib import Path

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bench.servers.price import EVENT, payload, write_ready

STEP = 0.002
"""seconds between two bursts"""
HANDSHAKE = {"sid": "b", "upgrades": [], "pingInterval": 25000, "pingTimeout": 60000, "maxPayload": 1000000}


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--ready-file", type=Path, required=True)
    uvloop.run(run(parser.parse_args()))


async def run(options: argparse.Namespace) -> None:
    """Take one client after the other."""
    take = partial(blast, rate=options.rate, total=round(options.rate * options.seconds))
    async with serve(take, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        write_ready(options.ready_file, server.sockets[0].getsockname()[1])
        await asyncio.Future()


async def blast(client: ServerConnection, *, rate: int, total: int) -> None:
    """Join it, wait for its subscription, and send."""
    await client.send("0" + json.dumps(HANDSHAKE))
    await client.recv()
    await client.send('40{"sid":"c"}')
    asked = str(await client.recv())
    await client.send(f'43{asked[2 : asked.index("[")]}[{{"ok":true}}]')
    tell("began")
    start, sent = time.monotonic(), 0
    try:
        while sent < total:
            due = min(total, int((time.monotonic() - start) * rate))
            for seq in range(sent + 1, due + 1):
                await client.send("42" + json.dumps([EVENT, payload(seq, 0.0)], separators=(",", ":")))
            sent = due
            await asyncio.sleep(STEP)
        tell(f"sent {sent} {time.monotonic() - start:.3f}")
        await client.wait_closed()
    except ConnectionClosed:
        tell(f"sent {sent} {time.monotonic() - start:.3f}")


def tell(text: str) -> None:
    """To the runner."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

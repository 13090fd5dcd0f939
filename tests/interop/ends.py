"""One python-socketio client that subscribes once and tells on stdout, a line of JSON per event, what becomes of it.

It has nothing else to do: where the library stays away, the program ends. Over polling that takes it more than a
minute (the library waits for its own writer), so that its word for it, the event `__disconnect_final`, is told, too.

    python ends.py AsyncClient|Client URL TRANSPORT TOKEN
"""

import asyncio
import json
import sys
from typing import Any

import socketio

QUICK = {"reconnection_delay": 0.05, "reconnection_delay_max": 0.2, "randomization_factor": 0, "handle_sigint": False}


def tell(event: str, *facts: Any) -> None:
    """Print a line, whole, whichever thread it comes from."""
    sys.stdout.write(json.dumps([event, *facts]) + "\n")
    sys.stdout.flush()


def listen(client: Any) -> None:
    """Tell of every end, and of the delays that the library has unless told otherwise."""
    usual = type(client)(handle_sigint=False)
    tell("delays", usual.reconnection_delay, usual.reconnection_delay_max, usual.reconnection_attempts or None)
    client.on("connection:closing", lambda word: tell("connection:closing", word))
    client.on("disconnect", lambda reason: tell("disconnect", reason))
    client.on("__disconnect_final", lambda: tell("final"))


async def run_async(url: str, transport: str, token: str) -> None:
    """Live with the asyncio client."""
    client = socketio.AsyncClient(**QUICK)
    listen(client)
    await client.connect(url, transports=[transport], auth={"token": token})
    await client.call("price:subscribe", ["BTC/USDT"])

    async def come_back() -> None:  # answered on a later connection: what the library repeats by itself came before
        await client.call("time:sync")
        tell("back")

    client.on("connect", lambda: client.start_background_task(come_back) and None)
    tell("subscribed")
    await client.wait()


def run_sync(url: str, transport: str, token: str) -> None:
    """Live with the synchronous client."""
    client = socketio.Client(**QUICK)
    listen(client)
    client.connect(url, transports=[transport], auth={"token": token})
    client.call("price:subscribe", ["BTC/USDT"])

    def come_back() -> None:
        client.call("time:sync")
        tell("back")

    client.on("connect", lambda: client.start_background_task(come_back) and None)
    tell("subscribed")
    client.wait()


if __name__ == "__main__":
    kind, *target = sys.argv[1:]
    if kind == "AsyncClient":
        asyncio.run(run_async(*target))
    else:
        run_sync(*target)

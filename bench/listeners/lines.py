"""The least that a recorder can do: aiohttp's WebSocket on uvloop, each message a line with its time, no check at all.

python -m bench.listeners.lines URL FILE
"""

import json
import sys
import time
from pathlib import Path

import aiohttp
import uvloop


async def main(url: str, file: Path) -> None:
    """Join, subscribe, and write until the server or SIGTERM ends it."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket", max_msg_size=0) as socket,
    ):
        await socket.receive()
        await socket.send_str("40")
        await socket.receive()
        await socket.send_str('420["price:subscribe",["BTC/USDT"]]')
        with file.open("w", buffering=1) as lines:
            async for message in socket:
                lines.write(json.dumps({"at": time.monotonic_ns(), "text": message.data}) + "\n")
                if message.data == "2":
                    await socket.send_str("3")


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2])))

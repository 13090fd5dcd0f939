"""A WebSocket client on aiohttp, of whatever version PYTHONPATH holds, that comes back. It is told where on stdin."""

import asyncio
import contextlib
import sys

import aiohttp


async def main(url: str) -> None:
    """Connect again and again."""
    async with aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.ws_connect(url) as ws:
                    async for _ in ws:
                        pass
            await asyncio.sleep(0.05)


asyncio.run(main(f"{sys.stdin.readline().strip()}/ws"))

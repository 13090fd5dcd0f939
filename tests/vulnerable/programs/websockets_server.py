"""An echo on websockets. [PORT]: it prints which."""

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, serve


async def echo(ws: ServerConnection) -> None:
    """Say everything back."""
    async for message in ws:
        await ws.send(message)


async def main(port: int) -> None:
    """Serve until killed."""
    async with serve(echo, "127.0.0.1", port) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.wait_closed()


asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 0))

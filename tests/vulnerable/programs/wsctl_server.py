"""What `wsctl serve --compress` runs. [PORT]: it prints which."""

import asyncio
import sys

import uvloop

from wsctl.server.app import MockFeed
from wsctl.server.options import ServeOptions


async def main(port: int) -> None:
    """Serve until killed."""
    async with MockFeed(ServeOptions(port=port, compress=True)) as feed:
        print(feed.url.rpartition(":")[2], flush=True)
        await asyncio.Event().wait()


uvloop.run(main(int(sys.argv[1]) if sys.argv[1:] else 0))

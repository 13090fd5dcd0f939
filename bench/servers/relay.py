"""Bytes from one socket to the other, unread: the least that a proxy on uvloop can do."""

import argparse
import asyncio
from pathlib import Path
from typing import cast

import uvloop

from bench.servers.price import write_ready


class Side(asyncio.Protocol):
    """One socket; what it says is written to the other, without regard to whether that keeps up."""

    def __init__(self) -> None:
        self.other: asyncio.Transport | None = None
        self.waiting = b""
        """what was said before there was another"""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Known from now on."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """On to the other."""
        if self.other is None:
            self.waiting += data
        else:
            self.other.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        """So is the other's."""
        if self.other is not None:
            self.other.close()


class Front(Side):
    """A client's."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self.upstream = host, port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the server."""
        super().connection_made(transport)
        self.connecting = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        self.other, back = await asyncio.get_running_loop().create_connection(Side, *self.upstream)
        back.other = self.transport
        self.other.write(self.waiting)


async def run(options: argparse.Namespace) -> None:
    """Relay until ended."""
    host, _, port = options.upstream.rpartition("//")[2].partition(":")
    server = await asyncio.get_running_loop().create_server(
        lambda: Front(host, int(port)), "127.0.0.1", 0, backlog=4096
    )
    write_ready(options.ready_file, server.sockets[0].getsockname()[1])
    await asyncio.Future()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--ready-file", type=Path, required=True)
    uvloop.run(run(parser.parse_args()))

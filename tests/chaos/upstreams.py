"""Servers behind a proxy that do byte by byte what a test says, and clients of the same kind."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.server.served import HANDSHAKE

SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Handler = Callable[[Reader, Writer], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that serves each connection so; its URL."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionResetError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def dialled(url: str) -> AsyncIterator[tuple[Reader, Writer]]:
    """A connection to a URL."""
    host, _, port = url.partition("://")[2].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def websocket_by_hand(url: str, *, target: str = "/ws", more: str = "") -> AsyncIterator[tuple[Reader, Writer]]:
    """A WebSocket whose 101 was read."""
    async with dialled(url) as (reader, writer):
        writer.write(HANDSHAKE.format(target=target, more=more).encode())
        assert (await head_of(reader)).startswith(b"HTTP/1.1 101 ")
        yield reader, writer


async def head_of(reader: Reader) -> bytes:
    """A head, with its empty line."""
    return await reader.readuntil(b"\r\n\r\n")


async def take_websocket(reader: Reader, writer: Writer) -> bytes:
    """Answer a handshake; its head."""
    head = await head_of(reader)
    writer.write(SWITCHING)
    return head


async def rest_of(reader: Reader) -> tuple[bytes, str]:
    """What comes until the end, and how that is: `fin` or `rst`."""
    came = bytearray()
    try:
        while data := await reader.read(65536):
            came += data
    except ConnectionResetError:
        return bytes(came), "rst"
    return bytes(came), "fin"

"""A feed written by hand, byte by byte: what it says is up to the test."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.frames import Frame, Opcode

OPEN = '0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Line:
    """One connection of a client, upgraded."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.number = 0
        """the how manieth connection it is, from 1"""

    async def upgrade(self) -> None:
        """Answer the handshake."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        key = next(
            line.partition(b": ")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest())
        self.writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    def send(self, *packets: str | bytes) -> None:
        """Send packets, a frame each. Raises ConnectionError when the client is gone."""
        if self.writer.is_closing():
            raise ConnectionResetError
        for packet in packets:
            self.writer.write(frame(packet))

    async def read(self) -> tuple[int, bytes]:
        """Opcode and data of the client's next frame. Raises IncompleteReadError at the end."""
        first, length = await self.reader.readexactly(2)
        assert length & 128, "a client must mask"
        size = length & 127
        if size >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8))
        mask = await self.reader.readexactly(4)
        data = await self.reader.readexactly(size)
        return first & 15, bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))

    async def text(self) -> str:
        """The client's next packet."""
        opcode, data = await self.read()
        assert opcode == Opcode.TEXT, (opcode, data)
        return data.decode()

    async def join(self, open_packet: str = OPEN) -> str:
        """Open, let in, and acknowledge the subscription; the CONNECT packet."""
        self.send(open_packet)
        connect = await self.text()
        assert connect.startswith("40")
        self.send('40{"sid":"x"}')
        assert (await self.text()).startswith('420["price:subscribe"')
        self.send('430[{"ok":true}]')
        return connect

    async def close_code(self) -> int | None:
        """Read on until the client closes; its code, None for none."""
        try:
            while True:
                opcode, data = await self.read()
                if opcode == Opcode.CLOSE:
                    return int.from_bytes(data[:2])
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def gone(self) -> None:
        """Read on until the client is gone."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass


def frame(data: str | bytes, *, fin: bool = True, opcode: int | None = None) -> bytes:
    """One frame as servers send them."""
    kind = Opcode(opcode) if opcode is not None else Opcode.TEXT if isinstance(data, str) else Opcode.BINARY
    body = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return Frame(kind, body, fin).serialize(mask=False)


Serve = Callable[[Line], Awaitable[None]]


@asynccontextmanager
async def stranger(serve: Serve, *, upgrade: bool = True) -> AsyncIterator[str]:
    """The URL of a server that does `serve` with each connection; what that raises, the test raises."""
    lines: set[asyncio.Task[Any]] = set()
    errors: list[BaseException] = []
    count = 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        line = Line(reader, writer)
        line.number = count
        task = asyncio.current_task()
        assert task is not None
        lines.add(task)
        try:
            if upgrade:
                await line.upgrade()
            await serve(line)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the swarm has left, or the test is over
        except Exception as error:
            errors.append(error)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in lines:
            task.cancel()
        await asyncio.gather(*lines, return_exceptions=True)
    if errors:
        raise errors[0]

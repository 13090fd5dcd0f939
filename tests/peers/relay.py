"""A TCP relay that spoils what passes: it blocks WebSocket handshakes, or stops forwarding without a word."""

import asyncio
from typing import Self

from tests.peers.background import Background

FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Relay:
    """A TCP relay to a port. `block` says what becomes of WebSocket handshakes: None, `403`, `reset` or `hang`."""

    def __init__(self, background: Background, upstream: int, *, block: str | None = None, port: int = 0) -> None:
        self._background = background
        self._upstream = upstream
        self.block = block
        self.port = port
        self.blocked = 0
        """handshakes spoilt so far"""
        self._gates: set[asyncio.Event] = set()
        """one per connection; shut, nothing passes on it"""
        self._writers: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        self._background.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._background.run(self._stop())

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def stall(self) -> None:
        """From now on nothing passes on the connections there are, and nobody is told; new ones work."""
        self._background.run(self._set_gates(False))

    def go_on(self) -> None:
        """Everything held back passes after all."""
        self._background.run(self._set_gates(True))

    async def _set_gates(self, open_them: bool) -> None:
        for gate in self._gates:
            gate.set() if open_them else gate.clear()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "localhost", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        if len({socket.getsockname()[1] for socket in self._server.sockets}) > 1:  # both loopbacks, two ports
            self._server.close()
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gate = asyncio.Event()
        gate.set()
        self._gates.add(gate)
        self._writers.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if self.block is not None and b"upgrade: websocket" in head.lower():
                await self._spoil(writer)
                return
            up_reader, up_writer = await self._connect_upstream(head, writer)
            self._writers.add(up_writer)
            await asyncio.gather(self._pipe(reader, up_writer, gate), self._pipe(up_reader, writer, gate))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._gates.discard(gate)
            writer.transport.abort()

    async def _connect_upstream(
        self, head: bytes, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, up_writer = await asyncio.open_connection("localhost", self._upstream)
        up_writer.write(head)
        return reader, up_writer

    async def _spoil(self, writer: asyncio.StreamWriter) -> None:
        self.blocked += 1
        if self.block == "403":
            writer.write(FORBIDDEN)
            await writer.drain()
            await asyncio.sleep(0.2)
        elif self.block == "hang":
            await asyncio.Event().wait()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event) -> None:
        try:
            while data := await reader.read(65536):
                await gate.wait()
                writer.write(data)
        except OSError:
            pass
        await gate.wait()
        writer.transport.abort()

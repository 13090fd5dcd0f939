"""Raw feeds for swarms to listen to: a dialect's own server side on a real WebSocket, with a ledger of what it sent."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from wsctl.wire.dialect import Asked, Dialect, Reply, ServerSession


class RawFeed:
    """What it sends is up to the test: `publish`. Subscriptions are honoured."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.url = ""
        self.sent: Counter[str] = Counter()
        """messages handed to clients, by channel"""
        self.received: list[str | bytes] = []
        """frames of clients, in their order"""
        self.paths: list[str] = []
        """that connections asked for, and their headers"""
        self.headers: list[dict[str, str]] = []
        self.welcome: list[tuple[str, Any]] = []
        """told to whoever subscribes to such a channel"""
        self.connections: dict[ServerConnection, tuple[ServerSession, set[str]]] = {}

    def listening(self, channel: str) -> list[ServerConnection]:
        """Who subscribed to a channel."""
        return [one for one, (_, channels) in self.connections.items() if channel in channels]

    async def publish(self, channel: str, payload: Any, *, to: int | None = None) -> None:
        """Send a message to who subscribed to its channel, or to the first so many."""
        for connection in self.listening(channel)[:to]:
            await self._send(connection, channel, payload)

    async def cut(self) -> None:
        """Cut everybody off without a word."""
        for connection in list(self.connections):
            connection.transport.abort()

    async def answer(self, connection: ServerConnection) -> None:
        """One connection, to its end."""
        assert connection.request is not None
        self.paths.append(connection.request.path)
        self.headers.append(dict(connection.request.headers.raw_items()))
        session, channels = self.dialect.server(connection.request.path), set[str]()
        self.connections[connection] = session, channels
        try:
            await self._do(connection, session.open(), channels)
            async for frame in connection:
                self.received.append(frame)
                await self._do(connection, session.receive(frame), channels)
        except ConnectionClosed:
            pass
        finally:
            del self.connections[connection]

    async def _do(self, connection: ServerConnection, said: list[Asked | Reply], channels: set[str]) -> None:
        for one in said:
            if isinstance(one, Reply):
                await connection.send(one.frame)
            elif one.subscribe:
                channels.update(one.channels)
                for channel, payload in self.welcome:
                    if channel in one.channels:
                        await self._send(connection, channel, payload)
            else:
                channels.difference_update(one.channels)

    async def _send(self, connection: ServerConnection, channel: str, payload: Any) -> None:
        session, _ = self.connections[connection]
        await connection.send(session.publish(channel, payload))
        self.sent[channel] += 1


@asynccontextmanager
async def raw_feed(dialect: Dialect) -> AsyncIterator[RawFeed]:
    """A feed that listens, in the dialect."""
    feed = RawFeed(dialect)
    async with serve(feed.answer, "127.0.0.1", 0) as server:
        feed.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ws"
        yield feed

"""A chaos proxy before a server, and what its faults did."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.server.served import BTC, SYMBOLS, WebSocketPeer, feed
from wsctl.chaos.asked import Asked, read_fault
from wsctl.chaos.fault import AnyFault
from wsctl.chaos.firing import Firing
from wsctl.chaos.proxy import Proxy
from wsctl.chaos.upstream import Upstream
from wsctl.client.target import Target
from wsctl.clock import SystemClock
from wsctl.model.channel import ticker
from wsctl.model.event import PRICE_UPDATE
from wsctl.server.app import MockFeed
from wsctl.wire.dialect import Dialect

SILENT = 0.001
"""updates a second: only what a test publishes"""


class Scene:
    """A proxy, the feed behind it (where it is ours), and what was told."""

    def __init__(self, proxy: Proxy, server: MockFeed | None, firings: list[Firing], said: list[str]) -> None:
        self.proxy = proxy
        self.server = server
        self.firings = firings
        self.said = said

    @property
    def url(self) -> str:
        """The proxy's."""
        return self.proxy.url

    @property
    def platform(self) -> Any:
        """The feed's."""
        assert self.server is not None
        return self.server.platform

    def add(self, text: str) -> AnyFault:
        """A fault as `--fault` has it."""
        return self.proxy.add(read_fault(text))

    def fault(self, name: str) -> AnyFault:
        """The fault of a name."""
        return next(fault for fault in self.proxy.faults if fault.name == name)

    def actions(self) -> list[str]:
        """What was done, in order."""
        return [firing.action for firing in self.firings]

    def publish(self, count: int, symbol: str = "BTC/USDT") -> None:
        """So many prices of a symbol."""
        for _ in range(count):
            price = {"symbol": symbol, "price": 1.5, "bid": 1.0, "ask": 2.0, "volume": 3.0}
            self.platform.hub.publish(ticker(symbol), PRICE_UPDATE, price)


def upstream(url: str, tls: Any = None) -> Upstream:
    """A server by its URL."""
    return Upstream(Target(url=url), tls)


@asynccontextmanager
async def proxied(
    url: str | Sequence[Upstream], *faults: str, seed: int = 7, dialect: Dialect | None = None, server: Any = None
) -> AsyncIterator[Scene]:
    """A proxy on a free port."""
    firings: list[Firing] = []
    said: list[str] = []
    wanted: list[Asked] = [read_fault(text) for text in faults]
    proxy = Proxy(
        [upstream(url)] if isinstance(url, str) else url,
        SystemClock(),
        seed=seed,
        host=None,
        port=0,
        dialect=dialect,
        faults=wanted,
        on_firing=firings.append,
        say=said.append,
    )
    async with proxy:
        yield Scene(proxy, server, firings, said)


@asynccontextmanager
async def harmed(*faults: str, seed: int = 7, **options: Any) -> AsyncIterator[Scene]:
    """A silent mock feed behind a proxy."""
    async with (
        feed(**{"rate": SILENT, **options}) as server,
        proxied(server.url, *faults, seed=seed, server=server) as it,
    ):
        yield it


async def subscribed(peer: WebSocketPeer, *symbols: str) -> None:
    """It listens, and what is pushed at once has come."""
    await peer.emit("price:subscribe", list(symbols or SYMBOLS))
    peer.events.clear()


def seqs(peer: WebSocketPeer, channel: str = BTC) -> list[int]:
    """The numbers that came of a channel."""
    return [payload["seq"] for payload in peer.of(channel)]

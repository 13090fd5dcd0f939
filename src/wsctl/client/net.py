"""The HTTP session that carries a connection: certificates, proxy, headers and cookies of a Target."""

import asyncio
from typing import Any

import aiohttp

from wsctl.client.causes import Trail
from wsctl.client.route import find_proxy, tls_context
from wsctl.client.target import Target


async def open_session(target: Target, trail: Trail) -> aiohttp.ClientSession:
    """A session for one connection. Raises UsageError for a proxy or certificate file that cannot be used."""
    proxy = find_proxy(target)
    # reading certificate authorities takes milliseconds of disk and CPU
    context = await asyncio.to_thread(tls_context, target) if target.secure else None
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context) if context else aiohttp.TCPConnector(),
        headers=list(target.headers),  # of every request: the library sends its own with the first one only
        cookie_jar=aiohttp.CookieJar(unsafe=True),  # sticky sessions of hosts named by address
        timeout=aiohttp.ClientTimeout(total=None),
        proxy=proxy,
        trace_configs=[trail.config()],
    )


class SharedSession:
    """A session lent to python-socketio's client, which asks it for WebSockets and for polls.

    A WebSocket is asked for at an http URL, as the protocol has it on the wire: through a proxy aiohttp would write
    `GET ws://…`, which proxies do not know. It never says that it is closed: the library would open one of its own.
    """

    closed = False

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def ws_connect(self, url: str, **options: Any) -> Any:
        """As the session's own."""
        return self._session.ws_connect(url.replace("ws", "http", 1), **options)

"""Upstream: a server behind the proxy."""

import asyncio
import ssl
from urllib.parse import urlsplit

from wsctl.chaos.heads import Head
from wsctl.chaos.names import is_own
from wsctl.chaos.side import Side
from wsctl.client.route import tls_context
from wsctl.client.target import Target

DIAL_TIMEOUT = 10.0
"""seconds to connect"""


class Upstream:
    """Where it is, and whether it takes anybody at the moment."""

    def __init__(self, target: Target, tls: ssl.SSLContext | None) -> None:
        parts = urlsplit(target.url)
        self.shown = target.shown
        self.is_up = True
        """a rolling restart takes it away for a while"""
        self.answers = True
        """whether the latest connection to it came up"""
        self._netloc = parts.netloc
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if target.secure else 80)
        self._origin = f"{'https' if target.secure else 'http'}://{parts.netloc}"
        self._tls = tls

    async def dial(self) -> Side:
        """A connection to it. Raises OSError, TimeoutError included."""
        async with asyncio.timeout(DIAL_TIMEOUT):
            _, side = await asyncio.get_running_loop().create_connection(
                Side, self._host, self._port, ssl=self._tls, server_hostname=self._host if self._tls else None
            )
        return side

    def addressed(self, head: Head, client: str, listening: str | None) -> Head:
        """A request of a client to a proxy that listens there, as if the client had come to this server.

        Where it names the proxy it is given the server's name: also as where a page is from that came through the
        proxy. Who asked is said (X-Forwarded-For): a server must not take all the world for its own machine.
        """
        given, host = {}, head.get("host")
        if is_own(host, listening):
            given["host"] = self._netloc
            if head.get("origin") in (f"http://{host}", f"https://{host}"):
                given["origin"] = self._origin
        forwarded = ", ".join(filter(None, (head.get("x-forwarded-for"), client)))
        changed = head.changed(without=("x-forwarded-for",), **given)
        return Head(changed.line, (*changed.fields, f"X-Forwarded-For: {forwarded}"))


async def open_upstream(target: Target) -> Upstream:
    """An upstream whose certificate is checked as the target says. Raises UsageError."""
    return Upstream(target, await asyncio.to_thread(tls_context, target) if target.secure else None)

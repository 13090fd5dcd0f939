"""Link: a Line that is dialled: it reads HTTP answers, and frames after a 101."""

import asyncio
import socket
import ssl
from urllib.parse import urlsplit

import httptools

from wsctl.client.route import tls_context
from wsctl.client.target import Target
from wsctl.fuzz.line import MAX_MESSAGE, Line
from wsctl.fuzz.steps import Frame, data

OPEN_TIMEOUT = 5.0
"""seconds to connect"""
MAX_HEAD = 1 << 18
"""bytes of an HTTP answer's head"""


class Link(Line):
    """One connection to the target. `status` and `headers` are of the HTTP answer."""

    def __init__(self) -> None:
        super().__init__(client=True)
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        """the names in small letters"""
        self.body = b""
        self.answers = 0
        """HTTP answers that are there as a whole"""
        self.engineio = False
        """whether its messages are Engine.IO packets, the heartbeat among them"""
        self._head = 0
        """bytes that came of heads, and of what stands behind a body in chunks"""
        self._parser = httptools.HttpResponseParser(self)

    async def answered(self, within: float) -> bool:
        """Wait for an HTTP answer; whether it came."""
        return await self.until(lambda: self.answers > 0, within)

    def _read_http(self, received: bytes) -> bytes:
        """Feed the parser; what it leaves is frames."""
        if self.status is None:
            self._head += len(received)
        if self._head > MAX_HEAD:
            self.close_reason = "a head without an end"
            self.abort()
            return b""
        try:
            self._parser.feed_data(received)
        except httptools.HttpParserUpgrade as upgrade:
            self.status = self._parser.get_status_code()
            self.upgraded = self.status == 101
            return received[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            self.close_reason = f"no HTTP: {error}"
            self.abort()
        return b""

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header of the answer."""
        if self.status is not None:
            self._head += len(name) + len(value)
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        self.body += body[: MAX_MESSAGE - len(self.body)]

    def on_message_complete(self) -> None:
        """It is there as a whole."""
        self.answers += 1

    def _hear(self, message: str | bytes) -> None:
        if not (self.engineio and message == "2"):
            super()._hear(message)
        else:
            self._answer(Frame(data=data("3")))


async def dial(target: Target, tls: ssl.SSLContext | None) -> Link:
    """A connection to the target's host. Raises OSError, TimeoutError included."""
    parts = urlsplit(target.url)
    host, port = parts.hostname or "", parts.port or (443 if target.secure else 80)
    try:
        async with asyncio.timeout(OPEN_TIMEOUT):
            transport, link = await asyncio.get_running_loop().create_connection(
                Link, host, port, ssl=tls, server_hostname=host if tls else None
            )
    except UnicodeError as error:  # of idna
        raise OSError(f"{host} is no host name") from error
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


async def context_of(target: Target) -> ssl.SSLContext | None:
    """How its certificate is checked; None without TLS. Raises UsageError."""
    return await asyncio.to_thread(tls_context, target) if target.secure else None


async def answers(target: Target, tls: ssl.SSLContext | None) -> bool:
    """Whether anything listens there."""
    try:
        link = await dial(target, tls)
    except OSError:
        return False
    link.abort()
    return True

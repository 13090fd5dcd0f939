"""The HTTP session that carries a connection: certificates, proxy, headers and cookies of a Target."""

import asyncio
import ipaddress
import ssl
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from wsctl.client.causes import Trail
from wsctl.client.target import Target
from wsctl.errors import UsageError


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


def tls_context(target: Target) -> ssl.SSLContext:
    """How the target's certificate is checked. Raises UsageError for a bad `cacert`."""
    if target.insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        return ssl.create_default_context(cafile=target.cacert)
    except ssl.SSLError as error:
        raise UsageError(f"--cacert {target.cacert} holds no certificate; expected a PEM file") from error
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        raise UsageError(f"--cacert {target.cacert} cannot be read: {cause}") from error


def find_proxy(target: Target) -> str | None:
    """The proxy that the environment names for a target, or None.

    aiohttp's own `trust_env` looks up `ws_proxy` for WebSocket URLs, which nobody sets, and ignores ALL_PROXY. A ws
    URL goes by HTTP_PROXY, a wss one by HTTPS_PROXY, as in browsers.
    """
    if target.direct:
        return None
    parts = urlsplit(target.url)
    proxies = getproxies()
    proxy = proxies.get("https" if target.secure else "http") or proxies.get("all")
    if not proxy or _goes_past(parts.netloc, parts.hostname or ""):
        return None
    scheme, separator, _ = proxy.partition("://")
    if separator and scheme not in ("http", "https"):
        raise UsageError(
            f"proxies of kind {scheme!r} are not supported; expected http or https",
            hint="NO_PROXY=host goes past it",
        )
    return proxy if separator else f"http://{proxy}"


def _goes_past(netloc: str, host: str) -> bool:
    """Whether NO_PROXY names the host; also as a network, such as 10.0.0.0/8, as curl and Go read it."""
    if proxy_bypass(netloc) or proxy_bypass(host):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _networks(getproxies().get("no", "")))


def _networks(text: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for part in text.split(","):
        if "/" in part:
            try:
                found.append(ipaddress.ip_network(part.strip(), strict=False))
            except ValueError:
                continue
    return found

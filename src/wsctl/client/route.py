"""How a target is reached: whose certificates are trusted, and through which proxy."""

import ipaddress
import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from wsctl.client.target import Target
from wsctl.errors import UsageError


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

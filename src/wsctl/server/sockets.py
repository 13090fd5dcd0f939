"""Listening sockets: bound before anything else, so that a port in use is one clear sentence."""

import asyncio
import contextlib
import errno
import ipaddress
import socket
import struct

from wsctl.errors import UsageError

LOOPBACKS = ("127.0.0.1", "::1")
BACKLOG = 4096
UNSENT_LIMIT = 128 * 1024
"""bytes per connection that the kernel takes without having sent them; else it hides megabytes of a slow reader"""
_TRIES = 20


def bind(host: str | None, port: int) -> list[socket.socket]:
    """Listen on a host; None: on both loopbacks, the same port, IPv4 first (`localhost` means either).

    Port 0 picks a free one. Raises UsageError when the address cannot be had.
    """
    if host is not None:
        return [_listen(host, port)]
    for _ in range(_TRIES):
        first = _listen(LOOPBACKS[0], port)
        chosen = first.getsockname()[1]
        try:
            return [first, _listen(LOOPBACKS[1], chosen)]
        except _NoSuchFamily:
            return [first]
        except UsageError:
            first.close()
            if port != 0:
                raise
    raise UsageError(f"no port is free on both loopbacks ({_TRIES} tries)", hint="name one with --port")


def is_loopback(host: str | None) -> bool:
    """Whether binding a host reaches this machine only."""
    if host is None or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def dialable(host: str, port: int) -> str:
    """Where a client of this machine reaches what listens there."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - a name for it, not a place to bind
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def linger(transport: asyncio.BaseTransport) -> None:
    """Make the coming close of a TCP socket a reset: SO_LINGER with zero seconds."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class _NoSuchFamily(UsageError):
    """The machine has no such address (no IPv6)."""


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _NoSuchFamily(f"cannot listen on {host}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeError as error:
        raise _NoSuchFamily(f"cannot listen on {host}: not a host name") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        with contextlib.suppress(OSError, AttributeError):  # connections inherit it; not every system has it
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_LIMIT)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise _cannot_listen(host, port, error) from error
    return sock


def _cannot_listen(host: str, port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(f"port {port} on {host} is already in use", hint="--port 0 picks a free one")
    if error.errno == errno.EACCES:
        return UsageError(f"port {port} on {host} is not for ordinary users", hint="take one above 1023")
    if error.errno == errno.EADDRNOTAVAIL:
        return _NoSuchFamily(f"{host} is not an address of this machine")
    return UsageError(f"cannot listen on {host}:{port}: {error.strerror}")

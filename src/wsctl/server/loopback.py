"""Loopback: what a browser says of where it came from and whom it addressed, and whether that is this machine.

A page of another site may have its own name point here (DNS rebinding): its requests come from this machine then, and
carry that name as their Host.
"""

import re

LOOPBACK_ORIGIN = re.compile(r"https?://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?")


def is_loopback_host(host: str | None) -> bool:
    """Whether a Host header addresses this machine as such."""
    return host is not None and is_loopback_origin(f"http://{host}")


def is_loopback_origin(origin: str) -> bool:
    """Whether an Origin header tells of a page that this machine served."""
    return LOOPBACK_ORIGIN.fullmatch(origin) is not None

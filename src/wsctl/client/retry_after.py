"""Retry-After: how long a server asks to be left alone (RFC 9110, 10.2.3)."""

import time
from email.utils import parsedate_to_datetime


def retry_after(value: str | None) -> float:
    """Seconds, of a header that says so or names a date; 0 where it says neither."""
    if value is None:
        return 0.0
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0

"""Retry-After: how long a server asks to be left alone (RFC 9110, 10.2.3)."""

import time
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST = 3600.0
"""seconds; who asks for more is asked again after so long: a mistake must not silence a client for ever"""


def retry_after(value: str | None) -> float:
    """Seconds, of a header that says so or names a date; 0 where it says neither, LONGEST where it says more."""
    text = "" if value is None else value.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), LONGEST)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    if when.tzinfo is None:  # asctime's format has no zone, and means GMT
        when = when.replace(tzinfo=UTC)
    return min(max(0.0, when.timestamp() - time.time()), LONGEST)

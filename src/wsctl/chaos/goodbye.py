"""Goodbye: the codes and reasons that a close frame may hold (RFC 6455, 5.5 and 7.4.1)."""

from wsctl.errors import UsageError

MAX_REASON = 123
"""bytes"""
_NEVER_SENT = {1005, 1006, 1015}


def check(code: int, reason: str = "") -> None:
    """Raises UsageError for what no close frame holds."""
    if code in _NEVER_SENT:
        raise UsageError(f"close code {code} never stands on the wire; the fault cut ends without one")
    if len(reason.encode()) > MAX_REASON:
        raise UsageError(f"a close reason of {len(reason.encode())} bytes; expected at most {MAX_REASON}")

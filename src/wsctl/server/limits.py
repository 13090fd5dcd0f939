"""How much a client may ask for, and how far it may fall behind."""

WRITE_LIMIT = 256 * 1024
"""bytes waiting for one reader past which it gets only the newest of each channel"""
CLOSE_LIMIT = 1024 * 1024
"""bytes waiting for one reader past which it is closed (answers to its own requests are never conflated)"""
STALL_LIMIT = 30.0
"""seconds for which a reader may stay behind before it is closed"""
NAME_LIMIT = 128
"""characters of the `client` in a handshake's auth; a longer one is ignored, as names outlive their connections"""


class Allowance:
    """A token bucket: so many events a second, and a second's worth at once."""

    __slots__ = ("_filled_at", "_left", "_rate")

    def __init__(self, rate: int, now: float) -> None:
        self._rate = rate
        self._left = float(rate)
        self._filled_at = now

    def take(self, now: float) -> bool:
        """Whether one more event is allowed; `now` in monotonic seconds."""
        self._left = min(self._rate, self._left + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

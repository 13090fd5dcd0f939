"""Whose clock latencies rest on: one for both sides, or two that are compared again and again.

An offset is as good as its bound when it is measured; from then on the clocks drift apart. So its bound grows with its
age, and gives way to a new one as soon as that is better.
"""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from wsctl.client.clock_offset import TOLERANCE, ClockOffset
from wsctl.client.target import Target

DRIFT: Final = 30e-6
"""seconds a second by which two clocks may drift apart: each by what NTP allows one that it keeps (RFC 5905, PHI)"""


class Basis(Struct, frozen=True):
    """What latencies rest on, in seconds."""

    offset: float
    """the feed's clock minus that of the process that measured, as of the latest comparison; latencies are corrected"""
    error: float
    """by how much latencies may be wrong at worst, over the whole time; 0: one clock"""


SAME_HOST: Final = Basis(0.0, 0.0)


class Clocks:
    """Ours and the feed's. `at` is in monotonic seconds."""

    def __init__(self, *, same_host: bool) -> None:
        self.offset: ClockOffset | None = None
        """to correct latencies by; None: there is one clock, or nothing is known"""
        self._same_host = same_host
        self._measured_at = 0.0
        self._worst = 0.0
        """error of offsets that were used before"""

    def add(self, measured: ClockOffset, at: float) -> bool:
        """Take in what was measured; whether it is what latencies rest on from now on."""
        if self._same_host and abs(measured.offset) <= TOLERANCE + measured.bound:
            return False
        self._same_host = False  # the feed is behind a tunnel that begins here
        if (held := self.offset) is not None:
            bound = held.bound + self._drifted(at)
            if abs(measured.offset - held.offset) > bound + measured.bound:  # a clock was set
                self._worst = max(self._worst, abs(measured.offset - held.correction) + measured.bound)
            elif measured.bound >= bound:
                return False
            else:
                self._worst = max(self._worst, self._error(held, at))
        self.offset, self._measured_at = measured, at
        return True

    def basis(self, at: float) -> Basis | None:
        """Of latencies so far; None: there is none, and latencies must not be told."""
        if self._same_host:
            return SAME_HOST
        if self.offset is None:
            return None
        return Basis(self.offset.offset, max(self._worst, self._error(self.offset, at)))

    def _error(self, held: ClockOffset, at: float) -> float:
        """What an offset is known to, and how much of it was too little to correct."""
        return held.bound + self._drifted(at) + abs(held.offset - held.correction)

    def _drifted(self, at: float) -> float:
        return (at - self._measured_at) * DRIFT


def is_loopback(target: Target) -> bool:
    """Whether the target is on this machine, by its address."""
    host = urlsplit(target.url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

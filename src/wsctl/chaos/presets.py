"""Presets: faults that go together under a name of what they resemble."""

from collections.abc import Mapping, Sequence

PRESETS: Mapping[str, Sequence[str]] = {
    # as in comcast's table of lines (tylertreat/comcast, README), the latency parted between the directions
    "wifi": (
        "delay:name=latency-down,delay=20ms,jitter=5ms",
        "delay:name=latency-up,delay=20ms,jitter=5ms,direction=up",
    ),
    "3g": (
        "delay:name=latency-down,delay=150ms,jitter=50ms",
        "delay:name=latency-up,delay=150ms,jitter=50ms,direction=up",
        "bandwidth:name=line-down,rate=97500",
        "bandwidth:name=line-up,rate=41250,direction=up",
    ),
    "flaky": (
        "delay:name=latency,delay=50ms,jitter=50ms",
        "drop:p=0.005",
        "duplicate:p=0.002",
        "flash:percent=20,outage=1s,at=20s,every=30s",
    ),
    # announced, then everybody out with 1012, then nobody in for a while
    "exchange-maintenance": (
        "close:code=1012,reason=maintenance,at=10s",
        "reject:status=503,retry_after=5,at=10s,for=15s",
    ),
}
"""by name, each fault as `--fault` has it"""

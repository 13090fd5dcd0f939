"""Durations as people write them: `500ms`, `10s`, `2m`, `1h`."""

import re

from wsctl.errors import UsageError

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)")


def parse_duration(text: str) -> float:
    """Read a duration; answers seconds.

    Raises UsageError for anything but a number with one of the units ms, s, m, h (a bare 0 needs none).
    """
    text = text.strip()
    if text == "0":
        return 0.0
    match = DURATION.fullmatch(text)
    if match is None:
        raise UsageError(f"bad duration {text!r}; expected a number and a unit, such as 500ms, 10s or 2m")
    return float(match[1]) * _SECONDS[match[2]]


def write_duration(seconds: float) -> str:
    """Write seconds as they are read: `500ms`, `90s`, `0`."""
    if seconds == 0:
        return "0"
    return f"{seconds:.10g}s" if seconds >= 1 else f"{seconds * 1000:.10g}ms"


def format_duration(seconds: float) -> str:
    """Write seconds as people read them: `250 ms`, `1.5 s`, `2 m 5 s`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest} s" if rest else f"{minutes} m"

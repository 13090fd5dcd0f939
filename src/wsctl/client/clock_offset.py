"""How far the server's clock is from ours, and what that means for a latency.

Each `time:sync` round trip bounds the offset to half its time either way (the answer was stamped somewhere
between sending and receiving); the shortest one bounds it best (Cristian's algorithm).
"""

from typing import Any, Protocol

from msgspec import Struct

from wsctl.checks.latency import LONGEST
from wsctl.client.losses import AckTimeout, Lost
from wsctl.clock import Clock

ROUNDS = 5
TOLERANCE = 0.005
"""seconds below zero up to which a latency is taken for zero: what two synchronised clocks may differ by"""

_MILLISECOND = 0.001


class ClockOffset(Struct, frozen=True):
    """Server clock minus ours, in seconds, give or take `bound`."""

    offset: float
    bound: float

    @property
    def correction(self) -> float:
        """Seconds to add to received − sent: the offset, or 0 when the clocks agree as far as can be seen."""
        return self.offset if abs(self.offset) > self.bound else 0.0

    def __str__(self) -> str:
        bound = f"± {self.bound * 1000:.1f} ms"
        if not self.correction:
            return f"the server's clock agrees with ours ({bound})"
        side = "ahead of" if self.offset > 0 else "behind"
        away = f"{abs(self.offset) * 1000:.1f} ms {side}"
        return f"the server's clock is {away} ours ({bound}); latencies are corrected"


class Asked(Protocol):
    """What can be asked: a Socket.IO connection, or whatever stands for one."""

    async def emit(self, event: str, *args: Any, timeout: float) -> list[Any]:  # noqa: ASYNC109
        """As of Emitting. Raises AckTimeout or Lost."""


async def measure(
    connection: Asked,
    clock: Clock,
    *,
    rounds: int = ROUNDS,
    timeout: float = 1.0,  # noqa: ASYNC109 (of each round trip)
) -> ClockOffset | None:
    """Ask the server for its time; the shortest of several round trips counts.

    None when it does not acknowledge `time:sync` with `{ok: true, serverTime}` (milliseconds) within
    `timeout` seconds, as feeds of others never do, or when the connection ends.
    """
    best: ClockOffset | None = None
    for _ in range(rounds):
        asked_at, started = clock.now(), clock.monotonic()
        try:
            answer = await connection.emit("time:sync", timeout=timeout)
        except (AckTimeout, Lost):
            break
        half = (clock.monotonic() - started) / 2
        server = _server_time(answer)
        if server is None:
            break
        seconds, resolution = server
        round_trip = ClockOffset(seconds - (asked_at + half), half + resolution)
        if best is None or round_trip.bound < best.bound:
            best = round_trip
    return best


def latency_ms(received_at: float, sent_at: float, offset: ClockOffset | None) -> float | None:
    """Milliseconds from sending to receiving, corrected by a known offset.

    A message cannot arrive before it was sent: below zero by less than the tolerance (or the offset's bound, if
    that is larger) it was quick, and 0; by more, the clocks cannot be compared, and it is None. So it is where a
    message would have taken longer than can be measured: it was recorded then.
    """
    latency = received_at - sent_at + (offset.correction if offset else 0.0)
    if latency >= LONGEST:
        return None
    if latency >= 0:
        return round(latency * 1000, 3)
    tolerance = max(TOLERANCE, offset.bound) if offset else TOLERANCE
    return 0.0 if latency >= -tolerance else None


def _server_time(answer: list[Any]) -> tuple[float, float] | None:
    """The server's time and the uncertainty of its rounding, both in seconds."""
    body = answer[0] if answer else None
    if not isinstance(body, dict) or body.get("ok") is not True:
        return None
    time = body.get("serverTime")
    if isinstance(time, bool) or not isinstance(time, int | float):
        return None
    return time * _MILLISECOND, _MILLISECOND / 2 if isinstance(time, int) else 0.0

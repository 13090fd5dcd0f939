"""What a message says about its place in a sequence, and how long a late one may take."""

from typing import Final

from wsctl.model import event
from wsctl.model.observation import Kind, Observation

WINDOW_MESSAGES: Final = 64
"""how many later messages may overtake one before it counts as lost"""
WINDOW_SECONDS: Final = 1.0
"""how long after a hole opened a message may still fill it"""

_SNAPSHOT: Final = "snapshot"


def is_control(observation: Observation) -> bool:
    """Whether it speaks about the connection and not about a channel: nobody expects it to be numbered."""
    if observation.seq is not None:
        return False
    name = observation.event
    return name in event.CONTROL or (observation.channel is None and name.startswith(event.CONNECTION))


def name_of(observation: Observation) -> str:
    """What it is reported under: its channel, or its event where a feed knows no channels."""
    return observation.event if observation.channel is None else observation.channel


def next_seq(heartbeat: Observation) -> int | None:
    """The `nextSeq` of a heartbeat: every seq below it was sent. None when malformed."""
    data = heartbeat.data
    return integer(data.get("nextSeq")) if isinstance(data, dict) else None


def left_out(skipped: Observation | event.Event) -> tuple[int, int] | None:
    """The first and last seq that a `channel:skipped` declares left out. None when malformed."""
    data = skipped.data
    if not isinstance(data, dict):
        return None
    first, last = integer(data.get("from")), integer(data.get("to"))
    if first is None or last is None or first > last:
        return None
    return first, last


def same_payload(one: Observation, other: Observation) -> bool:
    """Whether two messages of one seq say the same.

    A snapshot is another rendering of its seq (a mark, a later timestamp), so it contradicts nothing.
    """
    return bool(one.data == other.data) or Kind.SNAPSHOT in (one.kind, other.kind)


def replaces_state(observation: Observation) -> bool:
    """Whether a message of a feed of others calls itself a snapshot: the state anew, whatever was sent before.

    By the name of its event, or by `type` (Bybit, Kraken) or `action` (OKX) in it. The platform's own snapshots are
    Kind.SNAPSHOT and repeat the latest seq instead.
    """
    data = observation.data
    if observation.event == _SNAPSHOT:
        return True
    return isinstance(data, dict) and _SNAPSHOT in (data.get("type"), data.get("action"))


def integer(value: object) -> int | None:
    """The value, if it is an integer: JSON's true is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None

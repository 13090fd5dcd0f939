"""Plans: where a lying feed lies.

    drop 7-9, repeat 12, swap 15, restart 20, fall 30, evict 40

Each lie has a place: the number of the message in the stream as it ought to be, counted from 1.

    drop 7-9     7 to 9 are never sent
    repeat 12    12 is sent twice
    swap 15      16 is sent before 15
    restart 20   after 20 comes seq 1 of another epoch
    fall 30      after 30 comes seq 1, and the epoch stays
    evict 40     after 40 everybody is told `connection:closing` with `retry: false`, and disconnected
"""

import re
from dataclasses import dataclass

LIES = ("drop", "repeat", "swap", "restart", "fall", "evict")
_LIE = re.compile(r"(\w+) (\d+)(?:-(\d+))?")


@dataclass(frozen=True)
class Message:
    """One message as it is sent."""

    epoch: int
    seq: int


class Evict:
    """Not a message: everybody is sent away."""


def script(plan: str, length: int) -> list[Message | Evict]:
    """What a stream of `length` messages becomes under a plan."""
    lies = _parse(plan)
    sent: list[Message | Evict] = []
    epoch, before = 1, 0
    for place in range(1, length + 1):
        if place not in lies["drop"]:
            sent.append(Message(epoch, place - before))
        if place - 1 in lies["swap"]:
            sent[-2:] = reversed(sent[-2:])
        if place in lies["repeat"]:
            sent.append(sent[-1])
        if place in lies["restart"]:
            epoch += 1
        if place in lies["restart"] | lies["fall"]:
            before = place
        if place in lies["evict"]:
            sent.append(Evict())
    return sent


def _parse(plan: str) -> dict[str, set[int]]:
    lies: dict[str, set[int]] = {name: set() for name in LIES}
    for part in filter(None, (part.strip() for part in plan.split(","))):
        match = _LIE.fullmatch(part)
        if match is None or match[1] not in LIES:
            raise ValueError(f"bad lie {part!r}; expected something like drop 7-9, one of {', '.join(LIES)}")
        lies[match[1]].update(range(int(match[2]), int(match[3] or match[2]) + 1))
    return lies

"""What a run tells while it goes: reports listen."""

from collections.abc import Callable

from msgspec import Struct

from wsctl.fuzz.result import Failure, ProbeResult


class Planned(Struct, frozen=True):
    """What is going to be done."""

    target: str
    seed: int
    probes: int
    cases: int
    """to be generated"""
    left_out: int = 0
    """probes that were asked for and do not apply to such a target"""
    patient: tuple[str, ...] = ()
    """ids of those probes that only wait, beside the others; their results come last"""


class Listening(Struct, frozen=True):
    """Clients may come now."""

    url: str


class Played(Struct, frozen=True):
    """Generated cases so far; a few times a second."""

    cases: int
    failures: int


Event = Planned | Listening | ProbeResult | Played | Failure
Listener = Callable[[Event], None]

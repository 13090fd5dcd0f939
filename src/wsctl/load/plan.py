"""What the Locust process is told before it starts: its part in the run, and what the users do."""

from typing import Any, Literal

from msgspec import Struct

from wsctl.client.target import Reconnect, Target
from wsctl.load.course import Leg

Role = Literal["single", "master", "worker"]

MASTER_WITHIN = 300.0
"""seconds: workers are often started first, by hand or by something that brings machines up"""


class Journey(Struct, frozen=True, kw_only=True):
    """What some of the users do. Times in seconds; a pair is a range, evenly drawn from."""

    kind: str
    """a name of `wsctl.load.locust.journeys.KINDS`"""
    weight: int = 1
    """its share of the users, beside the others' weights"""
    symbols: int = 1
    """how many of the plan's symbols a user asks for, in turn; 0: all"""
    channels: tuple[str, ...] = ()
    """names of channels that each user asks for"""
    think: tuple[float, float] = (5.0, 15.0)
    """how long a user waits between two things that it does"""
    away: tuple[float, float] = (1.0, 5.0)
    """how long a user that returns is gone"""
    polite: bool = True
    """False: a user that leaves closes its socket without a word"""
    connections: int = 1
    """so many neighbouring users share a token"""


class Work(Struct, frozen=True, kw_only=True):
    """What the users do, the same for all workers: the master hands it on. Its repr hides tokens."""

    target: Target
    journeys: tuple[Journey, ...]
    reconnect: Reconnect = Reconnect()
    symbols: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    """user i shows token i, round robin; none: the target's own, if it has one"""
    format: Literal["full", "compact"] = "full"
    connect_rate: float = 500.0
    """users that set out per second, all workers together; 0: as fast as the target takes them"""
    addresses: tuple[str, ...] = ()
    """source addresses, in turn; none: the system's choice"""
    seed: int | None = None
    """of think times and of the spread of attempts"""

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"Work({fields})"

    def __rich_repr__(self) -> Any:  # msgspec's own would show the tokens in a traceback
        """The fields as rich shows them, tokens left out."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            yield name, f"{len(value)} tokens" if name == "tokens" else value


class LoadPlan(Struct, frozen=True, kw_only=True):
    """The first line that the Locust process reads from stdin."""

    role: Role = "single"
    work: Work | None = None
    """None: a worker, which has it from its master"""
    legs: tuple[Leg, ...] = ()
    """the course; none: SetUsers steers"""
    users: int = 0
    """the most that there will be, all workers together"""
    workers: int = 0
    """worker processes that a master starts beside itself"""
    expect_workers: int = 0
    """workers that a master waits for, wherever they run, those of its own among them"""
    bind: str = "127.0.0.1"
    """where a master listens for workers; `*` everywhere"""
    host: str = "127.0.0.1"
    """where a worker finds its master"""
    port: int = 0
    """of the master; 0: any that is free, told in Ready"""
    patience: float = MASTER_WITHIN
    """seconds that a worker looks for its master"""
    web_host: str = "127.0.0.1"
    web_port: int | None = None
    """Locust's web UI; None: none, 0: any that is free, told in Ready"""
    html: str | None = None
    """the file of Locust's HTML report"""
    csv: str | None = None
    """the beginning of the names of Locust's CSV files"""

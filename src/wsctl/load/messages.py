"""What the Locust process and its parent say to each other: one JSON object a line.

`python -P -m wsctl.load.locust.process`: the first line to it is its LoadPlan (which may hold tokens: so no file has
them). After that come SetUsers and Stop; the end of the input ends it at once, with everything that it started. On
stdout it tells Ready, Second once a second, and last Done; or Failed at any time. Locust's own talk is on stderr.
"""

import json

import msgspec
from msgspec import Struct

from wsctl.checks.latency import Buckets
from wsctl.load.plan import LoadPlan
from wsctl.swarm.clocks import Basis
from wsctl.swarm.delta import Delta


class _Message(Struct, frozen=True, kw_only=True, tag=True):
    pass


class SetUsers(_Message, frozen=True, kw_only=True):
    """There should be so many users from now on; where no course says so."""

    users: int


class Stop(_Message, frozen=True, kw_only=True):
    """Enough: Done follows as soon as everything counted is told."""


class Process(Struct, frozen=True, kw_only=True):
    """How one of the processes that hold connections is, by what it told last."""

    index: int
    """0 for a single one; of a worker, the master's number"""
    at: float
    """when it told, unix seconds"""
    users: int
    open: int
    receiving: int
    cpu: float
    """cores, of the process that holds the connections"""
    rss: int
    """bytes, of that process"""
    lag: float | None
    """seconds, at the 99th percentile of the second: how late its timers fired; None: not known"""
    lags: Buckets | None = None
    """the same, each by itself: percentiles of several seconds are not to be had from those of each"""
    control_cpu: float
    """cores, of the Locust process beside it"""
    control_rss: int
    clock: Basis | None
    """what its latencies rest on; None: nothing, so that there are none"""


class Ready(_Message, frozen=True, kw_only=True):
    """It listens. Users come as soon as all workers are there: the processes of Second show who is."""

    url: str | None = None
    """of the web UI"""
    port: int | None = None
    """where a master listens for workers"""


class Second(_Message, frozen=True, kw_only=True):
    """What happened in a second, all processes together."""

    at: float
    """unix seconds"""
    elapsed: float
    """seconds since the course began; 0 until then"""
    users: int
    """how many there should be"""
    stage: int | None = None
    """index of the stage; None without a course, before it began and after its end"""
    mostly: int | None = None
    """index of the stage that most of the time since the Second before was in"""
    delta: Delta
    """the levels are the sums of what `processes` told last"""
    processes: tuple[Process, ...] = ()
    """of which is known how they are, in the order of their indices: one that is silent for seconds is left out"""


class WorkerLost(_Message, frozen=True, kw_only=True):
    """A worker is gone, and its users are; nobody takes their place. What it had told counts."""

    index: int
    users: int


class Done(_Message, frozen=True, kw_only=True):
    """The end. The Second before it held the last of what was counted, users still there."""

    flushed: bool
    """every process has told everything that it counted"""
    missing: tuple[int, ...] = ()
    """indices of processes that have not, that are lost, or whose word got lost"""


class Failed(_Message, frozen=True, kw_only=True):
    """It cannot go on: a WsctlError, to be raised on the other side."""

    message: str
    hint: str | None = None
    exit_code: int


Command = SetUsers | Stop
Report = Ready | Second | WorkerLost | Done | Failed


def encode(message: Struct) -> bytes:
    """A line, its newline included."""
    try:
        return msgspec.json.encode(message) + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, which a server may send as a reason
        return json.dumps(msgspec.to_builtins(message), ensure_ascii=False).encode(errors="replace") + b"\n"


decode_plan = msgspec.json.Decoder(LoadPlan).decode
decode_command = msgspec.json.Decoder(Command).decode
decode_report = msgspec.json.Decoder(Report).decode
"""From a line. Raise msgspec.DecodeError (or its subclass ValidationError)."""

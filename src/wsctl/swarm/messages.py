"""What a swarm and who drives it say to each other: one JSON object a line.

The first line to the swarm is its SwarmOptions. After that come Fault and Stop; the end of the input ends the swarm
at once. It answers Settled, Progress a few times a second, and Done; or Failed.
"""

import json
import math
from typing import Any

import msgspec
from msgspec import Struct, field

from wsctl.model.finding import Finding
from wsctl.model.metrics import Metrics
from wsctl.model.observation import Observation


class _Message(Struct, frozen=True, kw_only=True, tag=True):
    pass


class Fault(_Message, frozen=True, kw_only=True):
    """Clients were cut, all in the same instant. Times in unix seconds."""

    at: float
    back_at: float
    """when the target takes connections again"""
    within: float
    """seconds after that in which a client must be back"""
    clients: tuple[str, ...]
    """the `client` of the handshake auth of each that was cut, by the account of whoever did it"""
    ports: tuple[int, ...] = ()
    """of clients that have no such name: those of their own sockets"""
    silent: bool = False
    """their connections were not cut, only silenced until `back_at`"""


class Stop(_Message, frozen=True, kw_only=True):
    """Measure no longer; Done follows within a second."""


class Settled(_Message, frozen=True, kw_only=True):
    """Every client is subscribed, refused or given up, or had its time: measuring begins. `at` in unix seconds."""

    at: float
    metrics: Metrics


class Progress(_Message, frozen=True, kw_only=True):
    """What is known so far; `elapsed` seconds of the measured time."""

    elapsed: float
    metrics: Metrics


class Done(_Message, frozen=True, kw_only=True):
    """The end, and what came out. Infinite metrics (a time of clients that never came back) are infinite here."""

    metrics: Metrics
    findings: tuple[Finding, ...] = ()
    """the first of what the checks objected to"""
    notes: tuple[str, ...] = ()
    """what a reader of the figures should know"""
    channels: dict[str, int] = field(default_factory=dict)
    """updates received per channel since the start, snapshots not among them: what a server's ledger counts, too"""
    samples: tuple[Observation, ...] = ()
    """messages that brought findings to light"""
    saturated: bool = False
    """this process was the bottleneck: its latencies are not the target's"""


class Failed(_Message, frozen=True, kw_only=True):
    """There is nothing to measure: a WsctlError, to be raised on the other side."""

    message: str
    hint: str | None = None
    exit_code: int


Command = Fault | Stop
Report = Settled | Progress | Done | Failed


def encode(message: Struct) -> bytes:
    """A line, its newline included."""
    try:
        return msgspec.json.encode(message) + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair, which feeds of others may send
        plain = msgspec.to_builtins(message)
        plain["metrics"] = {name: value if math.isfinite(value) else None for name, value in plain["metrics"].items()}
        return json.dumps(plain, ensure_ascii=False).encode(errors="replace") + b"\n"


decode_command = msgspec.json.Decoder(Command).decode
"""A Command from a line. Raises msgspec.DecodeError (or its subclass ValidationError)."""


def decode_report(line: bytes) -> Report:
    """A Report from a line. Raises msgspec.DecodeError (or its subclass ValidationError)."""
    plain = msgspec.json.decode(line, type=dict[str, Any])
    metrics = plain.get("metrics")
    if isinstance(metrics, dict):  # JSON has no infinity: it comes as null
        plain["metrics"] = {name: math.inf if value is None else value for name, value in metrics.items()}
    report: Report = msgspec.convert(plain, Report)
    return report

"""Observation: an Event plus who received it and when. The one record that flows through all tools."""

import json
from enum import Enum
from typing import Any

import msgspec
from msgspec import Struct

from wsctl.model import event


class Kind(Enum):
    """What an Observation is to a check."""

    UPDATE = "update"
    """a numbered or unnumbered fact"""
    SNAPSHOT = "snapshot"
    """the current state pushed at subscription; repeats the latest seq"""
    HEARTBEAT = "heartbeat"
    """announces the next seq of a silent channel; takes no seq"""
    SKIPPED = "skipped"
    """a range of seqs left out for this connection on purpose"""


class Observation(Struct, frozen=True, omit_defaults=True):
    """One Event as one connection received it; as JSON, the line that subscribe prints and scripts rely on.

    Times are unix seconds. `conn` is `c1` for a client's first connection, `c1.2` for its second, and so on,
    so that a reconnection can be told from a second client. `latency_ms` is None when clocks cannot be compared.
    """

    received_at: float
    conn: str
    channel: str | None
    event: str
    epoch: str | None
    seq: int | None
    sent_at: float | None
    latency_ms: float | None
    data: Any
    dialect: str | None = None
    """what it was spoken in, by which its order is judged; left out of JSON where that is the platform's own"""

    @property
    def client(self) -> str:
        """Who received it, across reconnections: `c1` of `c1.2`."""
        return self.conn.partition(".")[0]

    @property
    def kind(self) -> Kind:
        """What it is to a check."""
        return kind_of(self.event, self.data)


def kind_of(name: str, data: Any) -> Kind:
    """What an event is to a check, told by its name and payload."""
    if name == event.HEARTBEAT:
        return Kind.HEARTBEAT
    if name == event.SKIPPED:
        return Kind.SKIPPED
    if isinstance(data, dict):
        compact = name == event.PRICE_UPDATE and "s" in data
        if data.get("snapshot") is True or (compact and data.get("n") == 1):
            return Kind.SNAPSHOT
    return Kind.UPDATE


_encode = msgspec.json.Encoder().encode


def encode(observation: Observation) -> bytes:
    """An Observation as one line of JSON, without the newline.

    Half a surrogate pair, which feeds of others may send and UTF-8 cannot say, becomes `?`.
    """
    try:
        return _encode(observation)
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(observation)
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


decode = msgspec.json.Decoder(Observation).decode
"""An Observation from a line of JSON. Raises msgspec.DecodeError (or its subclass ValidationError)."""

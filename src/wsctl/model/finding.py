"""Finding: what a check objects to."""

from enum import StrEnum

from msgspec import Struct


class Verdict(StrEnum):
    """How a check, an expectation or a run ends."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    ERROR = "error"
    UNVERIFIABLE = "unverifiable"
    SKIPPED = "skipped"
    INVALID = "invalid"


class Finding(Struct, frozen=True, kw_only=True):
    """One objection, with what is needed to find it again in the stream.

    `message` is the sentence people read: fact first, then what was expected.
    """

    kind: str
    """gap, duplicate, reorder or regression; stale, skew or inversion"""
    conn: str
    channel: str
    first: int | None
    """first seq concerned; None where the message has none"""
    last: int | None
    """last seq concerned; equals `first` except for a gap, and for messages that cover several numbers"""
    at: float
    """received_at of the message that showed it, unix seconds"""
    message: str

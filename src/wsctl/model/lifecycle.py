"""Lifecycle: what happened to a watched connection, as opposed to what came over it."""

from enum import Enum

from msgspec import Struct


class Stage(Enum):
    """The stages of one connection, in their order."""

    ATTEMPT = "attempt"
    """a connection is being tried"""
    FAILED = "failed"
    """the attempt failed; another one may follow after `delay`"""
    JOINED = "joined"
    """transport open and namespace joined"""
    SUBSCRIBED = "subscribed"
    """every subscription was answered, or given up waiting for"""
    CUT = "cut"
    """the connection ended without our doing; another one may follow after `delay`"""
    CLOSED = "closed"
    """we ended it"""


class Lifecycle(Struct, frozen=True, kw_only=True):
    """One stage of one connection. `at` in unix seconds, `delay` (to the next attempt) in seconds."""

    at: float
    conn: str
    stage: Stage
    reason: str | None = None
    transport: str | None = None
    """websocket or polling, once known"""
    delay: float | None = None
    refused: tuple[str, ...] = ()
    """of SUBSCRIBED: the server's codes, one for each subscription that it did not serve, or not all of"""

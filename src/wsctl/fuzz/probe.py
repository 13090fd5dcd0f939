"""Probe: a case by name, with the endings that are safe. Verdict: what an ending and the oracle make of it."""

from enum import StrEnum
from typing import Literal

from msgspec import Struct

from wsctl.fuzz.ending import Ending, Safe
from wsctl.fuzz.steps import Case

Group = Literal["handshake", "frames", "engineio", "socketio", "payload"]
GROUPS: tuple[Group, ...] = ("handshake", "frames", "engineio", "socketio", "payload")

Needs = Literal["http", "websocket", "engineio", "socketio"]
"""what the other side has to speak for it"""

HEARTBEAT = -1.0
"""as a deadline: as long as the server may take to miss a heartbeat, by its own OPEN packet"""


UNAVAILABLE = (502, 503, 504)
"""busy, or a proxy whose server ended a hostile request: harm only where others are refused, too, which is looked at"""


class Verdict(StrEnum):
    """What came of a probe or a case, the worst last. None of them means secure."""

    PASSED = "passed"
    INCONCLUSIVE = "inconclusive"
    """it could not be carried out, or nothing could be seen"""
    NON_STRICT = "non-strict"
    """it ended without harm, in another way than declared"""
    FAILED = "failed"


class Probe(Struct, frozen=True, kw_only=True):
    """One entry of the catalogue."""

    id: str
    title: str
    group: Group
    source: str
    """CVE, advisory, RFC section or issue"""
    symptom: str
    """what is seen where it is vulnerable"""
    needs: Needs
    cases: tuple[Case, ...]
    """each on connections of its own; the worst verdict is the probe's"""
    safe: tuple[Safe, ...]
    harmful: tuple[Safe, ...] = ()
    """endings that are failures though the connection ended: an unlawful close code that is echoed"""
    tolerated: tuple[Safe, ...] = ()
    """endings that are non-strict: they do no harm, and another was asked for"""
    deadline: float = 5.0
    """seconds for the ending, counted from the last step; HEARTBEAT: as the server says"""
    attacks: Literal["server", "client"] = "server"
    fixed: str = ""
    """versions in which it was mended"""


def judge(
    ending: Ending, safe: tuple[Safe, ...], harmful: tuple[Safe, ...] = (), tolerated: tuple[Safe, ...] = ()
) -> Verdict:
    """What an ending is, by those declared; one that nobody declared is a failure, unless the connection ended."""
    if ending.unfit is not None:
        return Verdict.INCONCLUSIVE
    if any(map(is_server_error, ending.statuses)) or any(one.holds(ending) for one in harmful):
        return Verdict.FAILED
    if any(one.holds(ending) for one in safe):
        return Verdict.PASSED
    refused = ending.kind == "answered" and (400 <= (ending.code or 0) < 500 or ending.code in UNAVAILABLE)
    ended = ending.kind in ("closed", "cut") or refused
    harmless = ended or any(one.holds(ending) for one in tolerated)
    may_stay = any(one.kind == "alive" for one in safe)
    return Verdict.NON_STRICT if harmless or (ending.kind == "alive" and may_stay) else Verdict.FAILED


def is_server_error(status: int) -> bool:
    """Whether a status admits that the server failed; that it does not serve something, or not now, is no failure."""
    return status >= 500 and status not in (501, 505, *UNAVAILABLE)
